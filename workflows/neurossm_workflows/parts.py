"""Streams data in batches: memory does not grow with the number of samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import numpy as np

from neurossm.executors.protocol import TOGETHER
from neurossm.trace import Counts, Trace
from neurossm_workflows.listener import QUIET, Listener

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset

PART_BYTES = 64 * 2**20  # of inputs, what the outputs send, and states
MOST_BYTES = 2**30  # of few samples that are very long, before cores are left idle
WORD, VALUE = 8, 4  # bytes of a value at most, and of a recorded integer

# is told the position of a part's first sample, the part in memory, and the answers to it
Watcher = Callable[[int, "Dataset", "NDArray[np.float64]"], None]


def samples_of_a_part(graph: Graph, steps: int) -> int:
    """Return how many samples run at once: as many as keep all cores busy, where there is room."""
    from neurossm.engine.cores import usable_cores

    ends = {*graph.inputs, *graph.outputs}
    values = steps * sum(graph.nodes[name].out_channels for name in ends)
    states = sum(node.states for node in graph.nodes.values())
    a_sample = WORD * max(1, values + states)
    fitting = PART_BYTES // a_sample // TOGETHER * TOGETHER
    return max(fitting, min(TOGETHER * usable_cores(), MOST_BYTES // a_sample), 1)


def samples_with_all_values(graph: Graph, steps: int) -> int:
    """Return how many samples run at once where the values of all nodes are looked at."""
    channels = sum(node.out_channels for node in graph.nodes.values())
    return max(1, PART_BYTES // (VALUE * channels * steps))


def in_parts(data: Dataset, size: int) -> Iterator[tuple[int, Dataset]]:
    """Yield the position of the first sample, and the samples in memory, in batches."""
    for start in range(0, len(data), size):
        yield start, data.take(slice(start, start + size))


class Totals:
    """Counters, largest magnitudes and lengths of a run, added up over its parts."""

    def __init__(self) -> None:
        self._engine, self._samples, self._steps = "", 0, 0
        self._counts: dict[str, Counts] = {}
        self._peaks: dict[str, np.ndarray] = {}
        self._sums: dict[str, np.ndarray] = {}
        self._ends: list[np.ndarray] = []

    def add(self, trace: Trace) -> None:
        """Add a part; its values and states are not kept."""
        self._engine, self._steps = trace.engine, max(self._steps, trace.steps)
        self._samples += trace.samples
        self._ends.append(trace.ends)
        for name, count in trace.counts.items():
            self._counts[name] = self._counts.get(name, Counts()) + count
        for name, peak in trace.peaks.items():
            self._peaks[name] = np.maximum(self._peaks.get(name, 0.0), peak)
        for name, total in trace.sums.items():
            self._sums[name] = self._sums.get(name, 0.0) + total

    def trace(self) -> Trace:
        """Return the trace of all parts, without values and states."""
        ends = np.concatenate(self._ends)
        return Trace(self._engine, {}, self._samples, self._steps, counts=self._counts,
                     peaks=self._peaks, lengths=ends, sums=self._sums)  # fmt: skip


def note_clipped(listener: Listener, clipped: int, data: Dataset) -> None:
    """Say how many values of the inputs were beyond what the integers hold."""
    if not clipped:
        return
    steps = len(data) * data.shape[1] if data.lengths is None else int(data.lengths.sum())
    values = steps * data.shape[2]
    listener.note(
        f"data {data.name!r}: {clipped:,} of {values:,} input values ({clipped / values:.2%})"
        " are beyond what the integers of the input hold, and saturate"
    )


def run_counted(
    graph: Graph, data: Dataset, engine: str, label: str, listener: Listener = QUIET
) -> tuple[Trace, int]:
    """Return counters and largest magnitudes of a run over all samples, without any values.

    And how many values of the inputs were beyond the range of the integers.
    """
    from neurossm.engine import run

    found, data = Totals(), data.trimmed()
    clipped = data.clipped
    with listener.progress(label, len(data)) as progress:
        for _, part in in_parts(data, samples_of_a_part(graph, data.shape[1])):
            found.add(run(graph, part.inputs, engine, (), progress, lengths=part.lengths))
            clipped += part.clipped
    return found.trace(), clipped
