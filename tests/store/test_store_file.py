"""The file around the graph: its hash, its header, that it is written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import struct
from dataclasses import fields
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile.examples import golden_of, integer_graph

from neurossm import store
from neurossm.errors import FormatError, GraphError, InputError
from neurossm.graph import Graph
from neurossm.nodes import NODE_TYPES, Input, Output
from neurossm.store import tree
from neurossm.trace import Trace


@pytest.fixture
def path(tmp_path) -> Path:
    path = tmp_path / "graph.nssm"
    store.save(path, integer_graph(), golden_of(integer_graph()))
    return path


def hash_from_the_specification(item: h5py.Group | h5py.Dataset) -> bytes:
    """Written from FORMAT.md "The hash" alone, with h5py's high-level interface."""
    if isinstance(item, h5py.Dataset):
        kind = {"|i1": "i1", "<i2": "i2", "<i4": "i4", "<i8": "i8", "<f8": "f8"}[item.dtype.str]
        shape = ",".join(str(n) for n in item.shape)
        return hashlib.sha256(f"array\n{kind}\n{shape}\n".encode() + item[()].tobytes()).digest()
    entries = {name: hash_from_the_specification(member) for name, member in item.items()}
    for name, value in item.attrs.items():
        if item.name == "/neurossm" and name == "sha256":
            continue
        if isinstance(value, (bytes, str)):
            text = value if isinstance(value, bytes) else value.encode()
            entries[name] = hashlib.sha256(b"string\n" + text).digest()
        elif isinstance(value, np.integer):
            entries[name] = hashlib.sha256(f"int\n{value}".encode()).digest()
        else:
            entries[name] = hashlib.sha256(b"float\n" + struct.pack("<d", value)).digest()
    names = sorted(entries, key=str.encode)
    parts = [struct.pack("<I", len(n.encode())) + n.encode() + entries[n] for n in names]
    return hashlib.sha256(b"group\n" + b"".join(parts)).digest()


def test_the_hash_is_the_one_that_the_specification_defines(path):
    with h5py.File(path) as file:
        root = file["neurossm"]
        assert root.attrs["sha256"].decode() == hash_from_the_specification(root).hex()
        assert (
            store.graph_digest(integer_graph()) == hash_from_the_specification(root["graph"]).hex()
        )
    assert re.fullmatch("[0-9a-f]{64}", store.describe(path).sha256)


def test_the_hash_of_a_small_graph_is_this_one():
    # pins the format: it changes only with the schema version
    graph = Graph(
        {"x": Input(channels=2, out=integer_graph().nodes["pixel"].out), "y": Output(channels=2)},
        (("x", "y"),),
        dt=1e-3,
    )
    assert store.graph_digest(graph) == (
        "02f8a65708bbeca1a9f7d6d47c0092a6ab7c6a78f8fcdea0004a7c7f8c8a853d"
    )


def test_equal_graphs_have_equal_hashes_and_unequal_ones_have_not(tmp_path, path):
    graph = integer_graph()
    assert store.graph_digest(graph) == store.graph_digest(store.load(path))
    digests = {
        store.graph_digest(graph),
        store.graph_digest(Graph(graph.nodes, graph.edges, 2e-3, graph.meta)),
        store.graph_digest(Graph(graph.nodes, graph.edges, graph.dt, {"recipe": "Test"})),
        store.graph_digest(
            Graph(dict(reversed(graph.nodes.items())), graph.edges, graph.dt, graph.meta)
        ),
    }
    assert len(digests) == 4
    store.save(tmp_path / "again.nssm", graph, golden_of(graph))
    assert store.describe(tmp_path / "again.nssm").sha256 == store.describe(path).sha256


def test_describe_tells_graphs_from_traces(tmp_path, path):
    assert store.describe(path).kind == "graph"
    trace = Trace("float", {"x": np.zeros((1, 1, 1))}, 1, 1)
    store.save_trace(tmp_path / "trace.nssm", trace)
    found = store.describe(str(tmp_path / "trace.nssm"))
    assert (found.kind, found.schema_version) == ("trace", 1)
    assert found.producer.startswith("neurossm ")
    with pytest.raises(FormatError, match="expected a graph file, got a trace file"):
        store.load(tmp_path / "trace.nssm")
    with pytest.raises(FormatError, match="expected a trace file, got a graph file"):
        store.load_trace(path)


def test_saving_over_a_file_replaces_it(path):
    graph = Graph(integer_graph().nodes, integer_graph().edges, 5e-3)
    store.save(path, graph)
    assert store.load(path) == graph
    assert store.load_golden(path, graph) == ()


