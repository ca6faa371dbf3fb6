"""A graph built by hand, and what converters meet when they make a mistake."""

import numpy as np
import pytest
from torch import nn

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.nodes import LIF, Affine, BatchNorm, Delay, Input, Output, Sum
from neurossm.passes import fold_batch_norm
from neurossm_converters.formats.torch import Builder


def affine(rows: int, columns: int) -> Affine:
    rng = np.random.default_rng(0)
    return Affine(weight=rng.normal(size=(rows, columns)), bias=rng.normal(size=rows))


def test_nodes_are_joined_as_they_are_added_and_norms_fold():
    builder = Builder()
    x = builder.add("x", Input(channels=2, out=Fixed(9, 4)))
    node = affine(3, 2)
    norm = BatchNorm(gain=np.array([1.0, -2.0, 0.5]), offset=np.ones(3))
    y = builder.add("norm", norm, builder.add("w", node, x))
    builder.add("y", Output(channels=3), y)
    graph = builder.graph(dt=0.5, steps=7)
    assert list(graph.nodes) == ["x", "w", "y"]
    assert graph.dt == 0.5 and graph.meta == {"steps": 7}
    data = np.random.default_rng(1).integers(-99, 99, (2, 7, 2))
    expected = (data / 16 @ node.weight.T + node.bias) * norm.gain + 1
    np.testing.assert_allclose(run(graph, data, "float").values["y"], expected)


def test_names_are_free_and_sources_there():
    builder = Builder()
    builder.add("x", Input(channels=2, out=Fixed(9, 4)))
    with pytest.raises(GraphError, match="node 'x': the name is taken"):
        builder.add("x", affine(2, 2), "x")
    with pytest.raises(
        GraphError, match="node 'y': expected sources that were added before, got 'z'"
    ):
        builder.add("y", affine(2, 2), "z")
    assert list(builder.nodes) == ["x"]


def recurrent(connect: bool = True) -> Builder:
    """A neuron without leak that adds 1, and half of its spike of the step before."""
    builder, one, zero = Builder(), np.ones(1), np.zeros(1)
    x = builder.add("x", Input(channels=1, out=Fixed(9, 4)))
    before = builder.add("before", Delay(channels=1, steps=1))
    back = builder.add("back", Affine(weight=0.5 * np.eye(1), bias=zero), before)
    drive = builder.add("drive", Sum(channels=1), x, back)
    lif = LIF(theta=2 * one, tau=one, rho=zero, kappa=zero, reset="soft")
    spikes = builder.add("lif", lif, drive)
    if connect:
        assert builder.connect(spikes, before) == spikes
    builder.add("y", Output(channels=1), spikes)
    return builder


def test_an_edge_that_leads_back_into_a_delay_closes_a_cycle():
    graph = recurrent().graph(steps=6)
    assert graph.loops == (("before", "back", "drive", "lif"),)
    trace = run(graph, np.full((1, 6, 1), 16), "float", "all")
    # 1, 2 (spike, 0 left), 1.5, 2.5 (spike, 0.5 left), 2 (spike, 0 left), 1.5
    assert trace.values["y"].ravel().tolist() == [0, 1, 0, 1, 1, 0]
    assert trace.values["drive"].ravel().tolist() == [1, 1, 1.5, 1, 1.5, 1.5]


def test_edges_are_between_nodes_that_are_there_and_once():
    with pytest.raises(GraphError, match=r"'lif', 'nobody'.*added before, got 'nobody'"):
        recurrent().connect("lif", "nobody")
    with pytest.raises(GraphError, match="edge lif -> before: it is listed twice"):
        recurrent().connect("lif", "before")
    with pytest.raises(GraphError, match=r"node 'before': expected one edge, got 0 edges"):
        recurrent(connect=False).graph()
    loop = recurrent()
    loop.connect("lif", "drive")
    with pytest.raises(GraphError, match=r"cycle .*put a Delay into the edge"):
        loop.graph()


def test_modules_are_converted_by_the_table():
    builder = Builder({nn.Identity: lambda b, path, module, source: source})
    builder.add("x", Input(channels=2, out=Fixed(9, 4)))
    assert builder.convert("i", nn.Identity(), "x") == "x"
    with pytest.raises(GraphError, match="module 'l': expected one of Identity, got Linear"):
        builder.convert("l", nn.Linear(2, 2), "x")


def test_a_norm_that_nothing_can_take_becomes_synapses_if_asked():
    builder = Builder()
    x = builder.add("x", Input(channels=2, out=Fixed(9, 4)))
    both = builder.add("both", Sum(channels=2), x)
    norm = BatchNorm(gain=np.array([2.0, 3.0]), offset=np.array([1.0, 0.0]))
    builder.add("y", Output(channels=2), builder.add("n", norm, both))
    with pytest.raises(GraphError, match=r"node 'n' \(BatchNorm\)"):
        builder.graph()
    from neurossm.graph import Graph

    graph = fold_batch_norm(Graph(builder.nodes, tuple(builder.edges)), rest="affine")
    np.testing.assert_array_equal(graph.nodes["n"].weight, [[2, 0], [0, 3]])
    data = np.random.default_rng(1).integers(-99, 99, (2, 7, 2))
    np.testing.assert_allclose(run(graph, data, "float").values["y"], data / 16 * [2, 3] + [1, 0])


def test_behind_synapses_that_something_else_needs_they_stand_again_scaled():
    builder = Builder()
    x = builder.add("x", Input(channels=2, out=Fixed(9, 4)))
    node = affine(2, 2)
    w = builder.add("w", node, x)
    norm = BatchNorm(gain=np.array([2.0, 3.0]), offset=np.array([1.0, 0.0]))
    builder.add("y", Output(channels=2), builder.add("n", norm, w))
    builder.add("z", Output(channels=2), w)
    from neurossm.graph import Graph

    graph = fold_batch_norm(Graph(builder.nodes, tuple(builder.edges)), rest="affine")
    assert graph.sources["n"] == ("x",) and graph.nodes["w"] == node
    np.testing.assert_allclose(graph.nodes["n"].weight, node.weight * [[2], [3]])
    np.testing.assert_allclose(graph.nodes["n"].bias, node.bias * [2, 3] + [1, 0])
