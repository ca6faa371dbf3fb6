"""How large a change of a message must be before the nodes behind it notice.

A channel of range 0.02 that is only ever added to one of range 20 may be off by all it has; one of
range 2 that feeds a neuron of threshold 3 may not, however large its neighbors are. So a range says
what a channel's error means only together with what is behind it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    BatchNorm,
    DiagonalSSM,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)

Reals = NDArray[np.float64]


def significance(graph: Graph, ranges: Mapping[str, Reals], steps: int) -> dict[str, Reals]:
    """Return for each node the size of a change that matters behind it, ``(C,)``, real units.

    It is the smallest that any node behind it asks for, and at least the channel's own range. From
    the outputs backward, a node behind asks for:

    `LIF`: what a constant input needs to reach the threshold, ``theta (1 - tau)``, without leak
    ``theta / steps``. `Threshold`, `TernaryThreshold`: the threshold. `Affine`, `BatchNorm`,
    `PiecewiseLinear`, `Product`: what matters behind it, by its weights (each row by itself), gain,
    steepest slope or largest other operand. `DiagonalSSM`: the same, by its range over that of
    its input. `Accumulate`: that of its own, over the number of steps. `Sum`, `Output`: its own.

    Parameters
    ----------
    graph
        A float graph.
    ranges
        Name of each node to the largest magnitudes of its channels in a float run, ``(C,)``.
    steps
        Of a sequence.
    """
    found: dict[str, Reals] = {}
    for name in reversed(graph.order):
        own = np.asarray(ranges[name], dtype=np.float64)
        asked = [
            # in a loop a target comes earlier: what matters of it is then its own range
            _asked(graph, target, name, ranges, found.get(target, ranges[target]), steps)
            for target in graph.targets[name]
        ]
        # where nothing behind it can notice anything, every size is beyond all bounds
        least = np.min([_finite(sizes, own) for sizes in asked], axis=0) if asked else own
        found[name] = np.maximum(own, least)
    return found


def _asked(
    graph: Graph, name: str, source: str, ranges: Mapping[str, Reals], own: Reals, steps: int
) -> Reals:
    """Return what a node asks of a source; `own` is what matters of its own messages."""
    node: Node = graph.nodes[name]
    with np.errstate(divide="ignore", invalid="ignore"):
        match node:
            case LIF():
                lost = np.maximum(1 - np.asarray(node.tau), 1 / steps)
                return np.asarray(np.asarray(node.theta) * lost, dtype=np.float64)
            case Threshold():
                return np.asarray(np.abs(np.asarray(node.theta)), dtype=np.float64)
            case TernaryThreshold():
                return np.asarray(node.delta, dtype=np.float64)
            case Affine():
                return np.asarray((own[:, None] / np.abs(np.asarray(node.weight))).min(axis=0))
            case BatchNorm():
                return np.asarray(own / np.abs(np.asarray(node.gain)))
            case PiecewiseLinear():
                return np.asarray(own / np.abs(np.asarray(node.slopes)).max())
            case Product():
                left, right = graph.sources[name]
                return own / ranges[right if source == left else left]
            case DiagonalSSM():
                return own * ranges[source] / ranges[name]
            case Accumulate():
                return own / steps
            case Sum() | Output():
                return own
        if node.late:
            return own
    return np.zeros(graph.nodes[source].out_channels)  # tokens are exact or another token


def _finite(sizes: Reals, own: Reals) -> Reals:
    """Return sizes with 0 for nan (0 / 0: nothing known) and inf kept."""
    return np.where(np.isnan(sizes), 0.0, sizes) + np.zeros_like(own)
