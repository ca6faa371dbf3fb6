"""A NIR graph made flat: sub-graphs dissolved, nodes that only pass signals on removed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from neurossm.errors import GraphError, nearest
from neurossm.graph import Edge
from neurossm.nodes import Node
from neurossm_converters.formats.nir.document import MAX_NESTING, Part

JUNCTION = "junction"  # an Input or Output of a sub-graph
DELAYS = ("Delay",)
SEPARATOR = "."
MAX_EDGES = 100_000


class Net:
    """Parts by their full names, and the edges between them.

    Attributes
    ----------
    parts
        NIR nodes, and neurossm nodes where a group of them was recognized.
    graphs
        Metadata of the sub-graphs that were dissolved, by full name.
    """

    def __init__(self) -> None:
        self.parts: dict[str, Part | Node] = {}
        self.graphs: dict[str, Mapping[str, Any]] = {}
        self._out: dict[str, dict[str, None]] = {}
        self._into: dict[str, dict[str, None]] = {}
        self._count = 0

    @property
    def edges(self) -> list[Edge]:
        """All edges: by their source, in the order of the parts."""
        return [(name, target) for name in self.parts for target in self.targets(name)]

    def sources(self, name: str) -> list[str]:
        """Return what feeds a part."""
        return list(self._into.get(name, ()))

    def targets(self, name: str) -> list[str]:
        """Return what a part feeds."""
        return list(self._out.get(name, ()))

    def joins(self, source: str, target: str) -> bool:
        """Return whether there is this edge."""
        return target in self._out.get(source, ())

    def join(self, source: str, target: str) -> None:
        """Add an edge."""
        self._count += not self.joins(source, target)
        if self._count > MAX_EDGES:
            raise GraphError("NIR graph", problem=f"it has more than {MAX_EDGES} edges")
        self._out.setdefault(source, {})[target] = None
        self._into.setdefault(target, {})[source] = None

    def separate(self, source: str, target: str) -> None:
        """Take an edge out."""
        del self._out[source][target]
        del self._into[target][source]
        self._count -= 1

    def remove(self, name: str) -> None:
        """Take a part and its edges out."""
        for source in self._into.pop(name, {}):
            self._count -= self._out[source].pop(name, True) is None
        for target in self._out.pop(name, {}):
            self._count -= self._into.get(target, {}).pop(name, True) is None
        del self.parts[name]

    def kind(self, name: str) -> str:
        """Return the NIR class of a part, or that of the neurossm node it became."""
        part = self.parts[name]
        return part.kind if isinstance(part, Part) else type(part).__name__

    def where(self, name: str) -> str:
        """Return how messages call a part."""
        return f"NIR node {name!r} ({self.kind(name)[:80]})"

    def replace(
        self, group: Iterable[str], name: str, node: Node | Part, before: Iterable[str],
        after: Iterable[str],
    ) -> None:  # fmt: skip
        """Put one node, or one part, where a group of parts was."""
        for part in group:
            self.remove(part)
        if name in self.parts:
            raise GraphError(f"NIR node {name!r}", problem="the name is used twice")
        self.parts[name] = node
        for source in before:
            self.join(source, name)
        for target in after:
            self.join(name, target)


def flatten(root: Part) -> Net:
    """Return the parts of a graph and of all graphs in it.

    Raises
    ------
    GraphError
        For an edge that names no node or occurs twice, a graph without one Input and one Output
        inside another, names that collide, or nesting beyond eight.
    """
    net = Net()
    _dissolve(net, root, "", 0)
    for name in list(net.parts):
        if _passes_on(net, name):
            _bridge(net, name)
    return net


def _dissolve(net: Net, graph: Part, prefix: str, depth: int) -> None:
    if depth > MAX_NESTING:
        raise GraphError("NIR graph", problem=f"graphs are nested more than {MAX_NESTING} deep")
    _check_edges(graph, prefix)
    for name, part in graph.nodes.items():
        full = prefix + name
        if full in net.parts or full in net.graphs:
            raise GraphError(f"NIR node {full!r}", problem="the name is used twice")
        if part.kind == "NIRGraph":
            net.graphs[full] = part.metadata
            _dissolve(net, part, full + SEPARATOR, depth + 1)
        elif depth and part.kind in ("Input", "Output"):
            net.parts[full] = Part(JUNCTION, part.fields)
        else:
            net.parts[full] = part
    for source, target in graph.edges:
        start = _port(graph, source, prefix, "Output")
        end = _port(graph, target, prefix, "Input")
        net.join(start, end)


def _check_edges(graph: Part, prefix: str) -> None:
    seen: set[Edge] = set()
    for source, target in graph.edges:
        where = f"NIR edge ({prefix + source!r}, {prefix + target!r})"
        for name in (source, target):
            if name not in graph.nodes:
                remedy = nearest(prefix + name, [prefix + known for known in graph.nodes])
                raise GraphError(f"{where}: no node named {prefix + name!r}", remedy=remedy)
        if (source, target) in seen:
            raise GraphError(where, problem="the edge is listed twice")
        seen.add((source, target))


def _port(graph: Part, name: str, prefix: str, kind: str) -> str:
    """Return the part that an edge of a graph means: a node, or the end of a sub-graph."""
    part = graph.nodes[name]
    if part.kind != "NIRGraph":
        return prefix + name
    ends = [inner for inner, node in part.nodes.items() if node.kind == kind]
    if len(ends) != 1:
        raise GraphError(
            f"NIR node {prefix + name!r} (NIRGraph)",
            expected=f"one {kind}, as edges do not say which they mean",
            got=str(len(ends)),
        )
    return _port(part, ends[0], prefix + name + SEPARATOR, kind)


def _passes_on(net: Net, name: str) -> bool:
    part = net.parts[name]
    if not isinstance(part, Part):
        return False
    if part.kind in DELAYS:
        return not np.any(part.numbers("delay", net.where(name)))
    # all signals are flat here, in C order: flattening leaves them as they are
    return part.kind in (JUNCTION, "Flatten")


def _bridge(net: Net, name: str) -> None:
    """Join the neighbors of a part, unless an edge would then be there twice."""
    sources, targets = net.sources(name), net.targets(name)
    joined = [(source, target) for source in sources for target in targets]
    if name in sources or not joined or any(net.joins(*edge) for edge in joined):
        return
    net.remove(name)
    for edge in joined:
        net.join(*edge)
