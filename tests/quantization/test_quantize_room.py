"""Thresholds and knots far beyond what calibration saw: the message gets coarser, nothing fails."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from float_model import C, T, float_ssm, pixels

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    Affine,
    DiagonalSSM,
    Input,
    Node,
    Output,
    Product,
    TernaryThreshold,
    Threshold,
)
from neurossm.piecewise import piecewise
from neurossm.quantization import Quantize, calibrate

NEAR, FAR = 300.0, 1e6  # the first may be reached, by inputs that calibration did not see


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
    "node", [Threshold(theta=np.full(C, NEAR)), TernaryThreshold(delta=np.full(C, NEAR))]
)
def test_a_threshold_that_could_be_reached_is_kept(node):
    graph = quantized(*chain(ssm=far_ssm(), spike=node))
    kept = graph.nodes["spike"].theta if isinstance(node, Threshold) else graph.nodes["spike"].delta
    assert graph.nodes["ssm"].out.frac == kept.frac == 14  # 300 * 2**14 is the most below 2**23
    np.testing.assert_array_equal(kept.values, NEAR * 2**14)
    assert not np.any(run(graph, pixels(C), "reference").values["spike"])


def far_ssm() -> DiagonalSSM:
    """One slow state a channel, moved up and down: its sum of magnitudes is far above its range.

    The largest answer to inputs of at most 255/256 is 2 * 1 / (1 - 0.999) = 2000, of any sign.
    """
    ones = np.ones((C, 1))
    return float_ssm(a_re=-0.999 * ones, a_im=0 * ones, b_re=ones, b_im=0 * ones, c_re=ones,
                     c_im=0 * ones, drive_re=0 * ones, drive_im=0 * ones, d=np.zeros(C),
                     bias=np.zeros(C))  # fmt: skip


@pytest.mark.parametrize("kind", [Threshold, TernaryThreshold])
@pytest.mark.parametrize("far", [FAR, np.finfo(float).max])
def test_a_threshold_that_nothing_reaches_is_the_largest_and_takes_no_bits(kind, far):
    thetas = np.array([0.5, far, 0.25, far, 1, 2])
    name = "theta" if kind is Threshold else "delta"
    graph = quantized(*chain(ssm=float_ssm(), spike=kind(**{name: thetas})))
    near = quantized(*chain(ssm=float_ssm(), spike=kind(**{name: np.where(thetas > 9, 1, thetas)})))
    kept, other = (getattr(g.nodes["spike"], name).values for g in (graph, near))
    silent = thetas == far
    # a bit less for the message: one that saturates does not reach the largest threshold either
    assert (graph.nodes["ssm"].out.bits, near.nodes["ssm"].out.bits) == (23, 24)
    assert kept[silent].tolist() == [2**23 - 1] * 2
    np.testing.assert_array_equal(2 * kept[~silent], other[~silent])
    ends = np.where(pixels(C) > 128, 255, -255)
    assert not np.any(run(graph, ends, "reference").values["spike"][..., silent])


def test_a_threshold_far_below_all_messages_is_the_smallest():
    graph = quantized(*chain(ssm=float_ssm(), spike=Threshold(theta=[0.5, -FAR, 1, 1, 1, 1])))
    theta = graph.nodes["spike"].theta
    assert theta.values[1] == -(2**23) + 1
    assert np.all(run(graph, pixels(C), "reference").values["spike"][..., 1])


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


def test_a_threshold_behind_graded_synapses_is_kept_if_it_could_be_reached():
    mix = Affine(weight=np.eye(C), bias=np.zeros(C))
    graph = quantized(*chain(ssm=far_ssm(), mix=mix, spike=Threshold(theta=np.full(C, NEAR))))
    assert graph.nodes["mix"].out.frac <= 14
    theta = graph.nodes["spike"].theta
    np.testing.assert_array_equal(theta.values, NEAR * 2.0**theta.frac)
    graph = quantized(*chain(ssm=float_ssm(), mix=mix, spike=Threshold(theta=np.full(C, FAR))))
    assert graph.nodes["mix"].out.bits == 23 and graph.nodes["mix"].out.frac > 14
    assert graph.nodes["spike"].theta.values.tolist() == [2**23 - 1] * C
