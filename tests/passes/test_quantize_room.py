"""Thresholds and knots far beyond what calibration saw: the message gets coarser, nothing fails."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from passes.float_model import C, T, float_ssm, pixels

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Node, Output, Product, TernaryThreshold, Threshold
from neurossm.passes import Quantize, calibrate
from neurossm.piecewise import piecewise

FAR = 3e4  # with 24 bits: at most 8 fraction bits


def quantized(nodes: dict[str, Node], edges: list[tuple[str, str]]) -> Graph:
    graph = Graph(nodes, tuple(edges))
    inputs = pixels(C)
    assert inputs.shape[1] == T
    return Quantize()(graph, calibrate(graph, run(graph, inputs, "float")))


def chain(**between: Node) -> tuple[dict[str, Node], list[tuple[str, str]]]:
    nodes: dict[str, Node] = {"in": Input(channels=C, out=Fixed(9, 8)), **between}
    nodes["out"] = Output(channels=C)
    names = list(nodes)
    return nodes, list(pairwise(names))


@pytest.mark.parametrize(
    "node", [Threshold(theta=np.full(C, FAR)), TernaryThreshold(delta=np.full(C, FAR))]
)
def test_a_threshold_out_of_reach_is_kept(node):
    graph = quantized(*chain(ssm=float_ssm(), spike=node))
    kept = graph.nodes["spike"].theta if isinstance(node, Threshold) else graph.nodes["spike"].delta
    assert graph.nodes["ssm"].out.frac == kept.frac == 8
    np.testing.assert_array_equal(kept.values, FAR * 2**8)
    assert not np.any(run(graph, pixels(C), "reference").values["spike"])


def test_the_knots_of_gelu_fit_behind_a_product_of_small_values():
    # each operand below 0.02, so their product would take 24 bits with more than 30 of fraction
    small = {name: Affine(weight=0.01 * np.eye(C), bias=np.zeros(C)) for name in ("n", "m")}
    nodes, _ = chain(**small, product=Product(channels=C), gelu=piecewise("gelu", C))
    edges = [("in", "n"), ("in", "m"), ("n", "product"), ("m", "product"), ("product", "gelu"),
             ("gelu", "out")]  # fmt: skip
    graph = quantized(nodes, edges)
    assert graph.nodes["product"].out.frac == 21  # 2.64 * 2**21 is the most below 2**23
    knots = graph.nodes["gelu"].knots
    np.testing.assert_allclose(knots.values * 2.0**-21, piecewise("gelu", C).knots, atol=2**-20)


def test_a_threshold_behind_graded_synapses_is_kept():
    wide = Affine(weight=np.eye(C), bias=np.zeros(C))
    graph = quantized(*chain(ssm=float_ssm(), mix=wide, spike=Threshold(theta=np.full(C, FAR))))
    assert graph.nodes["mix"].out.frac <= 8
    theta = graph.nodes["spike"].theta
    np.testing.assert_array_equal(theta.values, FAR * 2.0**theta.frac)
