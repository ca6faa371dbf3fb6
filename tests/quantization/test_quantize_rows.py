"""Rows of synapses behind graded messages: small ones are not rounded in the unit of large ones."""

from __future__ import annotations

import numpy as np
import pytest

from neurossm import Quantize, calibrate, run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Delay, Input, Output, Sum, Threshold


def network(
    weights: list[float], thetas: list[float], out: Fixed, *, residual: bool = False
) -> Graph:
    zeros = np.zeros(len(weights))
    lif = LIF(theta=thetas, tau=zeros + 0.9, rho=zeros, kappa=zeros, reset="hard")
    nodes = {"input": Input(channels=1, out=out),
             "fc": Affine(weight=np.array(weights)[:, None], bias=zeros)}  # fmt: skip
    edges = [("input", "fc"), ("fc", "lif"), ("lif", "output")]
    if residual:
        nodes["sum"] = Sum(channels=len(weights))
        edges[1:2] = [("fc", "sum"), ("sum", "lif")]
    nodes |= {"lif": lif, "output": Output(channels=len(weights))}
    return Graph(nodes, tuple(edges), 1e-3)


def quantized(graph: Graph, inputs: np.ndarray) -> Graph:
    return Quantize()(graph, calibrate(graph, inputs))


def test_each_row_has_the_exponent_of_its_own_largest_weight():
    graph = network([500.0, 1.0, 1.5, 1.9], [1000.0, 3.0, 4.0, 5.0], Fixed(9, 8))
    inputs = np.random.default_rng(0).integers(0, 256, (2, 400, 1))
    made = quantized(graph, inputs)
    weight = made.nodes["fc"].weight
    # of 7 bits beside the sign: 500 = 125 * 4, 1 = 64 / 64, 1.5 = 96 / 64, 1.9 = 121.6 / 64
    assert weight.frac.tolist() == [-2, 6, 6, 6]
    assert weight.values[:, 0].tolist() == [125, 64, 96, 122]
    exact = run(graph, inputs, "float").values["output"].sum((0, 1))
    for engine in ("reference", "fast"):
        trace = run(made, inputs, engine)
        assert np.abs(trace.values["output"].sum((0, 1)) - exact).max() <= 3 and exact.min() > 50
        assert trace.saturations() == 0


def test_a_row_is_no_finer_than_its_sum_allows():
    # 2^21 - 1 arrives: its sum by a weight of 1 leaves 1 of 22 bits, those of a message less one
    made = quantized(network([500.0, 1.0], [1e9, 3e6], Fixed(22, 0)), np.full((1, 9, 1), 2**21 - 1))
    fine = made.nodes["fc"].weight.frac
    # 500 has 9 bits: a unit of 4; its sum has 21 + 9 bits and saturates as it did with one exponent
    assert fine.tolist() == [-2, 1]


@pytest.mark.parametrize("weights", [[1.0, -1.0], [0.5, 0.0]])
def test_weights_that_only_add_share_their_exponent(weights):
    made = quantized(network(weights, [3.0, 3.0], Fixed(9, 8)), np.full((1, 9, 1), 200))
    assert made.nodes["fc"].weight.values[0, 0] == 1 and np.ndim(made.nodes["fc"].weight.frac) == 0


def test_rows_share_where_something_else_receives_them():
    graph = network([500.0, 100.0], [1000.0, 3.0], Fixed(9, 8), residual=True)
    assert np.ndim(quantized(graph, np.full((1, 9, 1), 200)).nodes["fc"].weight.frac) == 0


def meeting(*weights: float, fmt: Fixed, delayed: bool = False) -> Graph:
    """Return synapses of a weight each, from one input, that meet at a neuron."""
    zeros = np.zeros(1)
    nodes = {"input": Input(channels=1, out=fmt), "output": Output(channels=1),
             "lif": LIF(theta=[3.0], tau=zeros, rho=zeros, kappa=zeros, reset="hard")}  # fmt: skip
    edges = [("lif", "output")]
    for place, weight in enumerate(weights):
        nodes[f"fc{place}"] = Affine(weight=np.array([[weight]]), bias=zeros)
        source = "input"
        if delayed:
            source = f"wait{place}"
            nodes[source] = Delay(channels=1, steps=np.array([place + 1]))
            edges.append(("input", source))
        edges += [(source, f"fc{place}"), (f"fc{place}", "lif")]
    return Graph(nodes, tuple(edges), 1e-3)


@pytest.mark.parametrize("delayed", [False, True])
@pytest.mark.parametrize("fmt", [Fixed.binary(), Fixed(9, 8)])
def test_synapses_that_meet_at_a_neuron_share_the_unit_of_the_largest_weight(fmt, delayed):
    inputs = np.random.default_rng(0).integers(0, 2, (2, 30, 1))
    made = quantized(meeting(5.0, 0.75, 0.0, fmt=fmt, delayed=delayed), inputs)
    # of 7 bits: 5 = 80 / 16; alone 0.75 would be 96 / 128
    for name, mantissa in (("fc0", 80), ("fc1", 12), ("fc2", 0)):
        node = made.nodes[name]
        assert (node.weight.frac, node.weight.values[0, 0]) == (4, mantissa)
        assert node.out.frac == 4 + fmt.frac
    expected, found = (run(made, inputs, engine) for engine in ("reference", "fast"))
    np.testing.assert_array_equal(found.values["output"], expected.values["output"])


def test_synapses_of_unlike_activations_meet_in_one_unit_too():
    """A spike is 1, the graded one's unit 1/8: its weights give way."""
    graph = meeting(0.75, fmt=Fixed(5, 3))
    nodes = {**graph.nodes, "spikes": Threshold(theta=[0.5]),
             "back": Affine(weight=np.array([[1.5]]), bias=np.zeros(1))}  # fmt: skip
    edges = (*graph.edges, ("input", "spikes"), ("spikes", "back"), ("back", "lif"))
    made = quantized(Graph(nodes, edges, 1e-3), np.full((1, 9, 1), 7))
    # 1.5 = 96 / 64: the sum has 6 fraction bits, of which what arrives has 3
    assert made.nodes["back"].weight.values.tolist() == [[96]]
    assert made.nodes["fc0"].weight.frac == 3 and made.nodes["fc0"].weight.values.tolist() == [[6]]
