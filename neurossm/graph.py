"""The graph: named nodes, directed edges, time step. Validated when it is built, then frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from types import MappingProxyType
from typing import Any

import networkx as nx

from neurossm.arguments import shown
from neurossm.errors import GraphError, nearest
from neurossm.nodes import Meets, Node, Role

Edge = tuple[str, str]
_OPERANDS = {meets: "operand" if meets is Meets.OPERANDS else "edge" for meets in Meets}
_NUMBERS = {0: "at least one", 1: "one", 2: "two"}
Meta = Mapping[str, str | int | float]


@dataclass(frozen=True)
class Graph:
    """A spiking network as named nodes and directed edges, float or integer.

    Parameters
    ----------
    nodes
        Name to node. Names are not empty and hold no ``/``.
    edges
        Pairs ``(from, to)``, each at most once. Edges into one node add; `Sum` and `Product` take
        each edge as an operand.
    dt
        Duration of one time step, in seconds; None if unknown: steps of pixels or tokens have no
        duration, and files of other tools may not state it.
    meta
        Where it comes from: strings and numbers, such as ``recipe`` or ``steps``.

    Raises
    ------
    GraphError
        For a dangling or repeated edge, channels that do not fit, a cycle without a late node
        (`Delay`), a node without input,
        a missing `Input` or `Output`, or arguments of another kind. The message names the edge,
        node or argument.

    Examples
    --------
    >>> graph = neurossm.load("m.int.nssm")
    >>> graph.order[0], graph.is_integer
    ('input', True)
    """

    nodes: Mapping[str, Node]
    edges: tuple[Edge, ...]
    dt: float | None = None
    meta: Meta = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", MappingProxyType(_mapping("nodes", self.nodes)))
        object.__setattr__(self, "edges", _pairs(self.edges))
        object.__setattr__(self, "meta", MappingProxyType(_mapping("meta", self.meta)))
        number = isinstance(self.dt, Real) and not isinstance(self.dt, bool)
        if self.dt is not None and not (number and 0 < self.dt < float("inf")):
            raise GraphError("graph.dt", expected="a positive time in seconds", got=repr(self.dt))
        self._check_names()
        self._check_edges()
        self._check_operands()
        _ = self.order  # a cycle is found here

    def __repr__(self) -> str:
        """Return one line: nodes are large, and notebooks show what a call returns."""
        ends = (self.inputs, self.outputs)
        said = (", ".join(f"{n} ({self.nodes[n].out_channels})" for n in names) for names in ends)
        kind = "integer" if self.is_integer else "float"
        return f"<Graph of {len(self.nodes)} {kind} nodes: {' -> '.join(said)}>"

    @cached_property
    def order(self) -> tuple[str, ...]:
        """Names in an order in which each node comes after all that feed it; unique for a graph.

        In a loop a node that is late comes before what feeds it there. The nodes of a loop are
        neighbors.
        """
        return tuple(name for block in self.blocks for name in block)

    @cached_property
    def blocks(self) -> tuple[tuple[str, ...], ...]:
        """The order in parts that can each run over a whole sequence: a node, or a loop."""
        net = nx.DiGraph()
        net.add_nodes_from(self.nodes)
        net.add_edges_from(self.edges)
        position = self._position.__getitem__
        parts = nx.condensation(net)
        members = {part: data["members"] for part, data in parts.nodes(data=True)}
        first = {part: min(map(position, names)) for part, names in members.items()}
        found = []
        for part in nx.lexicographical_topological_sort(parts, key=first.__getitem__):
            loop = net.subgraph(members[part]).copy()
            late = [edge for edge in loop.edges if self.nodes[edge[1]].late]
            loop.remove_edges_from(late)
            try:
                found.append(tuple(nx.lexicographical_topological_sort(loop, key=position)))
            except nx.NetworkXUnfeasible:
                cycle = " -> ".join(a for a, _ in nx.find_cycle(loop))
                raise GraphError(
                    f"cycle {cycle}",
                    expected="a node in it that sends before anything arrives (Delay)",
                    got="none: each waits for the one before",
                    remedy="put a Delay into the edge that comes from the step before",
                ) from None
        return tuple(found)

    @cached_property
    def loops(self) -> tuple[tuple[str, ...], ...]:
        """The blocks whose nodes feed each other, or the one node itself."""
        return tuple(
            block for block in self.blocks if len(block) > 1 or block[0] in self.sources[block[0]]
        )

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """Names of the `Input` nodes."""
        return tuple(name for name, node in self.nodes.items() if node.role is Role.INPUT)

    @cached_property
    def outputs(self) -> tuple[str, ...]:
        """Names of the `Output` nodes."""
        return tuple(name for name, node in self.nodes.items() if node.role is Role.OUTPUT)

    @cached_property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """For each node the names that feed it, in the order of the edges."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for source, target in self.edges:
            found[target].append(source)
        return MappingProxyType({name: tuple(names) for name, names in found.items()})

    @cached_property
    def targets(self) -> Mapping[str, tuple[str, ...]]:
        """For each node the names that it feeds, in the order of the edges."""
        found: dict[str, list[str]] = {name: [] for name in self.nodes}
        for source, target in self.edges:
            found[source].append(target)
        return MappingProxyType({name: tuple(names) for name, names in found.items()})

    @cached_property
    def vocabularies(self) -> Mapping[str, int]:
        """Name of each `Input` of tokens to how many there are: rows of the smallest table."""
        found: dict[str, int] = {}
        for name, node in self.nodes.items():
            if node.reads_tokens:
                (source,) = self.sources[name]
                found[source] = min(node.tokens, found.get(source, node.tokens))
        return MappingProxyType(found)

    @property
    def is_integer(self) -> bool:
        """True where every node is an integer node."""
        return all(node.is_integer for node in self.nodes.values())

    def with_nodes(self, nodes: Mapping[str, Node]) -> Graph:
        """Return this graph with the given nodes put in place of those of the same name."""
        unknown = set(nodes) - set(self.nodes)
        if unknown:
            raise GraphError(f"node {min(unknown)!r}", expected="a node of the graph", got="none")
        return Graph({**self.nodes, **nodes}, self.edges, self.dt, self.meta)

    def without(self, name: str) -> Graph:
        """Return this graph with one node taken out and its neighbors joined."""
        joined = [
            edge
            for source, target in self.edges
            for edge in (
                [(s, target) for s in self.sources[name]]
                if source == name
                else []
                if target == name
                else [(source, target)]
            )
        ]
        nodes = {key: node for key, node in self.nodes.items() if key != name}
        return Graph(nodes, tuple(joined), self.dt, self.meta)

    @cached_property
    def _position(self) -> Mapping[str, int]:
        return {name: index for index, name in enumerate(self.nodes)}

    def _check_names(self) -> None:
        for name, node in self.nodes.items():
            if not isinstance(name, str) or not isinstance(node, Node):
                raise GraphError("graph.nodes", expected="nodes by their names",
                                 got=f"{shown(name)}: {shown(node)}")  # fmt: skip
            if not name or "/" in name or "\0" in name or len(name) > 200:
                raise GraphError(
                    f"node {name[:80]!r}",
                    problem="a name needs 1 to 200 characters, none of them '/' or NUL",
                )
        if not self.inputs or not self.outputs:
            missing = "Input" if not self.inputs else "Output"
            raise GraphError("graph", expected=f"at least one {missing}", got="none")

    def _check_edges(self) -> None:
        seen: set[Edge] = set()
        for edge in self.edges:
            for name in edge:
                if name not in self.nodes:
                    remedy = nearest(name, self.nodes)
                    raise GraphError(f"edge {edge}: no node named {name!r}", remedy=remedy)
            if edge in seen:
                raise GraphError("graph", problem=f"edge {edge[0]} -> {edge[1]} is listed twice")
            seen.add(edge)
            source, target = (self.nodes[name] for name in edge)
            if source.out_channels != target.in_channels:
                raise GraphError(
                    f"edge {edge}",
                    expected=f"{target.in_channels} channels at {edge[1]!r}",
                    got=f"{source.out_channels}",
                )
        for name in self.outputs:
            if self.targets[name]:
                raise GraphError(f"node {name!r}", expected="nothing after an Output", got="edges")

    def _check_operands(self) -> None:
        for name, node in self.nodes.items():
            if node.role is Role.INPUT:
                continue
            count, word = len(self.sources[name]), _OPERANDS[node.meets]
            if count != node.operands if node.operands else not count:
                number = _NUMBERS.get(node.operands, str(node.operands))
                expected = f"{number} {word}{'s' if node.operands > 1 else ''}"
                raise GraphError(f"node {name!r}", expected=expected, got=f"{count} edges")
            if node.reads_tokens:
                self._check_tokens(name)
            formats = {self.nodes[source].out for source in self.sources[name]}
            if node.meets is not Meets.OPERANDS and len(formats) > 1:
                raise GraphError(
                    f"node {name!r}",
                    expected="one number format on the edges that add",
                    got=", ".join(sorted(str(item) for item in formats)),
                    remedy="put a Sum in front",
                )

    def _check_tokens(self, name: str) -> None:
        (source,) = self.sources[name]
        node, where = self.nodes[source], f"node {name!r} ({type(self.nodes[name]).__name__})"
        if node.role is not Role.INPUT:
            got = f"a {type(node).__name__} in front"
            raise GraphError(where, expected="tokens straight from an Input", got=got)
        for other in self.targets[source]:
            if not self.nodes[other].reads_tokens:  # nothing can be computed from a name
                expected = f"only embeddings behind the tokens of {source!r}"
                raise GraphError(where, expected=expected, got=repr(other))
        if node.out is None or node.out.frac:
            got = str(node.out)
            raise GraphError(where, expected="whole tokens: an Input of 0 fraction bits", got=got)


def _mapping(what: str, given: object) -> dict[str, Any]:
    try:
        return dict(given)  # type: ignore[call-overload,no-any-return]
    except (TypeError, ValueError):
        got = type(given).__name__
        raise GraphError(f"graph.{what}", expected="a mapping from names", got=got) from None


def _pairs(given: object) -> tuple[tuple[str, str], ...]:
    try:
        return tuple((str(a), str(b)) for a, b in given)  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        got = shown(given)
        raise GraphError("graph.edges", expected="pairs (source, target)", got=got) from None