def test_a_save_that_fails_leaves_the_old_file_and_no_other(path):
    before = path.read_bytes()

    def fail(unfinished: Path) -> None:
        unfinished.write_bytes(b"half")
        raise GraphError("NIR", got="a reason")

    with pytest.raises(GraphError, match="a reason"):
        store.save(path, integer_graph(), before=fail)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def test_what_is_written_before_stays_beside_the_graph(tmp_path):
    def write_first(unfinished: Path) -> None:
        with h5py.File(unfinished, "w") as file:
            file["version"] = "1.0.8"
            file.create_group("node")["type"] = "NIRGraph"

    path = tmp_path / "both.nssm"
    store.save(path, integer_graph(), before=write_first)
    assert store.load(path) == integer_graph()
    with h5py.File(path) as file:
        assert sorted(file) == ["neurossm", "node", "version"]
        assert file["node/type"][()] == b"NIRGraph"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere/graph.nssm", "a file that can be written, got No such file or directory"),
        ("a\0b.nssm", "a file that can be written, got an impossible name"),
        ("x" * 300, "a file that can be written, got File name too long"),
    ],
)
def test_a_place_that_cannot_be_written_is_named(tmp_path, name, message):
    with pytest.raises(InputError, match=message) as caught:
        store.save(tmp_path / name, integer_graph())
    assert "\n" not in str(caught.value)


def test_a_directory_is_not_replaced(tmp_path):
    (tmp_path / "graph.nssm").mkdir()
    with pytest.raises(InputError, match=r"graph.nssm: .* got Is a directory"):
        store.save(tmp_path / "graph.nssm", integer_graph())
    assert [item.name for item in tmp_path.iterdir()] == ["graph.nssm"]


def test_a_new_file_has_the_permissions_of_any_new_file(path, tmp_path):
    (tmp_path / "plain").touch()
    assert os.stat(path).st_mode == os.stat(tmp_path / "plain").st_mode


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ({"a": [1]}, r"graph.meta 'a': expected a string or a number, got list"),
        ({"a": float("inf")}, "expected a finite number, got inf"),
        ({"a": 2**63}, "expected an integer of 64 bits"),
        ({"a": "x" * 60001}, "at most 60000 bytes without NUL, got 60001 bytes"),
        ({"a": "x\0"}, "at most 60000 bytes without NUL"),
        ({"a": "\ud800"}, "text that UTF-8 can hold"),
        ({"a/b": 1}, "a name other than '.', without '/'"),
    ],
)
def test_meta_that_a_file_cannot_hold_is_refused_when_saved(tmp_path, meta, message):
    graph = Graph(integer_graph().nodes, integer_graph().edges, 1e-3, meta)
    with pytest.raises((InputError, GraphError), match=message):
        store.save(tmp_path / "graph.nssm", graph)
    assert not list(tmp_path.iterdir())


def test_a_node_named_dot_is_refused_when_saved(tmp_path):
    graph = integer_graph()
    renamed = {("." if name == "out" else name): node for name, node in graph.nodes.items()}
    edges = tuple((a, "." if b == "out" else b) for a, b in graph.edges)
    with pytest.raises(InputError, match=r"a name other than '.'"):
        store.save(tmp_path / "graph.nssm", Graph(renamed, edges))


def test_a_trace_beyond_the_bounds_is_refused_before_it_is_written(tmp_path):
    values = {"x": np.broadcast_to(np.int64(1), (2**10, 2**10, 33))}  # 264 MiB, one number stored
    with pytest.raises(InputError, match=r"at most 268435456 bytes an array.* fewer samples"):
        store.save_trace(tmp_path / "trace.nssm", Trace("fast", values, 2**10, 2**10))


def test_more_golden_vectors_than_a_file_holds_are_refused(tmp_path):
    (vector,) = golden_of(integer_graph(), steps=1, count=1)
    with pytest.raises(GraphError, match="at most 64 golden vectors, got 65"):
        store.save(tmp_path / "graph.nssm", integer_graph(), (vector,) * 65)


def test_the_limits_in_the_specification_are_those_of_the_code():
    text = (Path(__file__).parents[2] / "FORMAT.md").read_text()
    stated = dict(re.findall(r"^\| (.+?) \| (.+?) \|$", text, re.M))
    mib = 2**20
    assert stated["an array, counted at 8 bytes an element"] == f"{tree.MAX_ARRAY_BYTES // mib} MiB"
    assert stated["all arrays together, counted so"] == f"{tree.MAX_TOTAL_BYTES // 2**30} GiB"
    assert stated["a chunk, unpacked"] == f"{tree.MAX_CHUNK_BYTES // 2**10} KiB"
    assert stated["chunks of a dataset"] == f"{tree.MAX_CHUNKS}"
    assert stated["levels of groups below `/neurossm`"] == f"{tree.MAX_DEPTH}"
    assert stated["groups and datasets"] == f"{tree.MAX_OBJECTS:,}"
    assert stated["members, or attributes, of a group"] == f"{tree.MAX_ENTRIES:,}"
    strings = f"{tree.MAX_STRING_BYTES} bytes; {tree.MAX_NAME_BYTES} bytes"
    assert stated["a string; a name"] == strings
    counts = f"{tree.MAX_NODES:,}; {tree.MAX_EDGES:,}; {tree.MAX_GOLDEN}"
    assert stated["nodes; edges; golden vectors"] == counts


def test_the_specification_names_every_node_and_every_field():
    text = (Path(__file__).parents[2] / "FORMAT.md").read_text()
    table = text.split("## The nodes")[1].split("### Meaning")[0]
    for name, cls in NODE_TYPES.items():
        rows = [row for row in table.splitlines() if row.startswith("|") and f"`{name}`" in row]
        assert rows, name
        for field in {item.name for item in fields(cls)} - {"out"}:
            assert f"`{field}`" in rows[0], f"{name}.{field}"
