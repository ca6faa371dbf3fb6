"""The record of a run: values of nodes over time, final states and counters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from neurossm.counts import Counts
from neurossm.errors import InputError
from neurossm.graph import Graph
from neurossm.lengths import checked_lengths, inside
from neurossm.nodes import message_frac

__all__ = ["Counts", "Trace", "units"]


@dataclass(frozen=True, eq=False)
class Trace:
    """Values of a run.

    Parameters
    ----------
    engine
        Which executor ran: ``float``, ``reference``, ``fast``, ``lava``, ``torch``.
    values
        Node name to its output over time, ``(B, T, C)``: samples, steps, channels. Integers, or
        float64 from a float run. Only the nodes that were recorded. 0 past the end of a sequence.
    states
        Name of node and state (``"ssm.re"``) to the final state, ``(B, ...)``, each at the end of
        its own sequence.
    counts
        Node name to its counters, summed over the steps of all sequences, each to its own end;
        empty where an executor has none.
    samples, steps
        B and T: of the arrays. What is counted or averaged refers to `real_steps`.
    peaks
        From a float run: node name to its largest magnitudes ``(C,)``, ``"ssm.state"`` to the
        largest magnitudes of its states ``(C, N)``, and ``"lif.input"`` to the largest magnitudes
        that arrive at a `LIF`, ``(C,)``. What calibration reads.
    lengths
        Steps of each sequence ``(B,)``, 1 to T; None where all have T.
    sums
        From a float run: name of a node with graded activations (a ReLU, a gate) to the sum of
        what it sent over all steps of all samples, ``(C,)``. What calibration reads, too.

    Examples
    --------
    >>> trace = neurossm.run(graph, inputs)
    >>> trace.values["output"].shape  # samples, steps, channels
    (2, 784, 10)
    """

    engine: str
    values: Mapping[str, NDArray[np.generic]]
    samples: int
    steps: int
    states: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)
    counts: Mapping[str, Counts] = field(default_factory=dict)
    peaks: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    lengths: NDArray[np.int64] | None = None
    sums: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = checked_lengths(self.lengths, self.samples, self.steps)
        object.__setattr__(self, "lengths", own)
        for name in ("values", "states", "counts", "peaks", "sums"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        for name, value in self.values.items():
            if value.shape[:2] != (self.samples, self.steps):
                raise InputError(
                    f"trace of {name!r}",
                    expected=f"({self.samples}, {self.steps}, C)",
                    got=f"shape {value.shape}",
                )

    @property
    def ends(self) -> NDArray[np.int64]:
        """Steps of each sequence, ``(B,)``."""
        return np.full(self.samples, self.steps) if self.lengths is None else self.lengths

    @property
    def real_steps(self) -> int:
        """Steps of all sequences together, no padding."""
        return int(self.ends.sum())

    @property
    def mean_steps(self) -> float:
        """Mean steps of a sequence; an int where that is whole."""
        whole, rest = divmod(self.real_steps, self.samples)
        return self.real_steps / self.samples if rest else whole

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which steps are no padding, ``(B, T, 1)``."""
        return inside(self.lengths, self.samples, self.steps)

    def last(self, name: str) -> NDArray[np.generic]:
        """Return what a node sent at the last step of each sequence, ``(B, C)``."""
        return np.asarray(self.values[name][np.arange(self.samples), self.ends - 1])

    def saturations(self) -> int:
        """Return how many values were clipped in the whole run."""
        return sum(count.saturations for count in self.counts.values())


def joined_traces(traces: Sequence[Trace]) -> Trace:
    """Return the trace of all samples from those of parts, in their order, with counters added.

    The parts hold the same nodes and states, over equally many steps.
    """
    first = traces[0]

    def together(part: str) -> dict[str, NDArray[np.generic]]:
        return {name: np.concatenate([getattr(trace, part)[name] for trace in traces])
                for name in getattr(first, part)}  # fmt: skip

    counts = {name: sum((t.counts[name] for t in traces), Counts()) for name in first.counts}
    peaks = {name: np.max([t.peaks[name] for t in traces], axis=0) for name in first.peaks}
    sums = {name: np.sum([t.sums[name] for t in traces], axis=0) for name in first.sums}
    return Trace(
        first.engine, together("values"), sum(trace.samples for trace in traces), first.steps,
        together("states"), counts, peaks, np.concatenate([trace.ends for trace in traces]),
        sums,
    )  # fmt: skip


def units(graph: Graph) -> dict[str, float | NDArray[np.float64]]:
    """Return for each node of an integer graph the real value of one unit of its activations.

    A number, or ``(C,)`` where channels have exponents of their own.
    """
    return {
        name: np.exp2(-np.asarray(message_frac(node), dtype=np.float64))[()]
        for name, node in graph.nodes.items()
        if node.out is not None
    }
