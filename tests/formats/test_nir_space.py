"""NIR with convolutions and pooling: read as NIR means them, and written so that others can."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest
from nir_interpreter import Interpreter, windows

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Accumulate, Affine, Conv2d, Delay, Input, Output, Threshold
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading

RNG = np.random.default_rng(3)
READING = Reading(steps=30, dt=1e-3)


def conv(outs, ins, kernel, shape, **given):
    """Return a NIR convolution with random weights; `shape` of its input."""
    kind = nir.Conv1d if len(kernel) == 1 else nir.Conv2d
    settings = {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, **given}
    weight = RNG.standard_normal((outs, ins // settings["groups"], *kernel))
    where = shape[0] if len(kernel) == 1 and shape else shape
    return kind(input_shape=where, weight=weight, bias=RNG.standard_normal(outs), **settings)


def neurons(*shape):
    return nir.IF(r=np.ones(shape), v_threshold=np.full(shape, 1.0), v_reset=np.zeros(shape))


def chained(shape, *nodes):
    """Return a NIR graph of nodes one behind the other."""
    named = {"in": nir.Input(input_type={"input": np.array(shape)})}
    named |= {f"n{i}": node for i, node in enumerate(nodes)}
    named["out"] = nir.Output(output_type={"output": np.array([1])})
    names = list(named)
    edges = list(pairwise(names))
    return nir.NIRGraph(nodes=named, edges=edges, type_check=False)


def pool(kind, size, stride, padding=0):
    pair = {name: np.array([n, n]) for name, n in
            (("kernel_size", size), ("stride", stride), ("padding", padding))}  # fmt: skip
    return kind(**pair)


def test_a_network_over_space_spikes_as_its_equations_say(tmp_path):
    graph = chained(
        (2, 9, 8),
        conv(4, 2, (5, 5), (9, 8), stride=(2, 1), padding=(1, 2)), neurons(4, 4, 8),
        pool(nir.SumPool2d, 2, 2), conv(6, 4, (3, 3), (2, 4), padding=1, groups=2),
        neurons(6, 2, 4), pool(nir.AvgPool2d, 2, 1), conv(3, 6, (1, 1), None), neurons(3, 1, 3),
        nir.Flatten({"input": np.array([3, 1, 3])}, 0, -1),
        nir.Affine(RNG.standard_normal((5, 9)), RNG.standard_normal(5)), neurons(5),
    )  # fmt: skip
    graph.nodes["n6"] = replace(graph.nodes["n6"], input_shape=(1, 3))  # or the file lacks it
    graph.nodes["out"] = nir.Output(output_type={"output": np.array([5])})
    path = tmp_path / "space.nir"
    nir.write(path, graph)
    found = neurossm_nir.read(path, READING).graph
    given = (RNG.random((3, 30, 144)) < 0.2).astype(np.int64)
    trace = run(found, {"in": given}, "float")
    # what nir itself reads has checked types, which are wrong for groups: see shapes.py
    interpreter = Interpreter(path, 1.0, type_check=False)
    for sample in range(3):
        np.testing.assert_array_equal(trace.values["out"][sample], interpreter.run(given[sample]))
    rates = trace.values["out"].mean(axis=(0, 1))
    assert np.sum((rates > 0) & (rates < 1)) > 2, rates


@pytest.mark.parametrize(
    "node",
    [
        conv(3, 2, (4, 4), (6, 5), padding="same"),
        conv(3, 2, (3, 4), (6, 5), padding="same"),
        conv(2, 2, (3, 3), (6, 5), padding="same", dilation=2),
        conv(3, 2, (3, 2), (6, 5), padding="valid", stride=2),
        conv(3, 2, (2, 3), None, stride=(2, 1), dilation=(1, 2)),
        pool(nir.SumPool2d, 3, 2, 1),
        pool(nir.AvgPool2d, 2, 2),
        conv(4, 2, (3,), (30,), padding=1, dilation=2, stride=2),
        conv(4, 2, (4,), (30,), padding="same"),
        conv(4, 2, (3,), None),
    ],
)
def test_each_node_computes_what_nir_means(node):
    shape = (2, 30) if isinstance(node, nir.Conv1d) else (2, 6, 5)
    graph = chained(shape, node)
    u = RNG.integers(-99, 99, (1, 4, int(np.prod(shape))))
    expected = [windows(node, row.reshape(shape)).ravel() for row in u[0]]
    graph.nodes["out"] = nir.Output(output_type={"output": np.array([len(expected[0])])})
    found = neurossm_nir.from_nir(graph, replace(READING, input=Fixed(8)))
    assert isinstance(found.nodes["n0"], Conv2d)
    sent = run(found, {"in": u}, "float").values["out"]
    np.testing.assert_allclose(sent[0], expected, atol=1e-9)


def test_pooling_is_called_pooling():
    graph = neurossm_nir.from_nir(chained((1, 4, 4), pool(nir.SumPool2d, 2, 2), neurons(1, 2, 2),
                                          nir.Linear(np.ones((1, 4)))), READING)  # fmt: skip
    assert graph.nodes["n0"].note == "sum pooling 2x2, 1x4x4 → 1x2x2"


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (chained((2, 4), pool(nir.SumPool2d, 2, 2)), "channels, height and width .* shape"),
        (
            chained((4,), nir.Linear(np.ones((8, 4))), pool(nir.SumPool2d, 2, 2)),
            "SumPool2d.*expected channels, height and width in front of it, got a flat signal",
        ),
        (chained((1, 4, 4), pool(nir.AvgPool2d, 2, 2, 1)), "AvgPool2d.*padding.*expected 0"),
        (chained((2, 4, 4), conv(1, 2, (3, 3), (4, 5))), r"input_shape.*\(2, 4, 4\), which arr"),
        (chained((3, 4, 4), conv(1, 2, (3, 3), None)), "input_shape.*2 channels.*3, 4, 4"),
        (chained((2, 4, 4), conv(1, 2, (3, 3), (4, 4), padding=3)), r"padding.*at most \(2, 2\)"),
        (
            chained((2, 4, 4), conv(1, 2, (3, 3), (4, 4), padding="same", stride=2)),
            "padding.*'same' with stride",
        ),
        (
            chained((2, 4, 4), conv(1, 2, (2, 3), (4, 4), padding="same", dilation=3)),
            "kernel of odd size",
        ),
        (chained((2, 4, 4), conv(1, 2, (5, 5), (4, 4))), "in_shape.*at least 5 x 5"),
        (
            chained((2, 4, 4), replace(conv(2, 2, (3, 3), (4, 4)), bias=np.ones(3))),
            "bias: expected 2 values, got 3",
        ),
    ],
)
def test_what_has_no_shape_or_does_not_fit_is_named(graph, message):
    with pytest.raises(GraphError, match=message):
        neurossm_nir.from_nir(graph, READING)


# -- written --------------------------------------------------------------------------------------


def ours(outs, ins, kernel, shape, groups=1, padding=(0, 0)):
    one = np.ones(2, np.int64)
    weight = RNG.standard_normal((outs, ins // groups, *kernel))
    return Conv2d(weight=weight, bias=RNG.standard_normal(outs), in_shape=np.array((ins, *shape)),
                  stride=one, padding=np.array(padding), dilation=one, groups=groups)  # fmt: skip


def leaky(channels):
    zeros = np.zeros(channels)
    return LIF(theta=zeros + 0.5, tau=zeros + 0.75, rho=zeros, kappa=zeros, reset="hard")


def over_space() -> Graph:
    nodes = {
        "in": Input(channels=50, out=Fixed.binary()),
        "first": ours(4, 2, (3, 3), (5, 5), groups=2, padding=(1, 1)),
        "fire": Threshold(theta=np.full(100, 0.3)),
        "later": Delay(channels=100, steps=np.arange(1, 101) % 3 + 1),
        "pool": Conv2d.sum_pool((4, 5, 5), (2, 2), (1, 1)),
        "lif": leaky(64),
        "mean": Conv2d.sum_pool((4, 4, 4), (2, 2), (2, 2), weight=0.25),
        "mix": Affine(weight=RNG.standard_normal((3, 16)), bias=np.zeros(3)),
        "sum": Accumulate(channels=64, steps=30),
        "out": Output(channels=3),
        "counts": Output(channels=64),
    }
    edges = (("in", "first"), ("first", "fire"), ("fire", "later"), ("later", "pool"),
             ("pool", "lif"), ("lif", "mean"), ("mean", "mix"), ("lif", "sum"), ("mix", "out"),
             ("sum", "counts"))  # fmt: skip
    return Graph(nodes, edges, 1e-3)


def test_a_written_network_has_nirs_nodes_and_shapes(tmp_path):
    path, graph = tmp_path / "a.nir", over_space()
    assert neurossm_nir.expressible(graph) == ()
    neurossm_nir.write(graph, path)
    found = nir.read(path)  # checks the types of all edges
    kinds = {name: type(node).__name__ for name, node in found.nodes.items()}
    assert kinds == {
        "in": "Input", "first": "Conv2d", "fire": "Threshold", "later": "Delay",
        "pool": "SumPool2d", "lif": "LIF", "mean": "AvgPool2d", "mean.flat": "Flatten",
        "mix": "Affine", "sum": "I", "out": "Output", "counts": "Output",
    }  # fmt: skip
    assert found.nodes["in"].input_type["input"].tolist() == [2, 5, 5]
    assert found.nodes["first"].weight.shape == (4, 2, 3, 3)
    assert not found.nodes["first"].weight[:2, 1].any()  # the other group
    assert found.nodes["lif"].tau.shape == (4, 4, 4)
    assert found.nodes["mean.flat"].output_type["output"].tolist() == [16]
    assert found.nodes["counts"].output_type["output"].tolist() == [4, 4, 4]
    back = neurossm_nir.read_back(path)
    assert back.edges == graph.edges and back.nodes["first"] == graph.nodes["first"]
    assert back.nodes["mean"] == graph.nodes["mean"] and back.nodes["lif"].tau.shape == (64,)


def test_others_read_what_was_written(tmp_path):
    """By the equations of NIR; and by our reader, which does not know that it is ours."""
    graph = over_space()
    graph = replace(graph, nodes={n: node for n, node in graph.nodes.items() if n not in
                                  ("sum", "counts", "later")},
                    edges=(("in", "first"), ("first", "fire"), ("fire", "pool"), ("pool", "lif"),
                           ("lif", "mean"), ("mean", "mix"), ("mix", "out")))  # fmt: skip
    path = tmp_path / "a.nir"
    neurossm_nir.write(graph, path)
    u = (RNG.random((1, 30, 50)) < 0.4).astype(np.int64)
    expected = run(graph, {"in": u}, "float").values["out"][0]
    np.testing.assert_allclose(Interpreter(path, 1.0).run(u[0]), expected, atol=1e-9)
    foreign = nir.read(path)
    foreign.metadata = {}
    again = neurossm_nir.from_nir(foreign, READING)
    np.testing.assert_allclose(run(again, {"in": u}, "float").values["out"][0], expected,
                               atol=1e-9)  # fmt: skip
    assert isinstance(again.nodes["first"], Conv2d) and again.nodes["pool"].pools


def test_a_network_over_one_dimension_has_conv1d(tmp_path):
    nodes = {
        "in": Input(channels=24, out=Fixed(8)), "first": ours(4, 2, (1, 3), (1, 12), groups=2),
        "fire": Threshold(theta=np.zeros(40)), "pool": Conv2d.sum_pool((4, 1, 10), (1, 2), (1, 2)),
        "mix": Affine(weight=RNG.standard_normal((3, 20)), bias=np.zeros(3)),
        "out": Output(channels=3),
    }  # fmt: skip
    names = list(nodes)
    graph = Graph(nodes, tuple(pairwise(names)), 1e-3)
    path = tmp_path / "a.nir"
    neurossm_nir.write(graph, path)
    found = nir.read(path)
    kinds = [type(found.nodes[name]).__name__ for name in ("first", "pool", "pool.flat")]
    assert kinds == ["Conv1d", "Conv1d", "Flatten"]
    assert found.nodes["in"].input_type["input"].tolist() == [2, 12]
    u = RNG.integers(-99, 99, (1, 9, 24))
    expected = run(graph, {"in": u}, "float").values["out"][0]
    np.testing.assert_allclose(Interpreter(path, 1.0).run(u[0]), expected, atol=1e-9)
    assert neurossm_nir.read_back(path).nodes["pool"] == graph.nodes["pool"]


def test_what_nir_cannot_hold_is_named():
    nodes = {
        "in": Input(channels=6, out=Fixed(8)),
        "mix": Affine(weight=RNG.standard_normal((18, 6)), bias=np.zeros(18)),
        "first": ours(1, 2, (2, 2), (3, 3)), "wide": ours(1, 1, (1, 2), (2, 2)),
        "out": Output(channels=2),
    }  # fmt: skip
    names = list(nodes)
    graph = Graph(nodes, tuple(pairwise(names)), 1e-3)
    assert neurossm_nir.expressible(graph) == (
        "node 'first' (Conv2d): NIR has nothing that gives the flat signal in front of it a shape",
        "node 'wide' (Conv2d): the nir library takes kernels for square, this one is 1 x 2",
    )


@pytest.mark.skipif("NEUROSSM_NIR_CNN" not in os.environ, reason="NEUROSSM_NIR_CNN is not set")
def test_the_published_network_spikes_as_its_equations_say():
    """``paper/02_cnn/cnn_sinabs.nir`` of github.com/neuromorphs/NIR, on moving bars of events."""
    path = Path(os.environ["NEUROSSM_NIR_CNN"])
    reading = Reading(steps=40, dt=1e-3, compare="gt")
    graph = neurossm_nir.read(path, reading).graph
    events = np.zeros((2, 40, 2, 34, 34), np.int64)
    for sample, t in np.ndindex(2, 40):
        x, y = 6 + t // 2, 6 + 6 * sample
        events[sample, t, 0, y : y + 16, x - 2 : x] = RNG.random((16, 2)) < 0.7
        events[sample, t, 1, y : y + 16, x : x + 3] = RNG.random((16, 3)) < 0.7
    given = events.reshape(2, 40, -1)
    trace = run(graph, {"input": given}, "float")
    interpreter = Interpreter(path, 1.0)
    for sample in range(2):
        found = interpreter.run(given[sample])
        np.testing.assert_array_equal(found, trace.values["output"][sample])
    assert trace.values["output"].sum() > 20
