"""Exact worst-case bounds: how large a value can become, whatever arrives in the input's format.

Interval arithmetic from node to node, for float and for integer graphs. A `DiagonalSSM` is bounded
by the l1 norm of its impulse response, or where its states could saturate by their width. Integer
nodes add what their shifts toward zero can drop: less than a unit for each product.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from neurossm.arguments import instance
from neurossm.graph import Graph
from neurossm.nodes import FanIn, Found, Node, Register, Role, Span, format_of

TURNS = 16  # round a loop, before it is asked whether it ends
FURTHER = (1.001, 1.1, 2.0, 8.0, 64.0)  # than after so many turns


@dataclass(frozen=True)
class Bounds:
    """What `bounds` found: a span of each node's activations, and its registers.

    `steps` is how many steps they hold for (the ``steps`` of the graph's meta), None for any.
    """

    messages: Mapping[str, Span]
    registers: Mapping[str, tuple[Register, ...]]
    steps: int | None

    def register(self, name: str, what: str) -> Register:
        """Return a register of a node by its name."""
        return next(item for item in self.registers[name] if item.what == what)


@singledispatch
def worst_case(node: Node, at: FanIn) -> Found:
    """Return the worst case of a node: what it says itself, or what is registered for its type."""
    return node.bound(at)


def bounds(graph: Graph) -> Bounds:
    """Return the largest values that are possible at each node of a float or an integer graph."""
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    # a float pole outside the circle has no bound: infinite, and zero times that is nan
    with np.errstate(invalid="ignore", over="ignore"):
        return _walk(graph, steps_of(graph))


def steps_of(graph: Graph) -> int | None:
    """Return how many steps a graph runs, if it says so."""
    steps = graph.meta.get("steps")
    return steps if isinstance(steps, int) and steps > 0 else None


def _walk(graph: Graph, steps: int | None) -> Bounds:
    messages: dict[str, Span] = {}
    registers: dict[str, tuple[Register, ...]] = {}

    def visit(name: str) -> None:
        node, sources = graph.nodes[name], graph.sources[name]
        if node.role is Role.INPUT:
            messages[name], registers[name] = _entering(graph, name), ()
            return
        out, unit = (node.out, _unit(node)) if node.is_integer else (None, 0.0)
        formats = [graph.nodes[source].out for source in sources]
        meeting = FanIn([messages[source] for source in sources], formats, steps, out, unit)
        messages[name], registers[name] = worst_case(node, meeting)

    for block in graph.blocks:
        if block in graph.loops:
            _settle(graph, block, messages, visit)
        else:
            visit(block[0])
    return Bounds(messages, registers, steps)


def _settle(
    graph: Graph, block: tuple[str, ...], messages: dict[str, Span], visit: Callable[[str], None]
) -> None:
    """Go round a loop until nothing grows any more, or nothing is known of what goes round.

    What late nodes send is nothing at first. Spans that hold that, and all that one more turn makes
    of them, hold every turn.
    """
    late = [name for name in block if graph.nodes[name].late]

    def turn(spans: dict[str, Span]) -> dict[str, Span]:
        messages.update(spans)
        for name in (*(name for name in block if name not in late), *late):
            visit(name)
        return {name: messages[name] for name in late}

    zeros = {name: np.zeros(graph.nodes[name].out_channels) for name in late}
    spans = {name: Span(zero, zero) for name, zero in zeros.items()}
    for _ in range(TURNS):
        spans, before = turn(spans), spans
        if all(_holds(before[name], spans[name]) for name in late):
            return
    # what fades comes closer and closer to its end: is it there, or as far again, or further?
    for factor in FURTHER:
        wider = {name: Span(factor * s.low, factor * s.high) for name, s in spans.items()}
        made = turn(wider)
        if all(_holds(wider[name], made[name]) for name in late):
            for _ in range(TURNS):  # each turn of spans that hold gives spans that hold
                made = turn(made)
            return
    turn({name: _anything(graph.nodes[name]) for name in late})


def _holds(one: Span, other: Span) -> bool:
    """Tell whether all of the other span is within one."""
    return bool(np.all(one.low <= other.low) and np.all(other.high <= one.high))


def _anything(node: Node) -> Span:
    ones = np.ones(node.out_channels)
    if node.out is None:
        return Span(-np.inf * ones, np.inf * ones)
    unit = 2.0**-node.out.frac
    return Span(node.out.low * unit * ones, node.out.high * unit * ones)


def _unit(node: Node) -> float | np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.exp2(-np.asarray(node.message_frac, dtype=np.float64))[()]


def _entering(graph: Graph, name: str) -> Span:
    node, tokens = graph.nodes[name], graph.vocabularies.get(name)
    out = format_of(node)  # an input always has one
    low, high = (0, tokens - 1) if tokens else (out.low, out.high)
    unit, ones = 2.0**-out.frac, np.ones(node.out_channels)
    return Span(low * unit * ones, high * unit * ones)
