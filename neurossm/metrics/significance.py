"""How large a change of an activation must be before the nodes behind it notice.

A channel of range 0.02 that is only ever added to one of range 20 may be off by all it has; one of
range 2 that feeds a neuron of threshold 3 may not, however large its neighbors are. So a range says
what a channel's error means only together with what is behind it.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from neurossm.graph import Graph
from neurossm.nodes import Change

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
    """Return what a node asks of a source; `own` is what matters of its own activations."""
    others = [ranges[other] for other in graph.sources[name] if other != source]
    with np.errstate(divide="ignore", invalid="ignore"):
        return graph.nodes[name].notices(Change(own, ranges[source], others, ranges[name], steps))


def _finite(sizes: Reals, own: Reals) -> Reals:
    """Return sizes with 0 for nan (0 / 0: nothing known) and inf kept."""
    return np.where(np.isnan(sizes), 0.0, sizes) + np.zeros_like(own)
