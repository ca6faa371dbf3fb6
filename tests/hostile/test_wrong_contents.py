"""Files whose hash is right and whose contents are not: an attacker can compute hashes too."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile.examples import around, example, golden_of, integer_graph

from neurossm import store
from neurossm.engine import run
from neurossm.errors import FormatError, GraphError, NeurossmError, RangeError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import Embedding, Input, Output
from neurossm.store.encode import encode_golden, encode_graph, encode_trace
from neurossm.store.golden import check_golden
from neurossm.store.write import write_tree
from neurossm.trace import Trace

Tree = dict[str, Any]
HEADER = {"schema": "neurossm.graph", "schema_version": 1, "producer": "a test"}


def tree_of_graph() -> Tree:
    golden = encode_golden(golden_of(integer_graph(), count=1))
    return {**HEADER, "graph": encode_graph(integer_graph()), "golden": golden}


def load(tmp_path: Path, tree: Tree) -> None:
    path = tmp_path / "graph.nssm"
    write_tree(path, tree)
    store.load_golden(path, store.load(path))


def test_the_unchanged_tree_loads(tmp_path):
    load(tmp_path, tree_of_graph())


def put(*keys: str | Any) -> Callable[[Tree], None]:
    """Return an edit: the last argument is put at the path of names before it."""
    *names, last, value = keys

    def edit(tree: Tree) -> None:
        for name in names:
            tree = tree[name]
        tree[last] = value

    return edit


def drop(*names: str) -> Callable[[Tree], None]:
    def edit(tree: Tree) -> None:
        for name in names[:-1]:
            tree = tree[name]
        del tree[names[-1]]

    return edit


I1 = np.int8
NODES = ("graph", "nodes")
FIRE, MIX, SSM, PIXEL = (*NODES, "fire"), (*NODES, "mix"), (*NODES, "ssm"), (*NODES, "pixel")
EDITS: dict[str, tuple[Callable[[Tree], None], type[NeurossmError], str]] = {
    "newer schema": (
        put("schema_version", 7),
        FormatError,
        "schema version: expected 1, got 7; it was written by a newer release: upgrade neurossm",
    ),
    "older schema": (put("schema_version", 0), FormatError, "expected 1, got 0; no such version"),
    "other schema": (
        put("schema", "other"),
        FormatError,
        "schema: expected neurossm.graph | neurossm.trace, got 'other'",
    ),
    "no producer": (drop("producer"), FormatError, "producer: expected a string, got none"),
    "no graph": (drop("graph"), FormatError, "graph: expected a group, got none"),
    "no golden": (drop("golden"), FormatError, "golden: expected a group, got none"),
    "graph is a number": (put("graph", 3), FormatError, "expected a group, got an integer"),
    "unknown group": (
        put("extra", {}),
        FormatError,
        "only entries that FORMAT.md names, got 'extra'",
    ),
    "unknown entry of graph": (put("graph", "extra", 1), FormatError, "graph: .* got 'extra'"),
    "dt is an integer": (
        put("graph", "dt", 1),
        FormatError,
        "dt: expected a float, got an integer",
    ),
    "negative dt": (
        put("graph", "dt", -1.0),
        GraphError,
        r"graph.nssm: graph.dt: expected a positive time in seconds, got -1.0",
    ),
    "meta holds an array": (
        put("graph", "meta", "a", np.zeros(1)),
        FormatError,
        "meta 'a': expected a string or number, got an array",
    ),
    "unknown node": (
        put(*FIRE, "type", "Treshold"),
        FormatError,
        "node 'fire': expected a type of node: .* got 'Treshold'; did you mean 'Threshold'",
    ),
    "node of no kind": (put(*FIRE, "type", "x" * 4000), FormatError, "a newer release may know it"),
    "type is a number": (
        put(*FIRE, "type", 1),
        FormatError,
        "type: expected a string, got an integer",
    ),
    "no index": (drop(*FIRE, "index"), FormatError, "'fire' index: expected an integer, got none"),
    "index twice": (put(*FIRE, "index", 0), FormatError, "expected index [01], got [02]"),
    "index outside": (put(*FIRE, "index", 9), FormatError, "expected index 3, got 4"),
    "unknown field": (
        put(*FIRE, "leak", 0.5),
        FormatError,
        r"node 'fire' \(Threshold\): expected only entries that FORMAT.md names, got 'leak'",
    ),
    "missing field": (
        drop(*FIRE, "theta"),
        FormatError,
        r"node 'fire' \(Threshold\) theta: expected an array, got none",
    ),
    "field is a string": (
        put(*FIRE, "theta", "high"),
        FormatError,
        r"\(Threshold\) theta: expected an array, got a string",
    ),
    "integers for floats": (
        put(*FIRE, "theta", np.ones(3, I1)),
        FormatError,
        r"node 'fire' \(Threshold\) theta: expected floats, got int8",
    ),
    "floats for integers": (
        put(*FIRE, "theta", "values", np.ones(3)),
        FormatError,
        r"\(Threshold\) theta: expected integers, got float64",
    ),
    "wrong shape": (
        put(*FIRE, "theta", "values", np.ones((3, 2), I1)),
        GraphError,
        r"node 'fire' \(Threshold\): Threshold.theta: expected 1 axes \(C\), got shape \(3, 2\)",
    ),
    "empty": (put(*FIRE, "theta", "values", np.ones(0, I1)), GraphError, "node 'fire'.* not empty"),
    "shapes that differ": (
        put(*SSM, "d", "values", np.ones(4, I1)),
        RangeError,
        r"node 'ssm' \(DiagonalSSM\) d: exponents by channel",
    ),
    "bits too few for values": (
        put(*FIRE, "theta", "bits", 2),
        RangeError,
        r"node 'fire' \(Threshold\) theta: integer parameters: expected values in \+-1 \(2 bits\)",
    ),
    "bits absurd": (put(*FIRE, "theta", "bits", 2**40), RangeError, "expected 2 to 32 bits"),
    "frac absurd": (
        put(*FIRE, "theta", "frac", 2**40),
        RangeError,
        "exponents: expected -64 to 64",
    ),
    "frac of two axes": (
        put(*FIRE, "theta", "frac", np.ones((3, 1), I1)),
        FormatError,
        "theta frac: expected one axis, got 2",
    ),
    "frac is a float": (
        put(*FIRE, "theta", "frac", 1.0),
        FormatError,
        "theta frac: expected an integer, got a float",
    ),
    "unknown entry of a parameter": (put(*FIRE, "theta", "zero", 0), FormatError, "got 'zero'"),
    "unknown kind of message": (
        put(*PIXEL, "out", "kind", "unary"),
        RangeError,
        r"node 'pixel' \(Input\) out: message format: expected kind graded",
    ),
    "format is a number": (
        put(*PIXEL, "out", 8),
        FormatError,
        "out: expected a group, got an integer",
    ),
    "no format where one is needed": (
        drop(*PIXEL, "out"),
        GraphError,
        r"node 'pixel' \(Input\): Input.out: expected the number format of the data, got none",
    ),
    "channels negative": (
        put(*PIXEL, "channels", -2),
        GraphError,
        r"node 'pixel' \(Input\): Input.channels: expected at least 1, got -2",
    ),
    "channels absurd": (put(*PIXEL, "channels", 2**62), GraphError, r"edge \('pixel', 'mix'\)"),
    "nan": (
        put(*SSM, "step_size", np.array([1.0, np.nan, 1.0])),
        GraphError,
        r"node 'ssm' \(DiagonalSSM\): DiagonalSSM.step_size: expected finite numbers, got nan",
    ),
    "infinity": (
        put(*FIRE, "theta", np.array([np.inf, 1.0, 1.0])),
        GraphError,
        r"node 'fire' \(Threshold\): Threshold.theta: expected finite numbers",
    ),
    "float among integers": (
        put(*MIX, "bias", np.zeros(3)),
        GraphError,
        r"node 'mix' \(Affine\): Affine: expected all parameters float or all integer",
    ),
    "unknown method": (
        put(*SSM, "method", "euler"),
        GraphError,
        "expected zoh | bilinear, got 'euler'",
    ),
    "no edges": (
        put("graph", "edges", np.zeros((0, 2), I1)),
        GraphError,
        "graph.nssm: node 'mix': expected at least one edge, got 0 edges",
    ),
    "edges of one column": (
        put("graph", "edges", np.zeros((4, 1), I1)),
        FormatError,
        r"edges: expected shape \(edges, 2\), at most 100000 edges, got \(4, 1\)",
    ),
    "edges are floats": (
        put("graph", "edges", np.zeros((4, 2))),
        FormatError,
        "edges: expected integers, got float64",
    ),
    "dangling edge": (
        put("graph", "edges", np.array([[0, 1], [1, 9]], I1)),
        FormatError,
        "graph edges: expected indices of nodes, 0 to 4, got 9",
    ),
    "negative edge": (
        put("graph", "edges", np.array([[0, 1], [1, -1]], I1)),
        FormatError,
        "got -1",
    ),
    "edge twice": (
        put("graph", "edges", np.array([[0, 1], [0, 1]], I1)),
        GraphError,
        r"graph.nssm: graph: edge pixel -> mix is listed twice",
    ),
    "cycle": (
        put("graph", "edges", np.array([[0, 1], [1, 2], [2, 3], [3, 4], [3, 2]], I1)),
        GraphError,
        "graph.nssm: node 'ssm': expected one number format|cycle",
    ),
    "no nodes": (put("graph", "nodes", {}), FormatError, "edges: expected indices of nodes"),
    "golden of another name": (put("golden", {"1": {}}), FormatError, "golden 0: expected a group"),
    "golden without states": (
        drop("golden", "0", "states"),
        FormatError,
        "0 states: expected a group",
    ),
    "golden of floats": (
        put("golden", "0", "inputs", "pixel", np.zeros((6, 2))),
        FormatError,
        "golden 0 inputs: expected integers, got float64",
    ),
    "golden too short": (
        put("golden", "0", "values", "fire", np.zeros((2, 3), I1)),
        FormatError,
        r"golden vector 0 node 'fire': expected shape \(6, 3\)",
    ),
    "golden beyond its format": (
        put("golden", "0", "values", "fire", np.full((6, 3), 2, I1)),
        RangeError,
        r"golden vector 0 node 'fire': expected 0 to 1 \(binary\)",
    ),
    "too many golden": (
        put("golden", {str(i): {} for i in range(65)}),
        FormatError,
        "at most 64, got 65",
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_wrong_contents_are_refused_by_name(tmp_path, name):
    edit, error, message = EDITS[name]
    tree = tree_of_graph()
    edit(tree)
    with pytest.raises(error, match=message) as caught:
        load(tmp_path, tree)
    assert str(tmp_path) in str(caught.value) and len(str(caught.value)) < 600


LAYER = ("graph", "nodes", "layer.0")
NODE_EDITS: dict[str, tuple[str, Callable[[Tree], None], type[NeurossmError], str]] = {
    "a leak of one": (
        "LIF",
        put(*LAYER, "tau", "values", np.array([0, 4096, 1], np.int16)),
        RangeError,
        r"node 'layer.0' \(LIF\) tau: integer parameters: expected values in \+-4095",
    ),
    "a leak below zero": (
        "LIF",
        put(*LAYER, "rho", "values", np.array([0, -1, 1], np.int8)),
        GraphError,
        r"node 'layer.0' \(LIF\): LIF.rho: expected at least 0 and at most 4096, got -1 to 1",
    ),
    "a threshold of zero": (
        "LIF",
        put(*LAYER, "theta", "values", np.array([0, 1, 1], I1)),
        GraphError,
        "LIF.theta: expected above 0, got 0",
    ),
    "an unknown reset": (
        "LIF",
        put(*LAYER, "reset", "never"),
        GraphError,
        r"LIF.reset: expected hard \| soft \| none, got 'never'",
    ),
    "no reset": ("LIF", drop(*LAYER, "reset"), FormatError, "reset: expected a string, got none"),
    "membranes that send numbers": (
        "LIF",
        put(*LAYER, "out", {"bits": 8, "frac": 0, "kind": "graded"}),
        GraphError,
        r"\(LIF\): LIF.out: expected binary, got s8.0",
    ),
    "a signed threshold of zero": (
        "TernaryThreshold",
        put(*LAYER, "delta", "values", np.array([3, 0, 1], I1)),
        GraphError,
        "TernaryThreshold.delta: expected above 0, got 0",
    ),
    "tokens with fractions": (
        "Embedding",
        put("graph", "nodes", "a", "out", "frac", 3),
        GraphError,
        r"node 'layer.0' \(Embedding\): expected whole tokens: an Input of 0 fraction bits",
    ),
    "tokens that something computes with": (
        "Embedding",
        put("graph", "edges", np.array([[0, 1], [0, 2]], I1)),
        GraphError,
        r"edge \('a', 'out'\)|only embeddings behind the tokens of 'a'",
    ),
    "an empty table": (
        "Embedding",
        put(*LAYER, "table", "values", np.zeros((0, 3), I1)),
        GraphError,
        "Embedding.table: .* not empty",
    ),
}


@pytest.mark.parametrize("name", NODE_EDITS)
def test_wrong_neurons_and_tables_are_refused_by_name(tmp_path, name):
    kind, edit, error, message = NODE_EDITS[name]
    tree = {**HEADER, "graph": encode_graph(around(example(kind, integer=True))), "golden": {}}
    edit(tree)
    with pytest.raises(error, match=message) as caught:
        load(tmp_path, tree)
    assert str(tmp_path) in str(caught.value)


def test_golden_tokens_outside_the_table_are_refused():
    graph = Graph(
        {
            "token": Input(channels=1, out=Fixed(4)),
            "row": Embedding(table=Quantized(np.array([[1], [2], [3]]), 0, 8), out=Fixed(8)),
            "out": Output(channels=1, out=Fixed(8)),
        },
        (("token", "row"), ("row", "out")),
    )
    tokens = {"token": np.array([[[0], [2]]])}
    golden = store.Golden.from_trace(tokens, run(graph, tokens, "reference"))
    check_golden(golden, graph, "golden 0")
    for wrong in (-1, 3):
        bad = replace(golden, inputs={"token": np.array([[0], [wrong]])})
        with pytest.raises(RangeError, match=r"node 'token': expected 0 to 2 \(3 tokens\)"):
            check_golden(bad, graph, "golden 0")


def test_a_cycle_is_named(tmp_path):
    graph = around(example("Affine", integer=True))
    tree = {**HEADER, "graph": dict(encode_graph(graph)), "golden": {}}
    square = {**encode_graph(around(example("Sum", integer=True)))["nodes"]["layer.0"], "index": 1}
    tree["graph"]["nodes"] = {
        **encode_graph(around(example("Sum", integer=True)))["nodes"],
        "layer.0": square,
    }
    names = sorted(tree["graph"]["nodes"])
    for index, name in enumerate(names):
        tree["graph"]["nodes"][name]["index"] = index
    place = {name: index for index, name in enumerate(names)}
    pairs = [("a", "layer.0"), ("layer.0", "layer.0"), ("b", "layer.0"), ("layer.0", "out")]
    tree["graph"]["edges"] = np.array([(place[a], place[b]) for a, b in pairs], I1)
    with pytest.raises(
        GraphError, match=r"cycle .*expected a node in it that sends before anything arrives"
    ):
        load(tmp_path, tree)


TRACE = Trace("float", {"x": np.zeros((2, 3, 4))}, 2, 3, {"x.v": np.zeros((2, 4))})
TRACE_EDITS: dict[str, tuple[Callable[[Tree], None], str]] = {
    "lengths beyond its steps": (
        put("lengths", np.array([1, 9], np.int8)),
        "expected 2 integers from 1 to",
    ),
    "a length too few": (put("lengths", np.array([1], np.int8)), "expected 2 integers from 1 to 3"),
    "lengths that are none": (put("lengths", np.array([1.0, 2.0])), "lengths: expected integers"),
    "no engine": (drop("engine"), "trace engine: expected a string, got none"),
    "other steps": (put("steps", 9), r"trace of 'x': expected \(2, 9, C\), got shape \(2, 3, 4\)"),
    "two axes": (put("nodes", "x", "values", np.zeros((2, 3))), "expected three axes, got 2"),
    "state is text": (put("states", "x.v", "much"), "state 'x.v': expected an array, got a string"),
    "half a counter": (
        put("nodes", "x", "counts", {"syn_ops": 1}),
        "expected an integer, got none",
    ),
    "unknown": (
        put("nodes", "x", "energy", 1.0),
        "only entries that FORMAT.md names, got 'energy'",
    ),
}


@pytest.mark.parametrize("name", TRACE_EDITS)
def test_a_wrong_trace_is_refused_by_name(tmp_path, name):
    edit, message = TRACE_EDITS[name]
    trace = encode_trace(TRACE)
    edit(trace)
    write_tree(tmp_path / "trace.nssm", {**HEADER, "schema": "neurossm.trace", "trace": trace})
    with pytest.raises(NeurossmError, match=message) as caught:
        store.load_trace(tmp_path / "trace.nssm")
    assert str(tmp_path) in str(caught.value)
