"""The static side of the integer contract: what must hold in a graph before its integers run.

Formats that belong together agree, poles lie inside the unit circle, and no sum can leave the width
in which it is formed. `problems` finds all of them; nothing is executed. Most of it follows from
the roles of a node's fields; what else a node asks for it says itself (`Node.check`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import ACCUMULATOR_BITS, symmetric_limit
from neurossm.graph import Graph
from neurossm.nodes import (
    NARROWER,
    Arriving,
    Finding,
    Meets,
    Node,
    Role,
    alike,
    format_of,
    quantized,
    same,
)


@dataclass(frozen=True)
class Problem:
    """One reason why a node does not meet the contract."""

    node: str
    expected: str
    got: str
    remedy: str = ""

    def error(self) -> GraphError:
        """Return it as an exception."""
        return GraphError(
            f"node {self.node!r}", expected=self.expected, got=self.got, remedy=self.remedy
        )


def problems(graph: Graph) -> tuple[Problem, ...]:
    """Return every violation of the integer contract, in graph order; empty means it can run."""
    found = []
    for name in graph.order:
        node = graph.nodes[name]
        kind = type(node).__name__
        if not node.is_integer:
            expected, got = "an integer node", f"a float {kind}"
            found.append(Problem(name, expected, got, "quantize the graph first"))
        elif not node.has_integers:
            expected, got = "a node with an integer meaning", f"a {kind}"
            found.append(Problem(name, expected, got, node.float_only))
    if found:  # formats are missing: nothing else can be checked
        return tuple(found)
    for name in graph.order:
        node, at = graph.nodes[name], arriving([graph.nodes[s] for s in graph.sources[name]])
        findings = (*_messages(node, at), *_fields(node, at), *_receivers(graph, name))
        found += [Problem(name, *finding) for finding in findings]
    return tuple(found)


def require(graph: Graph) -> None:
    """Raise the first of `problems` as a `GraphError`, if there is one."""
    for problem in problems(graph):
        raise problem.error()


def arriving(senders: Sequence[Node]) -> Arriving:
    """Return what arrives at a node from these integer nodes."""
    formats = tuple(format_of(sender) for sender in senders)
    return Arriving(formats, senders[0].message_frac if senders else 0)


def _messages(node: Node, at: Arriving) -> Iterator[Finding]:
    """Yield what holds for every node: graded results, and a sum of edges that fits."""
    computes = node.role in (Role.NEURON, Role.SYNAPSES) and not node.passes_on
    if computes and format_of(node).is_spike:
        yield "graded spikes from a node that computes", str(node.out)
    largest = sum(fmt.high for fmt in at.formats)
    # weights and operands have bounds of their own
    adds = node.meets in (Meets.ADD, Meets.ONE)
    if adds and largest > symmetric_limit(ACCUMULATOR_BITS):
        expected = f"edges whose sum stays within {ACCUMULATOR_BITS} bits"
        yield expected, f"up to {largest}", f"{NARROWER}, or fewer edges into it"
    if node.passes_on and node.out != at.formats[0]:
        yield f"the format {at.formats[0]} that arrives", str(node.out)


def _fields(node: Node, at: Arriving) -> Iterator[Finding]:
    """Yield what the roles of a node's fields ask for, then what it asks for itself."""
    whole = True
    for name, role in node.roles.items():
        field, label = quantized(getattr(node, name)), role.label or name
        if role.exponent == "input" and node.compares:  # it keeps the exponent of each channel
            yield from alike(f"{label} exponent", at.by_channel, field)
        elif role.exponent == "input":
            yield from same(f"{label} exponent", at.frac, field.frac)
        elif role.exponent == "output":
            yield from same(f"{label} exponent", format_of(node).frac, field.frac)
        elif role.exponent == "own":
            several = not isinstance(field.frac, int)
            if role.most and (several or field.bits > role.most):
                yield f"a {label} of {role.most} bits with one exponent", f"{field.bits} bits"
                whole = False
            elif several:
                yield f"one exponent for all {label}", "several"
                whole = False
    if whole:
        yield from node.check(at)


def _receivers(graph: Graph, name: str) -> Iterator[Finding]:
    """Yield receivers that cannot tell channels apart whose exponents differ."""
    if np.ndim(graph.nodes[name].message_frac) == 0:
        return
    for target in graph.targets[name]:
        node, sources = graph.nodes[target], len(graph.sources[target])
        if not (node.compares or node.aligns) or sources > 1:
            expected = "one exponent, or a LIF or threshold with no other source behind each row's"
            yield expected, f"{target!r} ({type(node).__name__}) with {sources} sources"
