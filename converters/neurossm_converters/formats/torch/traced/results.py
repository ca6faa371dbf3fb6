"""Results of the forward pass as outputs of a graph: their names, and how they are read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from torch.utils import _pytree as pytree

from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.nodes import Output
from neurossm_converters.formats.torch.traced.signals import Signal, Unfollowed
from neurossm_converters.formats.torch.traced.tables import Kept, Poisoned, Useless, Window
from neurossm_converters.formats.torch.traced.walk import Walk

EVERY_STEP = "every-step"
READOUTS = ("mean", "last", "max", "sum", EVERY_STEP)


def named(item: Any, name: str = "output") -> Iterator[tuple[str, Any]]:
    """Yield the results of forward by their names: keys, or places in a tuple."""
    if isinstance(item, Mapping):
        for key, part in item.items():
            yield from named(part, str(key) if name == "output" else f"{name}.{key}")
    elif isinstance(item, tuple | list):
        for place, part in enumerate(item):
            yield from named(part, name if len(item) == 1 else f"{name}.{place}")
    elif item is not None:
        yield name.replace("/", "."), item


def without_states(results: Any) -> tuple[Any, tuple[str, ...]]:
    """Return results without the states of cells beside them, and the paths of those cells.

    Where there are states alone, they stay: there is nothing beside which they could be left out.
    """
    leaves = pytree.tree_leaves(results)
    kept = [leaf.path for leaf in leaves if isinstance(leaf, Kept)]
    if len(kept) == sum(leaf is not None for leaf in leaves):
        return results, ()
    return _stripped(results), tuple(dict.fromkeys(kept))


def _stripped(item: Any) -> Any:
    """Return the same without states; None for what held nothing else."""
    if isinstance(item, Kept):
        return None
    if not isinstance(item, Mapping | tuple | list):
        return item
    if not any(isinstance(leaf, Kept) for leaf in pytree.tree_leaves(item)):
        return item
    if isinstance(item, Mapping):
        found = {key: _stripped(part) for key, part in item.items()}
        return {key: part for key, part in found.items() if part is not None} or None
    return [part for part in map(_stripped, item) if part is not None] or None


def add_outputs(walk: Walk, results: Any, wanted: str) -> dict[str, str]:
    """Add an `Output` for each result; return how each is read, by name."""
    found: dict[str, str] = {}
    for name, held in named(results):
        if isinstance(held, Poisoned):
            continue
        taken = name in walk.builder.nodes  # by an input
        free = walk.wiring.free(f"output.{name}") if taken else name
        try:
            found[free] = _add(walk, free, held, wanted)
        except Unfollowed as error:
            where = f"result {name!r}"
            walk.refuse(where, GraphError(where, expected=error.expected, got=error.got,
                                          remedy=error.remedy))  # fmt: skip
        except GraphError as error:  # of a state
            walk.refuse(error.where, error)
    if not found and not walk.problems:
        raise GraphError("model", expected="a result that depends on the input", got="none")
    return found


def _add(walk: Walk, name: str, held: Any, wanted: str) -> str:
    if isinstance(held, Useless | Kept | Window):
        raise held.reason
    if not isinstance(held, Signal):
        raise Unfollowed("a tensor that depends on the input", "a constant",
                         "return the outputs only; for one step of a network, step=True"
                         )  # fmt: skip
    rows, kind = held.rows, _kind(walk, held, wanted)
    steps = walk.wiring.steps
    if kind in ("mean", "sum"):
        rows = walk.wiring.summed(rows.scaled(1 / steps) if kind == "mean" else rows, f"{name}.sum")
    source = walk.wiring.node(rows, f"{name}.value")
    walk.builder.add(name, Output(channels=rows.size), source)
    return kind


def _kind(walk: Walk, held: Signal, wanted: str) -> str:
    if held.at is None:
        return wanted or EVERY_STEP
    if held.at != walk.steps - 1:
        raise Unfollowed("results of every step, or of the last", f"one of step {held.at}",
                         "return x[:, -1], or the mean, sum or maximum over time")  # fmt: skip
    return held.reduce or "last"


def needed(edges: list[tuple[str, str]], kept: set[str]) -> set[str]:
    """Return the names of what the given nodes depend on, and their own."""
    sources: dict[str, list[str]] = {}
    for source, target in edges:
        sources.setdefault(target, []).append(source)
    found, left = set(), list(kept)
    while left:
        name = left.pop()
        if name not in found:
            found.add(name)
            left += sources.get(name, [])
    return found


def pruned(graph: Graph) -> Graph:
    """Return the graph without nodes that no output depends on; inputs stay."""
    keep = needed(list(graph.edges), {*graph.outputs, *graph.inputs})
    nodes = {name: node for name, node in graph.nodes.items() if name in keep}
    edges = tuple(edge for edge in graph.edges if set(edge) <= keep)
    return Graph(nodes, edges, graph.dt, graph.meta)


def differing(left: Any, right: Any) -> str:
    """Return the first of two runs' results that differs, in words; empty where none does."""
    for (name, one), (_, other) in zip(named(left), named(right), strict=False):
        a, b = (np.asarray(v, dtype=np.float64) for v in (one, other))
        if a.shape != b.shape:
            return f"result {name!r} of shape {b.shape} instead of {a.shape}"
        if not np.allclose(a, b, rtol=1e-9, atol=1e-9 * np.abs(a).max(initial=0.0)):
            place = tuple(int(i) for i in np.unravel_index(np.abs(a - b).argmax(), a.shape))
            return f"result {name!r} with {b[place]:.9g} instead of {a[place]:.9g} at {place}"
    return ""
