"""Every family as integers: reference, fast and Lava agree; nothing sees the future."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from family_networks import PIXELS, SCALE, SPIKES, STEPS, in_parallel, network, pixels, some_input

from neurossm.comparison import compare
from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine
from neurossm.quantization import Quantize, calibrate
from neurossm.trace import Trace
from neurossm_converters.backends.lava import LavaOptions, run_timed
from neurossm_converters.formats.torch import from_torch

LAVA_SAMPLES, LAVA_STEPS = 2, 12


@cache
def integer_graph(family: str, layers: int = 2) -> Graph:
    floating = from_torch(network(family, layers=layers), steps=STEPS, scale=SCALE)
    return Quantize()(floating, calibrate(floating, run(floating, PIXELS, "float")))


def assert_equal(graph: Graph, found: Trace, expected: Trace) -> None:
    """Every value of every node, every final state, every counter."""
    result = compare(expected, found, graph.order)
    assert result.first is None
    assert result.compared == sum(value.size for value in expected.values.values())
    assert found.states.keys() == expected.states.keys()
    for name, state in expected.states.items():
        np.testing.assert_array_equal(found.states[name], state, err_msg=name)
    assert dict(found.counts) == dict(expected.counts)


@pytest.mark.parametrize("family", SPIKES)
def test_fast_equals_reference(family):
    graph = integer_graph(family)
    expected = run(graph, PIXELS, "reference")
    for index in (0, 1):  # agreement about silence would say nothing
        assert 0.05 < np.abs(expected.values[f"blocks.{index}.{SPIKES[family]}"]).mean() < 0.95
    assert np.ptp(expected.values["output"][:, -1], axis=0).all()
    assert_equal(graph, run(graph, PIXELS, "fast"), expected)


@pytest.mark.lava
@pytest.mark.parametrize("family", SPIKES)
def test_lava_equals_reference(family):
    graph = integer_graph(family, layers=1)
    inputs = PIXELS[:LAVA_SAMPLES, :LAVA_STEPS]
    options = LavaOptions(protocol="async", batch=LAVA_SAMPLES)
    assert_equal(
        graph, run_timed(graph, inputs, "all", options).trace, run(graph, inputs, "reference")
    )


@pytest.mark.parametrize("family", SPIKES)
def test_integers_follow_the_real_numbers(family):
    """The integer graph of a network without gate errors stays near the float graph."""
    floating = from_torch(network(family, layers=1), steps=STEPS, scale=SCALE)
    real, integers = (
        run(floating, PIXELS, "float"), run(integer_graph(family, layers=1), PIXELS, "fast")
    )  # fmt: skip
    name = f"blocks.0.{SPIKES[family]}"
    assert (real.values[name] != integers.values[name]).mean() < 0.02


def test_a_gated_spiking_unit_multiplies_neither_by_weights_nor_by_spikes():
    graph = integer_graph("gsu")
    trace = run(graph, PIXELS, "fast")
    for index in (0, 1):
        n, m = (graph.nodes[f"blocks.{index}.unit.{name}"] for name in "nm")
        assert isinstance(n, Affine) and n.only_adds
        assert isinstance(m, Affine) and not m.only_adds
        assert graph.nodes[f"blocks.{index}.ternary"].out == Fixed.ternary()
        for name in "nm":
            count = trace.counts[f"blocks.{index}.unit.{name}"]
            assert count.syn_ops > 0 and count.synaptic_multiplies == 0


def test_the_membranes_have_states_and_thresholds_of_one():
    for family, traces in (("spikingssm", 1), ("spike-ssm", 2)):
        node = integer_graph(family).nodes["blocks.0.neuron"]
        assert isinstance(node, LIF) and node.states == traces * node.in_channels
        assert np.all(node.theta.values == 2**node.theta.frac)


# -- causality -----------------------------------------------------------------


@pytest.mark.parametrize("family", SPIKES)
@pytest.mark.parametrize("form", ["fft", "loop", "native"])
def test_the_network_does_not_see_the_future(family, form):
    model = network(family).use(ssm=form)
    model = model.float() if form == "native" else model
    x = some_input(model).to(model.decoder.weight.dtype)
    whole, spikes = in_parallel(model, x)
    for t in (1, 7, STEPS - 1):
        changed = x.clone()
        changed[:, t:] += 3
        other, others = in_parallel(model, changed)
        np.testing.assert_allclose(other[:, :t], whole[:, :t], rtol=0, atol=1e-6)
        # where nothing but spikes goes from layer to layer, the last one may stay as it is
        seen = np.abs(others[0][:, t:] - spikes[0][:, t:]).max()
        assert max(seen, np.abs(other[:, t:] - whole[:, t:]).max()) > 1e-3


@pytest.mark.parametrize("family", SPIKES)
def test_the_integers_do_not_see_the_future(family):
    graph = integer_graph(family)
    whole = run(graph, PIXELS, "fast")
    for t in (1, 7, STEPS - 1):
        changed = PIXELS.copy()
        changed[:, t:] = 255 - changed[:, t:]
        other = run(graph, changed, "fast")
        for name, value in whole.values.items():
            np.testing.assert_array_equal(other.values[name][:, :t], value[:, :t], err_msg=name)
        name = f"blocks.0.{SPIKES[family]}"  # spikes alone may not reach the output at once
        seen = [np.any(other.values[n][:, t:] != whole.values[n][:, t:]) for n in (name, "output")]
        assert any(seen) or t == STEPS - 1


def test_a_bidirectional_network_does_see_the_future():
    """The test of causality can fail."""
    model = network("spikingssm", bidirectional=True)
    x = pixels(model)
    changed = x.clone()
    changed[:, -1] += 10
    before, after = in_parallel(model, x)[0], in_parallel(model, changed)[0]
    assert np.abs(before[:, :-1] - after[:, :-1]).max() > 1e-3
