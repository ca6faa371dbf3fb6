"""Saves and loads graphs, golden vectors and traces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neurossm.arguments import file_path, instance
from neurossm.environment import version
from neurossm.errors import FormatError, InputError
from neurossm.graph import Graph
from neurossm.store.decode import decode_golden, decode_graph, decode_trace
from neurossm.store.encode import (
    GRAPH_SCHEMA,
    SCHEMA_VERSION,
    TRACE_SCHEMA,
    encode_golden,
    encode_graph,
    encode_trace,
)
from neurossm.store.entries import Entries
from neurossm.store.golden import Golden, check_golden
from neurossm.store.opening import open_root
from neurossm.store.read import TreeReader
from neurossm.store.tree import Scalar, Tree, Value, digest, plain, shown
from neurossm.store.write import write_tree
from neurossm.trace import Trace

StrPath = str | Path
KINDS: dict[str, Literal["graph", "trace"]] = {GRAPH_SCHEMA: "graph", TRACE_SCHEMA: "trace"}
HEADER: dict[str, type[Scalar]] = {"schema": str, "schema_version": int, "producer": str}


@dataclass(frozen=True)
class Description:
    """What a file says of itself, not yet checked against its contents.

    Attributes
    ----------
    kind
        ``graph`` or ``trace``.
    schema_version
        Version of the format.
    producer
        Program and version that wrote it.
    sha256
        The hash it claims.
    """

    kind: Literal["graph", "trace"]
    schema_version: int
    producer: str
    sha256: str


def save(
    path: StrPath,
    graph: Graph,
    golden: tuple[Golden, ...] = (),
    *,
    before: Callable[[Path], None] | None = None,
) -> None:
    """Write a graph, and golden vectors of it, to a file; replaces an existing one in one step.

    Parameters
    ----------
    path
        The file, usually ``*.nssm``.
    graph
        Float or integer.
    golden
        At most 64; for an integer graph only.
    before
        Called first with the path of the unfinished file, to write a NIR graph into it.

    Raises
    ------
    InputError
        If the file cannot be written or a value is beyond the bounds of FORMAT.md.
    GraphError, FormatError, RangeError
        If the graph cannot be stored or a golden vector is not one of this graph.

    Examples
    --------
    >>> neurossm.save("copy.nssm", neurossm.load("m.int.nssm"))
    """
    instance("graph", graph, Graph)
    for index, vector in enumerate(golden):
        instance(f"golden vector {index}", vector, Golden)
        check_golden(vector, graph, f"golden vector {index}")
    parts: Tree = {"graph": encode_graph(graph), "golden": encode_golden(golden)}
    tree = {**_header(GRAPH_SCHEMA), **parts}
    write_tree(file_path("path", path), tree, before)


def load(path: StrPath) -> Graph:
    """Return the graph of a file, after checking all of it.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read.
    FormatError
        If it is not a whole, unaltered file of this format and version.
    GraphError, RangeError
        If the graph it holds is not well formed.

    Examples
    --------
    >>> neurossm.load("m.int.nssm").is_integer
    True
    """
    return decode_graph(_contents(path, "graph")["graph"], str(path))


def load_golden(path: StrPath, graph: Graph) -> tuple[Golden, ...]:
    """Return the golden vectors of a file.

    Parameters
    ----------
    path
        The file.
    graph
        The graph that was loaded from it.

    Raises
    ------
    InputError
        If the file holds another graph: its vectors say nothing about this one.
    FormatError, GraphError, RangeError
        As `load`; and if a vector does not fit the graph.
    """
    contents = _contents(path, "graph")
    if digest(contents["graph"]).hex() != graph_digest(graph):
        raise InputError(str(path), expected="golden vectors of this graph", got="those of another")
    golden = decode_golden(contents["golden"], str(path))
    instance("graph", graph, Graph)
    for index, vector in enumerate(golden):
        instance(f"golden vector {index}", vector, Golden)
        check_golden(vector, graph, f"{path}: golden vector {index}")
    return golden


def graph_digest(graph: Graph) -> str:
    """Return the hash of a graph, 64 hexadecimal digits: that of the group ``graph`` of its file.

    Equal for equal graphs with nodes and edges in the same order, whenever and wherever computed.
    """
    return digest(encode_graph(graph)).hex()


def save_trace(path: StrPath, trace: Trace) -> None:
    """Write a trace, integer or float, to a file; raises as `save`."""
    write_tree(Path(path), {**_header(TRACE_SCHEMA), "trace": encode_trace(trace)})


def load_trace(path: StrPath) -> Trace:
    """Return the trace of a file, integers as int64; raises as `load`."""
    return decode_trace(Entries(_contents(path, "trace")["trace"], f"{path}: trace"))


def describe(path: StrPath) -> Description:
    """Return what kind of file it is, from its header alone; raises as `load`."""
    path = Path(path)
    with open_root(path) as root:
        attributes = TreeReader(path).attributes(root, "/neurossm")
    return _checked_header(attributes, str(path))


def _header(schema: str) -> dict[str, Value]:
    producer = f"neurossm {version('neurossm')}"
    return {"schema": schema, "schema_version": SCHEMA_VERSION, "producer": producer}


def _contents(path: StrPath, kind: Literal["graph", "trace"]) -> dict[str, Value]:
    """Return the checked tree below ``/neurossm`` of a file of this kind."""
    path = file_path("path", path)
    with open_root(path) as root:
        reader = TreeReader(path)
        header = _checked_header(reader.attributes(root, "/neurossm"), str(path))
        if header.kind != kind:
            remedy = "'neurossm diff' compares two traces" if kind == "graph" else ""
            raise FormatError(str(path), expected=f"a {kind} file", got=f"a {header.kind} file",
                              remedy=remedy)  # fmt: skip
        tree = reader.tree(root, "/neurossm")
    del tree["sha256"]
    found = digest(tree).hex()
    if found != header.sha256:
        raise FormatError(
            str(path),
            expected=f"contents with the hash {plain(header.sha256)}",
            got=found,
            remedy="the file was altered or damaged; export it again, or fetch a whole copy",
        )
    entries = Entries(tree, f"{path}: /neurossm")
    for name, value in HEADER.items():
        entries.take(name, value)
    parts = ("graph", "golden") if kind == "graph" else ("trace",)
    contents: dict[str, Value] = {part: entries.take(part, dict) for part in parts}
    entries.end()
    return contents


def _checked_header(attributes: dict[str, Scalar], file: str) -> Description:
    entries = Entries(attributes, f"{file}: /neurossm")
    schema, version = entries.take("schema", str), entries.take("schema_version", int)
    if schema not in KINDS:
        raise FormatError(f"{file}: schema", expected=" | ".join(KINDS), got=shown(schema))
    if version != SCHEMA_VERSION:
        newer = version > SCHEMA_VERSION
        raise FormatError(
            f"{file}: schema version",
            expected=f"{SCHEMA_VERSION}",
            got=str(version),
            remedy="it was written by a newer release: upgrade neurossm"
            if newer
            else "no such version was released",
        )
    producer, sha256 = entries.take("producer", str), entries.take("sha256", str)
    return Description(KINDS[schema], version, producer, sha256)
