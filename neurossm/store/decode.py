"""From trees to graphs, golden vectors and traces; every field is asked for by its annotation."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from dataclasses import fields
from types import NoneType, UnionType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, GraphError, InputError, RangeError, nearest
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Edge, Graph
from neurossm.nodes import NODE_TYPES, Array, Node
from neurossm.store.entries import Entries, kind_of, of_kind
from neurossm.store.golden import Golden
from neurossm.store.sparse import STARTS, Room
from neurossm.store.tree import MAX_EDGES, MAX_GOLDEN, MAX_NODES, Value, shown
from neurossm.trace import Counts, Trace

T = TypeVar("T")


def decode_graph(value: Value, file: str) -> Graph:
    """Return the graph of a tree.

    Parameters
    ----------
    value
        The group ``graph``.
    file
        The file, for messages.

    Raises
    ------
    FormatError
        If an entry is missing, unknown or of the wrong type or shape.
    GraphError, RangeError
        If a node or the graph does not hold together; the message names file and node.
    """
    entries = Entries(value, f"{file}: graph")
    dt = entries.take("dt", float) if "dt" in entries else None
    meta = _meta(entries.group("meta"))
    named = _in_order(entries.group("nodes"), MAX_NODES)
    room = Room()
    nodes = {n: _node(item, f"{file}: node {shown(n)}", room) for n, item in named.items()}
    edges = _edges(entries.take("edges", np.ndarray), list(nodes), f"{file}: graph edges")
    entries.end()
    return _built(lambda: Graph(nodes, edges, dt, meta), file)


def decode_golden(value: Value, file: str) -> tuple[Golden, ...]:
    """Return the golden vectors of the group ``golden``, in the order of their numbers."""
    entries = Entries(value, f"{file}: golden")
    count = len(typing.cast("Mapping[str, Value]", value))
    if count > MAX_GOLDEN:
        raise FormatError(entries.where, expected=f"at most {MAX_GOLDEN}", got=str(count))
    vectors = []
    for index in range(count):
        vector = entries.group(str(index))
        parts = [_integer_arrays(vector.group(part)) for part in ("inputs", "values", "states")]
        vector.end()
        vectors.append(Golden(*parts))
    entries.end()
    return tuple(vectors)


def decode_trace(entries: Entries) -> Trace:
    """Return the trace whose entries these are."""
    engine = entries.take("engine", str)
    samples, steps = entries.take("samples", int), entries.take("steps", int)
    lengths = None
    if "lengths" in entries:
        lengths = _integers(entries.take("lengths", np.ndarray), f"{entries.where} lengths")
    values, counts = {}, {}
    for name, node in _in_order(entries.group("nodes"), MAX_NODES).items():
        if "values" in node:
            values[name] = _widened(node.take("values", np.ndarray))
            if values[name].ndim != 3:
                raise FormatError(node.where, expected="three axes", got=str(values[name].ndim))
        if "counts" in node:
            group = node.group("counts")
            counts[name] = Counts(**{f.name: group.take(f.name, int) for f in fields(Counts)})
            group.end()
        node.end()
    states = {
        name: _widened(of_kind(state, np.ndarray, f"{entries.where} state {shown(name)}"))
        for name, state in entries.group("states").rest().items()
    }
    entries.end()
    return _built(
        lambda: Trace(engine, values, samples, steps, states, counts, lengths=lengths),
        entries.where,
    )


def _node(entries: Entries, where: str, room: Room) -> Node:
    name = entries.take("type", str)
    if name not in NODE_TYPES:
        raise FormatError(
            where,
            expected=f"a type of node: {', '.join(NODE_TYPES)}",
            got=shown(name),
            remedy=nearest(name, NODE_TYPES, "a newer release may know it"),
        )
    cls = NODE_TYPES[name]
    where = f"{where} ({name})"
    entries.where = where
    hints = typing.get_type_hints(cls)
    sparse = [name for name in cls.roles if entries.is_group(name, STARTS)]
    values = {i.name: _field(entries, i.name, hints[i.name], room) for i in fields(cls)}
    entries.end()
    node = _built(lambda: cls(**values), where)
    if sorted(node.sparse_fields) != sorted(sparse):
        expected = "by their numbers that are not 0" if node.sparse_fields else "as whole arrays"
        raise FormatError(where, expected=f"its parameters {expected}", got="other groups")
    return node


def _field(entries: Entries, name: str, hint: object, room: Room) -> Any:
    options = {_kind(option) for option in _options(hint)}
    if name not in entries and NoneType in options:
        return None
    if bool in options:
        return name in entries and _true(entries, name)
    if Fixed in options:
        return _fixed(entries.group(name))
    if Quantized in options and entries.is_group(name):
        return _quantized(entries.group(name), room)
    kind = (options - {NoneType, Quantized}).pop()
    value: object = entries.take(name, typing.cast("type[object]", kind))
    if isinstance(value, np.ndarray):
        whole = bool({np.dtype[np.int64], np.int64} & set(typing.get_args(hint)))
        if value.dtype.kind not in ("iu" if whole else "f"):
            expected = "integers" if whole else "floats"
            raise FormatError(f"{entries.where} {name}", expected=expected, got=str(value.dtype))
    return value


def _kind(option: object) -> object:
    """Return the class of a type; `NDArray` is an alias with a value of its own since numpy 2.5."""
    origin = typing.get_origin(option)
    return typing.get_origin(getattr(origin, "__value__", None)) or origin or option


def _options(hint: object) -> tuple[object, ...]:
    union = isinstance(hint, UnionType) or typing.get_origin(hint) is typing.Union
    return typing.get_args(hint) if union else (hint,)


def _fixed(entries: Entries) -> Fixed:
    bits, frac = entries.take("bits", int), entries.take("frac", int)
    kind: Any = entries.take("kind", str)  # checked by Fixed
    entries.end()
    return _built(lambda: Fixed(bits, frac, kind), entries.where)


def _true(entries: Entries, name: str) -> bool:
    value = entries.take(name, int)
    if value != 1:
        raise FormatError(f"{entries.where} {name}", expected="1, or no entry", got=str(value))
    return True


def _quantized(entries: Entries, room: Room) -> Array:
    """Return an integer parameter; a sparse one of real numbers is a group too."""
    sparse = STARTS in entries
    stored = room.decode(entries) if sparse else entries.take("values", np.ndarray)
    if sparse and "bits" not in entries:
        entries.end()
        if stored.dtype.kind != "f":
            raise FormatError(f"{entries.where} values", expected="floats", got=str(stored.dtype))
        return stored
    values, bits = _integers(stored, entries.where), entries.take("bits", int)
    frac: int | NDArray[np.int64]
    if entries.is_array("frac"):
        frac = _integers(entries.take("frac", np.ndarray), entries.where)
        if frac.ndim != 1:
            raise FormatError(f"{entries.where} frac", expected="one axis", got=str(frac.ndim))
    else:
        frac = entries.take("frac", int)
    entries.end()
    return _built(lambda: Quantized(values, frac, bits), entries.where)


def _meta(entries: Entries) -> dict[str, str | int | float]:
    meta: dict[str, str | int | float] = {}
    for name, value in entries.rest().items():
        if not isinstance(value, (str, int, float)):
            raise FormatError(
                f"{entries.where} {shown(name)}", expected="a string or number", got=kind_of(value)
            )
        meta[name] = value
    return meta


def _in_order(entries: Entries, limit: int) -> dict[str, Entries]:
    where = entries.where
    groups = {n: Entries(v, f"{where} {shown(n)}") for n, v in entries.rest().items()}
    if len(groups) > limit:
        raise FormatError(where, expected=f"at most {limit}", got=str(len(groups)))
    places = {name: group.take("index", int) for name, group in groups.items()}
    for expected, (name, place) in enumerate(sorted(places.items(), key=lambda item: item[1])):
        if place != expected:
            raise FormatError(groups[name].where, expected=f"index {expected}", got=str(place))
    return {name: groups[name] for name in sorted(places, key=places.__getitem__)}


def _edges(pairs: NDArray[np.generic], names: list[str], where: str) -> tuple[Edge, ...]:
    places = _integers(pairs, where)
    if places.ndim != 2 or places.shape[1] != 2 or len(places) > MAX_EDGES:
        raise FormatError(
            where, expected=f"shape (edges, 2), at most {MAX_EDGES} edges", got=str(places.shape)
        )
    outside = places[(places < 0) | (places >= len(names))]
    if outside.size:
        raise FormatError(
            where, expected=f"indices of nodes, 0 to {len(names) - 1}", got=str(outside[0])
        )
    return tuple((names[a], names[b]) for a, b in places.tolist())


def _integer_arrays(entries: Entries) -> dict[str, NDArray[np.int64]]:
    where = entries.where
    return {
        name: _integers(of_kind(value, np.ndarray, f"{where} {shown(name)}"), where)
        for name, value in entries.rest().items()
    }


def _integers(array: NDArray[np.generic], where: str) -> NDArray[np.int64]:
    if array.dtype.kind != "i":
        raise FormatError(where, expected="integers", got=str(array.dtype))
    return array.astype(np.int64)


def _widened(array: NDArray[np.generic]) -> NDArray[np.generic]:
    return array.astype(np.int64) if array.dtype.kind == "i" else array


def _built(build: Callable[[], T], where: str) -> T:
    """Return what `build` builds; its errors say where."""
    try:
        return build()
    except (GraphError, RangeError, InputError) as error:
        raise error.inside(f"{where}: ") from None
