"""The five counters of the hardware profiler: by hand, and the same from every executor."""

import numpy as np
import pytest
from hypothesis import given
from random_graphs import QUICK, Case, cases
from spiking_block import TINY_INPUT, tiny_graph

from neurossm.engine import run
from neurossm.graph import Graph
from neurossm.metrics import Activity, activity, measure


def test_counters_of_the_tiny_graph_are_those_counted_by_hand() -> None:
    found = measure(tiny_graph(), run(tiny_graph(), TINY_INPUT, "reference")).activity
    # 3 spikes reach weights 1, 2 and 3; the thresholds then get 3 sums that are not zero
    assert found.nodes["mix"] == Activity(
        syn_ops=4, dendrite_updates=0, spikes_in=3, axon_out=3, spike_axon_in=3
    )
    assert found.nodes["spike"] == Activity(
        syn_ops=0, dendrite_updates=4, spikes_in=3, axon_out=2, spike_axon_in=0
    )
    assert found.total == Activity(
        syn_ops=6, dendrite_updates=6, spikes_in=3 + 3 + 2 + 1 + 2,
        axon_out=3 + 3 + 2 + 1 + 2, spike_axon_in=5,
    )  # fmt: skip
    shown = found.as_json()
    assert shown["maximum"] == {
        "syn_ops": {"node": "mix", "value": 4},
        "dendrite_updates": {"node": "spike", "value": 4},
        "spikes_in": {"node": "mix", "value": 3},
        "axon_out": {"node": "input", "value": 3},
        "spike_axon_in": {"node": "mix", "value": 3},
    }
    assert shown["total"]["syn_ops"] == 6
    assert list(shown["nodes"]["mix"]) == [
        "syn_ops", "dendrite_updates", "spikes_in", "axon_out", "spike_axon_in",
    ]  # fmt: skip


@QUICK
@given(case=cases())
def test_reference_and_fast_count_the_same_on_random_graphs(case: Case) -> None:
    reference, fast = (run(case.graph, case.inputs, engine) for engine in ("reference", "fast"))
    found = activity(case.graph, reference.counts)
    assert activity(case.graph, fast.counts) == found
    for key in ("spikes_in", "spike_axon_in"):
        assert getattr(found.total, key) <= found.total.axon_out + _tokens(case)


def _tokens(case: Case) -> int:
    return sum(int(np.size(array)) for array in case.inputs.values())


@pytest.fixture(scope="module")
def checkpoint() -> tuple[Graph, np.ndarray]:
    """The small trained network as integers, and two of its images."""
    from neurossm_workflows.export import load_run
    from neurossm_workflows.loading import load_data
    from neurossm_workflows.quantize import quantized

    floating, data = load_run("binary-s4d-digits"), load_data("digits:train:16", "")
    graph = quantized(floating, data)
    return graph, load_data("digits:test:2", "").inputs


def test_reference_and_fast_count_the_same_on_a_checkpoint(
    checkpoint: tuple[Graph, np.ndarray],
) -> None:
    graph, inputs = checkpoint
    found = [
        activity(graph, run(graph, inputs, e, "outputs").counts) for e in ("reference", "fast")
    ]
    assert found[0] == found[1]
    assert found[0].total.syn_ops and found[0].total.spike_axon_in


@pytest.mark.lava
def test_lava_counts_the_same_on_a_checkpoint(checkpoint: tuple[Graph, np.ndarray]) -> None:
    from neurossm_converters.backends import lava as lava_backend

    graph, inputs = checkpoint
    options = lava_backend.LavaOptions(batch=2)
    found = lava_backend.run(graph, inputs, "outputs", options)
    expected = activity(graph, run(graph, inputs, "fast", "outputs").counts)
    assert activity(graph, found.counts) == expected
