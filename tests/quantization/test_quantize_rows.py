"""Rows of synapses behind graded messages: small ones are not rounded in the unit of large ones."""

from __future__ import annotations

import numpy as np
import pytest

from neurossm import Quantize, calibrate, run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Input, Output, Sum


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
