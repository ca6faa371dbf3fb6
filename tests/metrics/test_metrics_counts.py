import numpy as np
import pytest
from spiking_block import TINY_INPUT, model_graph, model_input, tiny_graph

from neurossm.engine import run
from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.metrics import dense_operations, measure
from neurossm.nodes import Affine, Input, Output
from neurossm.trace import Counts, Trace


def test_counts_of_the_tiny_graph_are_those_counted_by_hand() -> None:
    found = measure(tiny_graph(), run(tiny_graph(), TINY_INPUT, "reference"))
    # step 0: inputs 1 1 meet weights 1, 2 and 3; step 1: input 1 0 meets the 1 alone
    assert found.nodes["mix"] == Counts(syn_ops=4, spikes_in=3, axon_out=3, spikes_out=3)
    assert found.nodes["spike"] == Counts(dendrite_updates=4, spikes_in=3, axon_out=2, spikes_out=2)
    assert found.nodes["read"] == Counts(syn_ops=2, spikes_in=2, axon_out=1, spikes_out=1)
    assert found.nodes["sum"] == Counts(dendrite_updates=2, spikes_in=1, axon_out=2, spikes_out=2)
    assert found.total.syn_ops == 6
    assert found.spike_rates == {"spike": 2 / 4}
    assert found.multiplies_from_spikes == found.multiplies_from_graded == 0


def test_neurobench_numbers_of_the_tiny_graph_are_those_counted_by_hand() -> None:
    found = measure(tiny_graph(), run(tiny_graph(), TINY_INPUT, "reference")).neurobench
    assert found == {
        "Effective_ACs": 6.0,
        "Effective_MACs": 0.0,
        "Dense": 12.0,  # 4 + 2 weights, 2 steps
        "ActivationSparsity": 0.5,  # the threshold sent 2 of 4
        "ConnectionSparsity": pytest.approx(1 / 6),
        "Footprint": 21.0,  # 4 + 2 weights of a byte, 2 + 2 + 1 numbers of 3 bytes
    }


def test_two_equal_samples_double_the_totals_and_leave_rates_alone() -> None:
    graph = tiny_graph()
    one = measure(graph, run(graph, TINY_INPUT, "reference"))
    two = measure(graph, run(graph, np.concatenate([TINY_INPUT] * 2), "reference"))
    assert two.total == one.total + one.total
    assert two.per_sample() == one.per_sample()
    assert two.spike_rates == one.spike_rates
    assert two.neurobench == one.neurobench
    assert one.per_step()["syn_ops"] == 3.0


def test_graded_input_multiplies_and_is_counted_apart_from_spikes() -> None:
    graph = model_graph(blocks=1, channels=4, modes=2, classes=3)
    found = measure(graph, run(graph, model_input(5), "reference"))
    assert found.multiplies_from_spikes == 0
    graded = [found.nodes[name].synaptic_multiplies for name in ("encode", "decode")]
    assert found.multiplies_from_graded == sum(graded) > 0
    assert found.state_updates == 4 * 2 * 5
    assert found.neurobench["Effective_MACs"] == sum(graded)


def test_json_has_the_agreed_keys_for_each_node_and_the_total() -> None:
    found = measure(tiny_graph(), run(tiny_graph(), TINY_INPUT, "reference")).as_json()
    keys = {
        "syn_ops", "synaptic_multiplies", "dendrite_updates", "spikes_in", "axon_out",
        "spikes_out", "saturations",
    }  # fmt: skip
    assert set(found["nodes"]) == set(tiny_graph().nodes)
    assert all(set(counts) == keys for counts in (*found["nodes"].values(), found["total"]))


def test_dense_operations_follow_the_stated_formulas() -> None:
    found = dense_operations(model_graph(blocks=1, channels=4, modes=2, classes=3))
    assert found["encode"].matrix_macs == 4
    assert found["block0.value"].matrix_macs == 16
    assert found["block0.ssm"].state_macs == 8 * 4 * 2 + 4
    assert found["block0.sigmoid"].elementwise_macs == 4
    assert found["block0.product"].multiplies == 4
    assert found["block0.residual"].adds == 4
    assert found["mean"].adds == 3
    assert found["block0.spike"].macs == 0


def test_a_float_graph_is_refused() -> None:
    nodes = {
        "input": Input(channels=1, out=Fixed.binary()),
        "mix": Affine(weight=[[1.0]], bias=[0.0]),
        "output": Output(channels=1),
    }
    graph = Graph(nodes, (("input", "mix"), ("mix", "output")))
    with pytest.raises(GraphError, match="expected an integer graph, got a float one"):
        measure(graph, Trace("float", {}, 1, 1))


def test_a_trace_without_counts_is_refused_by_engine_and_node() -> None:
    with pytest.raises(InputError, match="engine 'lava': expected counts of every node, got none"):
        measure(tiny_graph(), Trace("lava", {}, 1, 2))
