"""Complex states between synapses, scaled by powers of two: exact, and better integers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import instance
from neurossm.graph import Graph
from neurossm.nodes import Affine, ComplexDiagonal, Node

Reals = NDArray[np.float64]


def balance_states(graph: Graph) -> Graph:
    """Return the float graph with the same meaning and columns of like size behind its states.

    The synapses behind a `ComplexDiagonal` share one exponent. Where the columns of some states are
    much smaller than others, their weights lose bits, or become 0. A state may be scaled,
    ``x -> s x``, if the rows in front of it are multiplied by s and the columns behind it divided;
    with a power of two that is exact. Here each s is the one with which the largest weight behind
    the state is within a factor of two of the largest of all; the rows in front may have an
    exponent each, and states have units of their own, so nothing is lost there.

    It does so for each `ComplexDiagonal` that has only `Affine` around it which serve nothing else.
    Other graphs come back as they are.

    Parameters
    ----------
    graph
        A float graph.

    Examples
    --------
    >>> balanced = neurossm.passes.balance_states(neurossm.load("float.nssm"))
    """
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    changed: dict[str, Node] = {}
    for name in graph.order:
        node, sources, targets = graph.nodes[name], graph.sources[name], graph.targets[name]
        if not isinstance(node, ComplexDiagonal) or node.is_integer:
            continue
        private = all(graph.targets[source] == (name,) for source in sources)
        private = private and all(graph.sources[target] == (name,) for target in targets)
        if not private or not targets:
            continue
        front = {source: changed.get(source, graph.nodes[source]) for source in sources}
        behind = {target: changed.get(target, graph.nodes[target]) for target in targets}
        found = _balanced(front, behind, node.complex_states)
        changed |= found
    return graph.with_nodes(changed) if changed else graph


def _balanced(front: dict[str, Node], behind: dict[str, Node], states: int) -> dict[str, Node]:
    columns = np.zeros(states)
    for node in behind.values():
        if not isinstance(node, Affine):
            return {}
        columns = np.maximum(columns, np.abs(_weight(node)).max(axis=0).reshape(2, -1).max(axis=0))
    used = columns > 0
    # the largest is between 2**(e - 1) and 2**e times a column: one within a factor of two stays
    exponent = np.frexp(columns.max() / np.where(used, columns, columns.max()))[1]
    scale = np.tile(np.exp2(1.0 - np.where(used, exponent, 1)), 2)
    made: dict[str, Node] = {}
    for name, node in front.items():
        if not isinstance(node, Affine):
            return {}
        weight, bias = _weight(node) * scale[:, None], np.asarray(node.bias) * scale
        made[name] = replace(node, weight=weight, bias=bias)
    for name, node in behind.items():
        assert isinstance(node, Affine)
        made[name] = replace(node, weight=_weight(node) / scale)
    return made


def _weight(node: Affine) -> Reals:
    return np.asarray(node.weight, dtype=np.float64)
