"""Exact percentiles of magnitudes, from a float run that comes in parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm.graph import Graph
from neurossm.trace import Trace


class Percentiles:
    """Keeps the few largest magnitudes of each node: what is above the percentile, and itself.

    The percentile is the smallest magnitude that at most ``1 - percent / 100`` of all values
    exceed; at 100 it is the largest.

    Parameters
    ----------
    graph
        Float graph.
    names
        Nodes that are wanted.
    percent
        99 to 100: below, more would have to be kept than is sensible, and a format that clips one
        value in a hundred is no format.
    moments
        Samples times steps of all parts together.

    Raises
    ------
    InputError
        For a percent outside of that.
    """

    def __init__(self, graph: Graph, names: Sequence[str], percent: float, moments: int) -> None:
        if not 99 <= percent <= 100:
            raise InputError("percentile", expected="99 to 100", got=str(percent))
        self._kept: dict[str, NDArray[np.float64]] = {name: np.zeros(0) for name in names}
        share = (100 - percent) / 100
        # rounding of the share must not make 3 of 3.0 values 2
        self._above = {
            name: int(share * moments * graph.nodes[name].out_channels + 1e-6) for name in names
        }

    def add(self, trace: Trace) -> None:
        """Take the values of a part, which must hold all nodes that are wanted."""
        for name, kept in self._kept.items():
            values = np.abs(trace.values[name]).ravel().astype(np.float64)
            both, count = np.concatenate([kept, values]), self._above[name] + 1
            if len(both) > count:
                both = np.partition(both, len(both) - count)[-count:]
            self._kept[name] = both

    def result(self) -> dict[str, float]:
        """Return the percentile of each node."""
        return {name: float(kept.min()) for name, kept in self._kept.items()}
