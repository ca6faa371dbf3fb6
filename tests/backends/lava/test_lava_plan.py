"""What is settled before anything runs: latencies, refusals, options, what is installed."""

import sys
from importlib import metadata
from itertools import pairwise

import numpy as np
import pytest

from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import Affine, Embedding, Input, Output, Sum, Threshold
from neurossm_converters.backends import lava as lava_backend
from neurossm_converters.backends.lava import LavaOptions, child, make_plan, shim

STEADY = Fixed(8, 0)


def identity(message: Fixed, weight: int = 1) -> Affine:
    return Affine(
        weight=Quantized(np.array([[weight]]), 0, 8),
        bias=Quantized(np.array([0]), 0, 24),
        out=message,
    )


def chain(length: int) -> Graph:
    """Synapse layers in a row, and a residual connection around all of them."""
    names = [f"layer{i}" for i in range(length)]
    nodes = {"x": Input(channels=1, out=STEADY), **{name: identity(STEADY) for name in names}}
    nodes |= {"sum": Sum(channels=1, out=STEADY), "out": Output(channels=1, out=STEADY)}
    path = ["x", *names, "sum", "out"]
    return Graph(nodes, (*pairwise(path), ("x", "sum")))


def test_the_shorter_path_waits():
    plan = make_plan(chain(3))
    assert plan.latencies == {
        "x": 0, "layer0": 1, "layer1": 2, "layer2": 3, "sum": 3, "out": 3,
    }  # fmt: skip
    assert plan.delays["x", "sum"] == 3
    assert plan.delays["layer2", "sum"] == 0
    assert plan.latency == 3


def test_a_row_of_a_table_takes_a_step_as_other_synapses_do():
    nodes = {
        "token": Input(channels=1, out=STEADY),
        "x": Input(channels=1, out=STEADY),
        "row": Embedding(table=Quantized(np.array([[3], [4]]), 0, 8), out=STEADY),
        "sum": Sum(channels=1, out=STEADY),
        "out": Output(channels=1, out=STEADY),
    }
    edges = (("token", "row"), ("row", "sum"), ("x", "sum"), ("sum", "out"))
    plan = make_plan(Graph(nodes, edges))
    assert plan.latencies == {"token": 0, "x": 0, "row": 1, "sum": 1, "out": 1}
    assert plan.delays == {
        ("token", "row"): 0, ("row", "sum"): 0, ("x", "sum"): 1, ("sum", "out"): 0,
    }  # fmt: skip


def test_a_delay_has_six_bits():
    assert make_plan(chain(63)).delays["x", "sum"] == 63
    with pytest.raises(GraphError, match=r"'x', 'sum'.*at most 63.*got 64"):
        make_plan(chain(64))


def test_a_sum_that_could_wrap_is_refused():
    # 2 * (127 * (2**23 - 1)) = 2130706178 < 2**31, and one more edge doubles it
    def graph(inputs: int) -> Graph:
        names = [f"x{i}" for i in range(inputs)]
        nodes = {name: Input(channels=1, out=Fixed(24, 0)) for name in names}
        nodes |= {"mix": identity(Fixed(24, 0), 127), "out": Output(channels=1, out=Fixed(24, 0))}
        return Graph(nodes, (*((name, "mix") for name in names), ("mix", "out")))

    make_plan(graph(1))
    with pytest.raises(GraphError, match=r"node 'mix'.*2\*\*31.*2130706178"):
        lava_backend.run(graph(2), {f"x{i}": np.zeros((1, 1, 1), int) for i in range(2)})


@pytest.mark.lava
def test_a_sum_of_more_operands_than_a_chip_has_ports_for():
    names = [f"x{i}" for i in range(9)]
    nodes = {name: Input(channels=1, out=STEADY) for name in names}
    nodes |= {"sum": Sum(channels=1, out=STEADY), "out": Output(channels=1, out=STEADY)}
    graph = Graph(nodes, (*((name, "sum") for name in names), ("sum", "out")))
    inputs = {name: np.full((1, 1, 1), 2**i) for i, name in enumerate(names[:7])}
    inputs |= {name: np.full((1, 1, 1), -1) for name in names[7:]}
    assert lava_backend.run(graph, inputs).values["out"].tolist() == [[[2**7 - 1 - 2]]]


def test_a_node_without_a_cell_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "neurossm_chip.cells.sum", None)
    with pytest.raises(GraphError) as caught:
        lava_backend.run(chain(1), np.zeros((1, 1, 1), int))
    assert str(caught.value) == (
        "node 'sum' (Sum): expected a node with a cell for Lava, got none"
        " (neurossm_chip/cells/sum.py); run the graph on the fast engine, or write the cell"
    )


def test_two_networks_in_one_graph_are_refused():
    nodes = {f"x{i}": Input(channels=1, out=STEADY) for i in range(2)}
    nodes |= {f"out{i}": Output(channels=1, out=STEADY) for i in range(2)}
    with pytest.raises(GraphError, match=r"one connected network.*2 parts, one with 'out1'"):
        make_plan(Graph(nodes, (("x0", "out0"), ("x1", "out1"))))


def test_a_float_graph_is_refused():
    nodes = {
        "x": Input(channels=1, out=STEADY),
        "spike": Threshold(theta=np.array([1.0])),
        "out": Output(channels=1, out=Fixed.binary()),
    }
    with pytest.raises(GraphError, match=r"node 'spike'.*an integer node"):
        lava_backend.run(Graph(nodes, (("x", "spike"), ("spike", "out"))), np.zeros((1, 1, 1), int))


@pytest.mark.parametrize(
    "wrong", [{"protocol": "fast"}, {"batch": 0}, {"time_limit": 0}, {"time_limit": np.inf}]
)
def test_options_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match=next(iter(wrong))):
        LavaOptions(**wrong)


def test_status_imports_nothing_of_lava():
    before = {name for name in sys.modules if name.split(".")[0] == "lava"}
    found = lava_backend.status()
    assert {name for name in sys.modules if name.split(".")[0] == "lava"} == before
    assert found.numpy_version == metadata.version("numpy")
    assert found.shim_needed == (sys.version_info >= (3, 11))
    assert not found.loihi_installed
    assert found.usable == (found.problem == "")


@pytest.mark.parametrize(
    ("versions", "problem", "remedy"),
    [
        ({"lava-nc": ""}, "lava-nc is not installed", "neurossm install lava"),
        ({"lava-nc": "0.9.0"}, "lava-nc 0.9.0", "neurossm install lava"),
        ({"numpy": "2.4.1"}, "numpy 2.4.1, with which Lava hangs", "neurossm install lava"),
    ],
)
def test_an_unfit_version_is_named_with_the_remedy(monkeypatch, versions, problem, remedy):
    fit = {"lava-nc": "0.10.0", "numpy": "2.3.5"}
    monkeypatch.setattr(shim, "version", {**fit, **versions}.__getitem__)
    with pytest.raises(shim.TargetError, match=problem) as caught:
        shim.require_lava()
    assert remedy in str(caught.value)


def test_nothing_is_started_without_lava(monkeypatch):
    monkeypatch.setattr(shim, "version", {"lava-nc": "", "numpy": "2.3.5"}.__getitem__)
    monkeypatch.setattr(child.subprocess, "Popen", None)
    with pytest.raises(shim.TargetError, match="Lava: got lava-nc is not installed"):
        lava_backend.run(chain(1), np.zeros((1, 1, 1), int))
