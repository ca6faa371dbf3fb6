"""Folding a batch norm keeps the real numbers that a graph computes, or is refused by name."""

from itertools import pairwise

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    Affine,
    BatchNorm,
    DiagonalSSM,
    Input,
    Node,
    Output,
    Product,
    Sum,
    Threshold,
)
from neurossm.passes import fold_batch_norm

C, N = 3, 2
INPUTS = np.random.default_rng(0).integers(-127, 128, (3, 15, C))


def ssm(seed: int = 1) -> DiagonalSSM:
    rng = np.random.default_rng(seed)
    gains = {f"{k}_{part}": rng.normal(size=(C, N)) for k in ("b", "c", "drive")
             for part in ("re", "im")}  # fmt: skip
    pole = rng.uniform(0.5, 0.99, (C, N)) * np.exp(1j * rng.uniform(-3, 3, (C, N)))
    return DiagonalSSM(
        a_re=pole.real, a_im=pole.imag, **gains, d=rng.normal(size=C), bias=rng.normal(size=C),
        step_size=np.ones(C), method="zoh",
    )  # fmt: skip


def affine(seed: int = 2) -> Affine:
    rng = np.random.default_rng(seed)
    return Affine(weight=rng.normal(size=(C, C)), bias=rng.normal(size=C))


# a plain gain, a negative one, and one that switches its channel off
NORM = BatchNorm(gain=[2.5, -0.3, 0.0], offset=[-4.0, 0.7, 1.5])
OTHER = BatchNorm(gain=[-1.1, 0.0, 3.0], offset=[0.2, -0.6, 0.0])


def chain(*nodes: Node) -> Graph:
    named = {f"n{k}": node for k, node in enumerate(nodes)}
    all_nodes = {"in": Input(channels=C, out=Fixed(8, 5)), **named, "out": Output(channels=C)}
    names = list(all_nodes)
    return Graph(all_nodes, tuple(pairwise(names)), 2e-3, {"steps": 15})


def assert_same_meaning(graph: Graph) -> Graph:
    folded = fold_batch_norm(graph)
    assert not any(isinstance(node, BatchNorm) for node in folded.nodes.values())
    before, after = (run(g, INPUTS, "float") for g in (graph, folded))
    for name in graph.outputs:
        largest = np.abs(before.values[name]).max()
        assert largest > 0.1
        np.testing.assert_allclose(
            after.values[name], before.values[name], rtol=1e-9, atol=1e-9 * largest
        )
    assert (folded.dt, folded.meta) == (graph.dt, graph.meta)
    return folded


@pytest.mark.parametrize(
    "nodes",
    [
        (NORM, ssm()),
        (ssm(), NORM),
        (NORM, affine()),
        (affine(), NORM),
        (NORM, ssm(), OTHER),
        (NORM, affine(), OTHER),
        (affine(), NORM, OTHER),
        (affine(), NORM, ssm(), OTHER, affine(3)),
        (ssm(), NORM, Threshold(theta=[0.1, -0.2, 1.0])),
    ],
    ids=lambda nodes: "-".join(type(node).__name__ for node in nodes),
)
def test_the_float_meaning_stays(nodes):
    assert_same_meaning(chain(*nodes))


def test_a_norm_behind_an_ssm_goes_into_its_outputs_by_hand():
    folded = fold_batch_norm(chain(ssm(), NORM)).nodes["n0"]
    np.testing.assert_allclose(folded.c_im, ssm().c_im * np.array([[2.5], [-0.3], [0.0]]))
    np.testing.assert_allclose(folded.d, ssm().d * [2.5, -0.3, 0.0])
    np.testing.assert_allclose(folded.bias, ssm().bias * [2.5, -0.3, 0.0] + [-4, 0.7, 1.5])
    for untouched in ("a_re", "a_im", "b_re", "b_im", "drive_re", "drive_im"):
        np.testing.assert_array_equal(getattr(folded, untouched), getattr(ssm(), untouched))


def test_a_norm_in_front_of_an_ssm_leaves_a_constant_drive_by_hand():
    folded = fold_batch_norm(chain(NORM, ssm())).nodes["n1"]
    np.testing.assert_allclose(folded.b_re, ssm().b_re * np.array([[2.5], [-0.3], [0.0]]))
    offset = np.array([[-4.0], [0.7], [1.5]])
    np.testing.assert_allclose(folded.drive_im, ssm().drive_im + ssm().b_im * offset)
    np.testing.assert_allclose(folded.bias, ssm().bias + ssm().d * [-4.0, 0.7, 1.5])


def with_edges(nodes: dict[str, Node], edges: list[tuple[str, str]]) -> Graph:
    ends = {"in": Input(channels=C, out=Fixed(8, 5)), "out": Output(channels=C)}
    return Graph(ends | nodes, tuple(edges))


def test_a_source_that_feeds_others_too_is_left_alone():
    nodes = {"mix": affine(), "norm": NORM, "ssm": ssm(), "add": Sum(channels=C)}
    edges = [("in", "mix"), ("mix", "norm"), ("norm", "ssm"), ("mix", "add"), ("ssm", "add"),
             ("add", "out")]  # fmt: skip
    folded = assert_same_meaning(with_edges(nodes, edges))
    assert folded.nodes["mix"] == nodes["mix"]


def test_a_norm_goes_into_everything_that_it_feeds():
    nodes = {"norm": NORM, "ssm": ssm(), "mix": affine(), "add": Sum(channels=C)}
    edges = [("in", "norm"), ("norm", "ssm"), ("norm", "mix"), ("ssm", "add"), ("mix", "add"),
             ("add", "out")]  # fmt: skip
    assert_same_meaning(with_edges(nodes, edges))


def test_edges_that_converge_on_a_norm_converge_on_what_follows():
    nodes = {"a": affine(), "b": affine(5), "norm": NORM, "ssm": ssm()}
    edges = [("in", "a"), ("in", "b"), ("a", "norm"), ("b", "norm"), ("norm", "ssm"),
             ("ssm", "out")]  # fmt: skip
    folded = assert_same_meaning(with_edges(nodes, edges))
    assert folded.sources["ssm"] == ("a", "b")


def test_a_graph_without_norms_comes_back_as_it_is():
    graph = chain(affine(), ssm())
    assert fold_batch_norm(graph) is graph


@pytest.mark.parametrize(
    ("graph", "neighbor"),
    [
        (chain(NORM), r"'out' \(Output\)"),
        (chain(NORM, Threshold(theta=np.zeros(C))), r"'n1' \(Threshold\)"),
        (chain(Threshold(theta=np.zeros(C)), NORM, Sum(channels=C)), r"'n2' \(Sum\)"),
        # the SSM hears another node as well, whose messages must not be scaled
        (with_edges({"n0": NORM, "mix": affine(), "ssm": ssm()},
                    [("in", "n0"), ("in", "mix"), ("n0", "ssm"), ("mix", "ssm"), ("ssm", "out")]),
         r"'ssm' \(DiagonalSSM\)"),
        (with_edges({"n0": NORM, "mix": affine(), "p": Product(channels=C)},
                    [("in", "n0"), ("in", "mix"), ("n0", "p"), ("mix", "p"), ("p", "out")]),
         r"'p' \(Product\)"),
    ],
)  # fmt: skip
def test_where_no_neighbor_can_take_it_the_norm_is_refused_by_name(graph, neighbor):
    with pytest.raises(
        GraphError, match=rf"node 'n\d' \(BatchNorm\).*got {neighbor}.*put the norm"
    ):
        fold_batch_norm(graph)
