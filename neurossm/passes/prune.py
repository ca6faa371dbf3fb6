"""Pruning a float graph by magnitude: the smallest weights become 0, which are no synapses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.nodes import Affine, Node
from neurossm.sparsity import chosen, masks, worth


def prune(graph: Graph, sparsity: float, scope: str = "erk", layers: Iterable[str] = ()) -> Graph:
    """Return the graph with a share of the weights of its `Affine` set to 0.

    Those of which at most half are left become sparse (`Affine.sparse`), if they are not small.

    Parameters
    ----------
    graph
        Float.
    sparsity
        Share of all weights of these layers that is 0 afterward, 0 to below 1.
    scope
        ``erk``, ``layer`` or ``global``, see `neurossm.sparsity.masks`.
    layers
        Names of nodes, or patterns such as ``blocks.*``; none: every `Affine`.

    Raises
    ------
    InputError
        For another sparsity or scope, or a layer that there is not.
    GraphError
        If the graph is an integer one.
    """
    if graph.is_integer:
        raise GraphError("graph", expected="a float graph", got="an integer graph",
                         remedy="prune the float graph, then quantize it")  # fmt: skip
    found = {name: node for name, node in graph.nodes.items() if isinstance(node, Affine)}
    weights = {n: np.asarray(found[n].weight) for n in chosen("layers", found, layers)}
    pruned: dict[str, Node] = {}
    pairs = [name for name in weights if _drives_complex_states(graph, name)]
    for name, kept in masks(weights, sparsity, scope, pairs).items():
        weight = np.where(kept, weights[name], 0.0)
        sparse = found[name].sparse or worth(weight)
        pruned[name] = replace(found[name], weight=weight, sparse=sparse)
    return graph.with_nodes(pruned)


def _drives_complex_states(graph: Graph, name: str) -> bool:
    """Tell whether the rows of a node are real parts of a drive, then imaginary ones."""
    targets = [graph.nodes[target] for target in graph.targets[name]]
    return any(node.in_channels == 2 * node.complex_states > 0 for node in targets)
