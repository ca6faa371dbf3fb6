"""Every node type in a file: it comes back as it was, FORMAT.md names it, and damage is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from conformance.cells import FORMAT, REFUSED, cell, each_type, refused
from conformance.test_execution import golden_file, reference
from independent import interpreter
from node_examples import NODE, Example, examples

from neurossm import contract
from neurossm.engine import run
from neurossm.errors import NeurossmError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.store import Golden, graph_digest, load, load_golden, save
from neurossm.store.write import write_tree

Tree = dict[str, Any]


@each_type
def test_graphs_and_golden_vectors_come_back(kind, tmp_path):
    with cell("file", kind):
        for example in examples(kind):
            path = golden_file(example, tmp_path)
            graph, trace = load(path), reference(example)
            assert same_graph(graph, example.integers), example.label
            assert graph_digest(graph) == graph_digest(example.integers)
            expected = tuple(Golden.from_trace(example.inputs, trace, n) for n in range(3))
            assert load_golden(path, graph) == expected, example.label
            save(path, example.graph)
            assert same_graph(load(path), example.graph), example.label
            assert graph_digest(example.graph) != graph_digest(example.integers)


def same_graph(found: Graph, expected: Graph) -> bool:
    """Tell whether nodes, their order, edges, time step and meta are the same."""
    return (list(found.nodes.items()), found.edges, found.dt, dict(found.meta)) == (
        list(expected.nodes.items()), expected.edges, expected.dt, dict(expected.meta)
    )  # fmt: skip


@each_type
def test_one_changed_number_changes_the_hash(kind, tmp_path):
    with cell("hash", kind):
        for graph in (examples(kind)[0].graph, examples(kind)[0].integers):
            if NODE not in graph.nodes:
                continue
            save(tmp_path / "a.nssm", graph)
            before = tree_of(tmp_path / "a.nssm")
            assert interpreter.digest(before["graph"]).hex() == graph_digest(graph)
            for place in numbers(node_of(before)):
                after = deepcopy(before)
                bump(node_of(after), place)
                assert interpreter.digest(after) != interpreter.digest(before), place


# -- FORMAT.md ------------------------------------------------------------------------------------


@each_type
def test_the_format_names_every_field(kind, tmp_path):
    with cell("documented", kind):
        lines = FORMAT.splitlines()
        row = next((line for line in lines if re.match(rf"\| .*`{kind}`.* \| ", line)), "")
        assert row, f"FORMAT.md has no row of `{kind}`"
        named = set(re.findall(r"`(\w+)`", row.split("|")[2])) - {
            "zoh", "bilinear", "f8", "hard", "soft", "none", "relu", "before", "after", "real",
            "complex",
        }  # fmt: skip
        made = examples(kind)
        for graphs in ([one.graph for one in made], [one.integers for one in made]):
            written: set[str] = set()  # a field may be absent from some examples, not from all
            for graph in graphs:
                if NODE in graph.nodes:
                    save(tmp_path / "a.nssm", graph)
                    found = set(node_of(tree_of(tmp_path / "a.nssm"))) - {"type", "index", "out"}
                    assert named - {"sparse"} <= found <= named
                    written |= found
            assert written in (named, set())
        equation = re.search(rf"^{kind} +\S", FORMAT, re.MULTILINE)
        assert bool(equation) is (("integers", kind) not in REFUSED)


# -- spoiled --------------------------------------------------------------------------------------

NOT_A_FIELD: tuple[object, ...] = ("text", None, object(), [], {}, 1j, np.array(["a"]), b"x")


@each_type
def test_a_field_of_a_wrong_type_is_refused_by_name(kind):
    with cell("wrong types", kind):
        for node in (examples(kind)[0].node, examples(kind)[0].integers.nodes.get(NODE)):
            for item in fields(node) if node else ():
                for wrong in NOT_A_FIELD:
                    if wrong is None and item.name == "out":
                        continue  # a float node has none
                    if isinstance(wrong, str) and item.name == "function":
                        continue  # any text
                    if isinstance(wrong, str | bytes) and isinstance(getattr(node, item.name), str):
                        wrong = 3
                    error = refused(
                        lambda node=node, item=item, wrong=wrong: replace(
                            node, **{item.name: wrong}
                        )
                    )
                    assert error, f"{kind}.{item.name} takes {wrong!r}"
                    assert kind in str(error) and item.name in str(error), str(error)


@each_type
def test_arrays_of_other_shapes_are_refused_by_name(kind):
    with cell("wrong axes", kind):
        for example in examples(kind)[:3]:
            for graph in (example.graph, example.integers):
                node = graph.nodes.get(NODE)
                for name in node.shapes if node else ():
                    array = getattr(node, name)
                    for wrong in other_shapes(array):

                        def build(name=name, wrong=wrong, graph=graph, node=node):
                            graph.with_nodes({NODE: replace(node, **{name: wrong})})

                        error = refused(build)
                        free = kind == "Embedding" and wrong.shape[1:] == array.shape[1:]
                        assert error or (free and wrong.shape[0]), f"{name} of {wrong.shape}"
                        assert not error or kind in str(error) or NODE in str(error), str(error)


def other_shapes(array: Any) -> Iterator[Any]:
    """Yield the same numbers with an axis more, one longer, an axis less, none at all."""
    values = array.values if isinstance(array, Quantized) else np.asarray(array)
    changed = [values[None], np.concatenate([values, values[-1:]]), values.ravel()[0], values[:0]]
    for wrong in [*changed, *([values[0]] if values.ndim > 1 else [])]:
        if isinstance(array, Quantized):
            yield Quantized(wrong, int(np.max(array.frac)), array.bits)
        else:
            yield wrong


@each_type
def test_numbers_that_are_none_are_refused_by_name(kind):
    with cell("nan", kind):
        node = examples(kind)[0].node
        for name in node.shapes:
            for wrong in (np.nan, np.inf, -np.inf):
                array = np.array(getattr(node, name))
                array.ravel()[-1] = wrong
                error = refused(lambda name=name, array=array: replace(node, **{name: array}))
                assert error and f"{kind}.{name}" in str(error), f"{name} takes {wrong}"


@each_type
def test_a_changed_exponent_or_width_is_refused_or_runs_alike_everywhere(kind):
    """An exponent that is free makes another graph, whose integers all agree on."""
    with cell("wrong exponents", kind):
        tried = broken = 0
        for example in examples(kind)[:2]:
            node = example.integers.nodes.get(NODE)
            for name in (*node.shapes, "out") if node else ():
                for wrong in other_formats(getattr(node, name)):
                    tried += 1
                    broken += spoiled(example, {name: wrong})
        # what an Input sends, and a Sum or Product, may have any format
        assert broken >= 2 or kind in ("BatchNorm", "Input", "Sum", "Product"), (
            f"{broken} of {tried} are refused: write {kind}.check, or name it with those whose"
            " formats are free"
        )


def other_formats(value: Any) -> Iterator[Any]:
    """Yield the same integers with other exponents and widths, as far as such formats exist."""
    for more in (-3, 1, 40):
        for bits in (0, 9):
            try:
                if isinstance(value, Quantized):
                    yield Quantized(value.values, np.asarray(value.frac) + more, value.bits + bits)
                elif isinstance(value, Fixed) and not value.is_spike:
                    yield Fixed(min(value.bits + bits, 24), value.frac + more)
            except NeurossmError:
                continue
    if isinstance(value, Quantized) and not np.ndim(value.frac):
        yield Quantized(value.values, np.arange(len(value.values)), value.bits)


def spoiled(example: Example, changes: dict[str, Any]) -> bool:
    """Tell whether a changed graph is refused; if not, all executors must agree on it."""
    graph = example.integers
    made: list[Graph] = []

    def build() -> None:
        node = replace(graph.nodes[NODE], **changes)
        made.append(graph.with_nodes({NODE: node}))
        # what follows takes the format over, so that it is the node alone that may be wrong
        outs = {n: replace(graph.nodes[n], out=node.out) for n in graph.targets[NODE]
                if type(graph.nodes[n]).__name__ == "Output"}  # fmt: skip
        made.append(made.pop().with_nodes(outs))

    if refused(build):
        return True
    found = contract.problems(made[0])
    if found:
        assert all(problem.expected and problem.got for problem in found)
        assert refused(lambda: run(made[0], example.inputs, "fast"))
        return True
    left, right = (run(made[0], example.inputs, engine) for engine in ("reference", "fast"))
    for name, values in left.values.items():
        np.testing.assert_array_equal(values, right.values[name], err_msg=f"{changes}: {name}")
    return False


@each_type
def test_every_entry_of_a_file_is_checked(kind, tmp_path):
    """Each entry is left out, given another kind, made longer, put beyond its width."""
    with cell("spoiled files", kind):
        path = tmp_path / "a.nssm"
        for graph in (examples(kind)[0].graph, examples(kind)[0].integers):
            if NODE not in graph.nodes:
                continue
            save(path, graph)
            tree = tree_of(path)
            for change, place in edits(node_of(tree)):
                after = deepcopy(tree)
                entry = node_of(after)
                for key in place[:-1]:
                    entry = entry[key]
                if change is DROP:
                    del entry[place[-1]]
                else:
                    entry[place[-1]] = change
                write_tree(path, after)
                error = refused(lambda: contract.require(load(path)))
                assert error, f"{place} may be {change!r}"
                assert str(path) in str(error) or "node" in str(error), str(error)


DROP = object()


def edits(node: Tree, at: tuple[str, ...] = ()) -> Iterator[tuple[object, tuple[str, ...]]]:
    """Yield what to put where; every one of them is wrong."""
    optional = {("out",)} if at == () else set()
    for key, value in node.items():
        place = (*at, key)
        if place not in optional:
            yield DROP, place
        yield {"what": 1}, place
        if isinstance(value, dict):
            yield 7, place
            yield from edits(value, place)
        elif isinstance(value, np.ndarray):
            yield "text", place
            yield value[None] if value.ndim < 4 else value[0], place  # a file has four axes
            yield value[:0], place
            yield value.astype(np.float64 if value.dtype.kind == "i" else np.int64), place
            if key == "values":  # beyond its width
                yield np.full_like(value, 2 ** (node["bits"] - 1), dtype=np.int64), place
        elif isinstance(value, str):
            yield 7, place
        else:
            yield "text", place
            yield float(value) + 0.5 if isinstance(value, int) else 3, place
            if key in ("bits", "frac", "channels", "steps", "index"):
                yield -99, place
    yield 1, (*at, "unheard of")


def tree_of(path: Path) -> Tree:
    """Return what a file holds, without its hash."""
    with h5py.File(path, "r") as file:
        tree = interpreter.read_tree(file["neurossm"])
    del tree["sha256"]
    return tree


def node_of(tree: Tree) -> Tree:
    """Return the entries of the node under test."""
    found: Tree = tree["graph"]["nodes"][NODE]
    return found


def numbers(node: Tree, at: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the places of all numbers and arrays of a node."""
    for key, value in node.items():
        if isinstance(value, dict):
            yield from numbers(value, (*at, key))
        elif not isinstance(value, str):
            yield (*at, key)


def bump(node: Tree, place: tuple[str, ...]) -> None:
    """Add 1 to a number, or to the last of an array."""
    for key in place[:-1]:
        node = node[key]
    value = node[place[-1]]
    if isinstance(value, np.ndarray) and value.ndim:
        value.ravel()[-1] += 1
    else:
        node[place[-1]] = value + 1


def test_a_bare_error_fails():
    with pytest.raises(pytest.fail.Exception, match="a bare KeyError"):
        refused(lambda: {}["nothing"])
