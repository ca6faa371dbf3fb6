"""Integers of an `AdaptiveThreshold`: its threshold rounded up, and each sum with one tap."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import AdaptiveThreshold, Affine, Input, Node, Output
from neurossm.quantization import Quantization, Quantize, calibrate

TOP = 2**23 - 1


def graph_of(node: AdaptiveThreshold, fmt: Fixed) -> Graph:
    nodes: dict[str, Node] = {"in": Input(channels=node.in_channels, out=fmt), "node": node,
                              "out": Output(channels=node.in_channels)}  # fmt: skip
    return Graph(nodes, tuple(pairwise(nodes)), 1e-3, {"steps": 50})


def quantized(graph: Graph, inputs: np.ndarray) -> Quantization:
    return Quantize().explained(graph, calibrate(graph, run(graph, inputs, "float")))


def test_taps_by_hand():
    # in units of 1/4: theta 1.3 is 5.2, so 6; 1.3 + 0.7 is 8, so 2; 1.3 + 0.2 is 6, so 0;
    # 1.3 + 0.3 is 6.4, so 1; 0 is 0; 1e6 is more than 24 bits hold, which nothing reaches
    node = AdaptiveThreshold(theta=[1.3], taps=[[0.7, 0.2, 0.3, 0.0, 1e8]])
    graph = graph_of(node, Fixed(24, 2))
    made = quantized(graph, np.zeros((1, 3, 1), np.int64))
    found = made.graph.nodes["node"]
    assert (found.theta.values.tolist(), found.theta.frac) == ([6], 2)
    assert (found.taps.values.tolist(), found.taps.frac) == ([[2, 0, 1, 0, TOP]], 2)
    (taps,) = [choice for choice in made.choices if choice.what == "taps"]
    assert taps.format == "s24.2" and "theta + tap rounded up" in taps.reason


def test_spikes_with_one_candidate_are_those_of_the_real_numbers():
    """Inputs of a few units, so that nearly every comparison is a close one."""
    rng = np.random.default_rng(2)
    node = AdaptiveThreshold(theta=rng.uniform(0.1, 3, 40), taps=rng.uniform(0, 3, (40, 1)))
    graph = graph_of(node, Fixed(8, 1))
    inputs = rng.integers(-2, 14, (2, 300, 40))
    left, right = run(graph, inputs, "float"), run(quantized(graph, inputs).graph, inputs, "fast")
    assert 0.1 < left.values["node"].mean() < 0.6
    np.testing.assert_array_equal(right.values["node"], left.values["node"])


def test_sums_of_several_taps_are_off_by_less_than_a_unit_for_each_and_not_to_one_side():
    rng = np.random.default_rng(3)
    node = AdaptiveThreshold(theta=rng.uniform(0.1, 3, 500), taps=rng.uniform(0, 3, (500, 8)))
    made = quantized(graph_of(node, Fixed(12, 1)), np.zeros((1, 3, 500), np.int64))
    found = made.graph.nodes["node"]
    exact = 2 * (np.asarray(node.theta) + np.asarray(node.taps).sum(axis=1))
    off = found.theta.values + found.taps.values.sum(axis=1) - np.ceil(exact)
    assert np.all(np.abs(off) < 8)
    # a unit is as large as a sixth of a tap here, and the sum of eight is right on average
    assert abs(off.mean()) < 0.3


def test_what_nothing_reaches_has_no_candidates_and_no_taps():
    node = AdaptiveThreshold(theta=[1e9, 1.0], taps=[[0.5, 0.5], [0.5, 0.5]])
    graph = graph_of(node, Fixed(8, 4))
    made = quantized(graph, np.full((1, 3, 2), 127))
    found = made.graph.nodes["node"]
    assert found.theta.values.tolist() == [TOP, 16]
    assert found.taps.values.tolist() == [[0, 0], [8, 8]]
    (loss,) = [loss for loss in made.losses if loss.what == "threshold"]
    assert loss.channels == (0,)


def test_rows_in_front_have_exponents_of_their_own():
    weight = np.array([[80 / 2**13], [100.0]])
    node = AdaptiveThreshold(theta=[0.02, 150.0], taps=[[0.005], [60.0]])
    nodes: dict[str, Node] = {"in": Input(channels=1, out=Fixed(8, 4)),
                              "mix": Affine(weight=weight, bias=np.zeros(2)), "node": node,
                              "out": Output(channels=2)}  # fmt: skip
    graph = Graph(nodes, tuple(pairwise(nodes)), 1e-3, {"steps": 50})
    inputs = np.random.default_rng(0).integers(-127, 128, (1, 200, 1))
    integer = quantized(graph, inputs).graph
    made = integer.nodes["node"]
    rows = np.asarray(integer.nodes["mix"].message_frac)
    # the largest weights of both rows, 80 2**-13 and 100 2**0; 4 bits of input
    assert rows.tolist() == [17, 4]
    np.testing.assert_array_equal(made.theta.frac, rows)
    np.testing.assert_array_equal(made.taps.frac, rows)
    expected = run(graph, inputs, "float").values["out"]
    found = run(integer, inputs, "fast").values["out"]
    assert expected.sum() > 20
    np.testing.assert_array_equal(found, expected)
