"""Means of windows become sums; what follows takes the divisor. Nothing is approximated."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from neurossm.graph import Graph
from neurossm.nodes import Conv2d, Node, Weighted


def fold_average_pooling(graph: Graph) -> Graph:
    """Return the float graph with sums in place of means where synapses follow.

    Windows of 3 x 3 are averaged by factors of 1/9, which no power of two expresses: synapses of
    ones add exactly, and the weights behind them, real numbers anyway, are divided instead. A
    divisor that is a power of two is an exponent, and stays.

    Parameters
    ----------
    graph
        A float graph.
    """
    changed: dict[str, Node] = {}
    for name in graph.order:
        node = changed.get(name, graph.nodes[name])
        if not isinstance(node, Conv2d) or not node.pools:
            continue
        factor = float(np.asarray(node.weight).flat[0])
        behind = {target: graph.nodes[target] for target in graph.targets[name]}
        alone = all(graph.sources[target] == (name,) for target in behind)
        synapses = {t: found for t, found in behind.items() if isinstance(found, Weighted)}
        plain = math.frexp(factor)[0] == 0.5  # a power of two
        if plain or not behind or not alone or len(synapses) < len(behind):
            continue
        changed[name] = replace(node, weight=np.ones_like(np.asarray(node.weight)))
        for target, found in synapses.items():
            changed[target] = replace(found, weight=np.asarray(found.weight) * factor)
    return graph.with_nodes(changed) if changed else graph
