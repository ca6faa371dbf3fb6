"""From graphs, golden vectors and traces to trees; generic over the fields of the nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import Array, Node
from neurossm.store.golden import Golden
from neurossm.store.sparse import encode_sparse
from neurossm.store.tree import MAX_EDGES, MAX_GOLDEN, MAX_NODES, Tree, Value, smallest_integers
from neurossm.trace import Trace

GRAPH_SCHEMA = "neurossm.graph"
TRACE_SCHEMA = "neurossm.trace"
SCHEMA_VERSION = 1


def encode_graph(graph: Graph) -> Tree:
    """Return a graph as a tree: nodes with their place in the order, edges as pairs of places.

    Raises
    ------
    GraphError
        If it is larger than a file may hold, or a value of ``meta`` is not a string or number.
    """
    _check_count("graph", "nodes", len(graph.nodes), MAX_NODES)
    _check_count("graph", "edges", len(graph.edges), MAX_EDGES)
    place = {name: index for index, name in enumerate(graph.nodes)}
    edges = np.array([(place[a], place[b]) for a, b in graph.edges], dtype=np.int64)
    return {
        **({} if graph.dt is None else {"dt": float(graph.dt)}),
        "meta": {str(key): _meta(key, value) for key, value in graph.meta.items()},
        "edges": smallest_integers(edges.reshape(-1, 2)),
        "nodes": {
            name: {"index": index, **encode_node(node)}
            for index, (name, node) in enumerate(graph.nodes.items())
        },
    }


def encode_node(node: Node) -> dict[str, Value]:
    """Return a node as its type and its fields; a field that is None or False is left out."""
    values = {item.name: getattr(node, item.name) for item in fields(node)}
    encoded = {
        name: _sparse(value) if name in node.sparse_fields else _field(value)
        for name, value in values.items()
        if value is not None and value is not False
    }
    return {"type": type(node).__name__, **encoded}


def _sparse(value: Array) -> Value:
    parts = encode_sparse(value)
    arrays = {
        name: _array(part, "parameter") if isinstance(part, np.ndarray) else part
        for name, part in parts.items()
    }
    return {**_format(value), **arrays} if isinstance(value, Quantized) else arrays


def encode_golden(golden: tuple[Golden, ...]) -> Tree:
    """Return golden vectors by number, each as three groups of integer arrays."""
    _check_count("graph", "golden vectors", len(golden), MAX_GOLDEN)
    return {
        str(index): {
            "inputs": _arrays(vector.inputs),
            "values": _arrays(vector.values),
            "states": _arrays(vector.states),
        }
        for index, vector in enumerate(golden)
    }


def encode_trace(trace: Trace) -> Tree:
    """Return a trace as a tree: for each node its values and its counters."""
    names = list(dict.fromkeys([*trace.values, *trace.counts]))
    _check_count("trace", "nodes", len(names), MAX_NODES)
    nodes: dict[str, Value] = {}
    for index, name in enumerate(names):
        entry: dict[str, Value] = {"index": index}
        if name in trace.values:
            entry["values"] = _array(trace.values[name], f"trace of {name!r}")
        if name in trace.counts:
            entry["counts"] = {key: int(n) for key, n in asdict(trace.counts[name]).items()}
        nodes[name] = entry
    return {
        "engine": trace.engine,
        "samples": int(trace.samples),
        "steps": int(trace.steps),
        **({} if trace.lengths is None else {"lengths": smallest_integers(trace.lengths)}),
        "nodes": nodes,
        "states": _arrays(trace.states),
    }


def _check_count(where: str, what: str, count: int, limit: int) -> None:
    if count > limit:
        raise GraphError(where, expected=f"at most {limit} {what}", got=str(count))


def _field(value: object) -> Value:
    if isinstance(value, Quantized):
        return {"values": smallest_integers(value.values), **_format(value)}
    if isinstance(value, Fixed):
        return {"bits": int(value.bits), "frac": int(value.frac), "kind": value.kind}
    if isinstance(value, np.ndarray):
        return _array(value, "parameter")
    if isinstance(value, str):
        return value
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(value)
    raise TypeError(f"a node holds a {type(value).__name__}, which FORMAT.md does not know")


def _format(value: Quantized) -> dict[str, Value]:
    frac = value.frac if isinstance(value.frac, int) else smallest_integers(value.frac)
    return {"frac": frac, "bits": int(value.bits)}


def _meta(key: str, value: object) -> Value:
    if isinstance(value, (str, int, float, np.integer, np.floating)):
        return _field(value)
    raise GraphError(
        f"graph.meta {key!r}", expected="a string or a number", got=type(value).__name__
    )


def _arrays(arrays: Mapping[str, NDArray[np.generic]]) -> Tree:
    return {name: _array(array, f"state {name!r}") for name, array in arrays.items()}


def _array(array: NDArray[np.generic], where: str) -> NDArray[np.generic]:
    if np.issubdtype(array.dtype, np.integer):
        return smallest_integers(array)  # type: ignore[arg-type]
    if array.dtype == np.bool_:
        return array.astype("<i1")
    if np.issubdtype(array.dtype, np.floating) and array.dtype.itemsize <= 8:
        return array.astype("<f8")
    raise InputError(where, expected="integers or floats of 64 bits", got=str(array.dtype))
