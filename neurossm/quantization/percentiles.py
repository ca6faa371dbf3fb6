"""Exact percentiles of magnitudes, from a float run that comes in parts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import real, whole
from neurossm.errors import InputError
from neurossm.graph import Graph
from neurossm.lengths import without_padding
from neurossm.nodes import ComplexDiagonal, DiagonalSSM
from neurossm.trace import Trace

Reals = NDArray[np.float64]


class Percentiles:
    """Keeps the few largest magnitudes of each node: what is above the percentile, and itself.

    Of complex states also those of each by itself: quantizing scales each by itself.

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
        Steps of all sequences of all parts together, each to its own end.

    Raises
    ------
    InputError
        For a percent outside of that.
    """

    def __init__(self, graph: Graph, names: Sequence[str], percent: float, moments: int) -> None:
        real("percentile", percent, 99, 100, "99 to 100")
        whole("moments", moments)
        if unknown := [name for name in names if name not in graph.nodes]:
            raise InputError("names", expected="names of nodes", got=repr(unknown[0]))
        self._graph = graph
        self._kept: dict[str, Reals] = {name: np.zeros(0) for name in names}
        nodes = {name: graph.nodes[name] for name in names}
        self._states = {
            name: np.zeros((*node.state_parts()["re"], 0))
            for name, node in nodes.items()
            if isinstance(node, DiagonalSSM | ComplexDiagonal)
        }
        share = (100 - percent) / 100
        # rounding of the share must not make 3 of 3.0 values 2
        self._above = {
            name: int(share * moments * graph.nodes[name].out_channels + 1e-6) for name in names
        }
        self._states_above = int(share * moments + 1e-6)

    def add(self, trace: Trace) -> None:
        """Take the values of a part.

        Whole sequences, of all nodes that are wanted and of those in front of complex states.
        """
        for name, kept in self._kept.items():
            real = without_padding(trace.values[name], trace.lengths)
            values = np.abs(real).ravel().astype(np.float64)
            self._kept[name] = _largest(kept, values, self._above[name] + 1)
        inside = trace.inside.ravel()
        for name, kept in self._states.items():
            node = self._graph.nodes[name]
            assert isinstance(node, DiagonalSSM | ComplexDiagonal)
            arriving = [np.asarray(trace.values[source]) for source in self._graph.sources[name]]
            moduli = _state_moduli(node, sum(arriving[1:], start=arriving[0]))[..., inside]
            self._states[name] = _largest(kept, moduli, self._states_above + 1)

    def result(self) -> dict[str, float]:
        """Return the percentile of each node's activations."""
        return {name: float(kept.min()) for name, kept in self._kept.items()}

    def states(self) -> dict[str, Reals]:
        """Return the percentile of each complex state, ``(C, N)`` or ``(C,)``."""
        return {name: kept.min(axis=-1) for name, kept in self._states.items()}


def _largest(kept: Reals, more: Reals, count: int) -> Reals:
    """Return the `count` largest values along the last axis of both."""
    both = np.concatenate([kept, more], axis=-1)
    size = both.shape[-1]
    # a copy: the rest of a part need not stay in memory
    return np.partition(both, size - count)[..., -count:].copy() if size > count else both


def _state_moduli(node: DiagonalSSM | ComplexDiagonal, u: Reals) -> Reals:
    """Return ``|x|`` of the states for inputs ``(S, T, ...)`` from silence, ``(..., S T)``."""
    a = np.asarray(node.a_re) + 1j * np.asarray(node.a_im)
    samples, steps, _ = u.shape
    x = np.zeros((samples, *a.shape), dtype=complex)
    moduli = np.empty((*a.shape, samples, steps))
    for t in range(steps):
        x = a * x + _entering(node, u[:, t])
        moduli[..., t] = np.moveaxis(np.abs(x), 0, -1)
    return moduli.reshape(*a.shape, samples * steps)


def _entering(node: DiagonalSSM | ComplexDiagonal, u: Reals) -> NDArray[np.complex128]:
    """Return what is added to the states at a step, for what arrives then, ``(S, ...)``."""
    if isinstance(node, ComplexDiagonal):
        half = node.complex_states
        return np.asarray(u[:, :half] + 1j * u[:, half:])
    b = np.asarray(node.b_re) + 1j * np.asarray(node.b_im)
    drive = np.asarray(node.drive_re) + 1j * np.asarray(node.drive_im)
    return np.asarray(b * u[:, :, None] + drive)
