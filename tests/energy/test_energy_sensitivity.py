"""Energy against spike rate, and what may be claimed of two intervals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import QUICK
from spiking_block import TINY_INPUT, model_graph, model_input, tiny_graph

from neurossm.energy import (
    FACTORS,
    Interval,
    at_spike_rate,
    estimate,
    holds_everywhere,
)
from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.hardware import load_hardware
from neurossm.metrics import Metrics, measure
from neurossm.nodes import Output

LOIHI2 = load_hardware("loihi2")


def tiny() -> Metrics:
    return measure(tiny_graph(), run(tiny_graph(), TINY_INPUT, "reference"))


def test_half_the_spikes_are_half_of_what_they_cause_and_nothing_else() -> None:
    found, capped = at_spike_rate(tiny(), tiny_graph(), 0.5)
    # the input and what it meets stay; the thresholds send 1 of 2 spikes, which meets 1 of 2
    assert found.nodes["mix"] == tiny().nodes["mix"]
    assert found.nodes["spike"].spikes_out == found.nodes["spike"].axon_out == 1
    assert found.nodes["read"].spikes_in == found.nodes["read"].syn_ops == 1
    assert found.spike_rates == {"spike": 0.25}
    assert found.total.dendrite_updates == tiny().total.dendrite_updates
    assert capped == ()


def test_a_rate_ends_at_one_spike_a_step() -> None:
    # the rate is a half, so four times as many is only twice as many
    found, capped = at_spike_rate(tiny(), tiny_graph(), 4.0)
    assert found.spike_rates == {"spike": 1.0}
    assert found.nodes["read"].syn_ops == 4
    assert capped == ("spike",)


def test_the_energy_follows_its_formula_by_hand() -> None:
    at_one, at_half = (
        estimate(at_spike_rate(tiny(), tiny_graph(), factor)[0], tiny_graph(), LOIHI2)
        for factor in (1.0, 0.5)
    )
    assert at_one == estimate(tiny(), tiny_graph(), LOIHI2)
    less = at_one.by_constant_set["davies2018"], at_half.by_constant_set["davies2018"]
    # one synaptic operation of 23.6 pJ and one message less; neurons and static as before
    assert 1e12 * (less[0].synaptic.low - less[1].synaptic.low) == pytest.approx(23.6)
    assert less[0].neuron == less[1].neuron
    assert at_one.work.messages.low - at_half.work.messages.low == 1
    assert at_one.static == at_half.static


def test_energy_rises_with_the_spike_rate_of_a_model() -> None:
    graph = model_graph(blocks=2, channels=8, modes=2, classes=3)
    metrics = measure(graph, run(graph, model_input(30), "fast"))
    assert metrics.spike_rates and FACTORS == (0.25, 0.5, 1.0, 2.0, 4.0)
    found = [estimate(at_spike_rate(metrics, graph, f)[0], graph, LOIHI2) for f in FACTORS]
    ends = [(e.dynamic.low, e.dynamic.high) for e in found]
    assert ends == sorted(ends) and len(set(ends)) == len(FACTORS)


def test_an_output_of_spikes_passes_on_the_scaled_ones() -> None:
    graph = tiny_graph()
    nodes = {n: graph.nodes[n] for n in ("input", "mix", "spike")}
    nodes["output"] = Output(channels=2, out=graph.nodes["spike"].out)
    cut = type(graph)(nodes, (("input", "mix"), ("mix", "spike"), ("spike", "output")))
    metrics = measure(cut, run(cut, TINY_INPUT, "reference"))
    found, _ = at_spike_rate(metrics, cut, 0.5)
    assert (found.nodes["output"].spikes_in, found.nodes["output"].spikes_out) == (1, 1)


@pytest.mark.parametrize("factor", [-1, float("inf"), float("nan")])
def test_a_factor_that_is_none_is_refused(factor: float) -> None:
    with pytest.raises(InputError, match="spike rate factor: expected 0 or more"):
        at_spike_rate(tiny(), tiny_graph(), factor)


def intervals() -> st.SearchStrategy[Interval]:
    ends = st.tuples(st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
    return ends.map(lambda pair: Interval(min(pair), max(pair)))


@QUICK
@given(left=intervals(), right=intervals(), a=st.floats(0, 1), b=st.floats(0, 1))
def test_a_ratio_holds_for_every_pair_of_values(
    left: Interval, right: Interval, a: float, b: float
) -> None:
    factor = holds_everywhere(left, right)
    if factor is None:
        # some pair of values contradicts it
        assert left.high >= right.low
        return
    smaller = left.low + a * (left.high - left.low)
    larger = right.low + b * (right.high - right.low)
    assert larger >= factor * smaller * (1 - 1e-12)
    assert factor > 1
