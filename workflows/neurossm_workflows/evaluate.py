"""Running a graph on data with any executor, in batches: `evaluate`."""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.engine import execute, run
from neurossm.engine.inputs import recorded
from neurossm.errors import InputError
from neurossm.executors import choose
from neurossm.metrics import answers
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import opened
from neurossm_workflows.made_for import data_for
from neurossm_workflows.parts import Totals, Watcher, note_clipped, samples_of_a_part
from neurossm_workflows.scoring import accuracy_of, labeled_samples, scored, scorer_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.engine import Record
    from neurossm.executors import Engine, Progress, Run
    from neurossm.graph import Graph
    from neurossm.lengths import Lengths
    from neurossm.trace import Trace
    from neurossm_models.data import Dataset
    from neurossm_models.tasks import Scores

LARGEST_TRACE_BYTES = 4 * 2**30


@dataclass(frozen=True)
class Execution:
    """A finished run on data.

    Attributes
    ----------
    trace
        Counters of all samples; values only where a record of them was asked for.
    scores
        None: no labels.
    seconds
        Of stepping, without reading and start-up.
    engine
        What ran, as typed after ``--engine``.
    startup_seconds, notes
        Of the executor, see `neurossm.executors.Run`.
    clipped
        Input values beyond the range of the integers, of `values`.
    labeled
        Samples that have a label anywhere.
    """

    trace: Trace
    scores: Scores | None
    seconds: float
    engine: str = field(kw_only=True)
    startup_seconds: float = field(default=0.0, kw_only=True)
    notes: Mapping[str, Any] = field(default_factory=dict, kw_only=True)
    clipped: int = field(default=0, kw_only=True)
    labeled: int = field(default=0, kw_only=True)

    def __repr__(self) -> str:
        accuracy = "none" if self.accuracy is None else f"{self.accuracy:.4g}"
        return (
            f"Execution: {self.trace.samples} samples on {self.engine} in {self.seconds:.3g} s,"
            f" accuracy {accuracy}, {self.clipped} inputs clipped"
        )

    @property
    def accuracy(self) -> float | None:
        """Share of correct predictions; None for tasks without, and where no label was given."""
        return accuracy_of(self.scores)

    @property
    def steps_per_second(self) -> float:
        """Time steps of samples per second."""
        return self.trace.real_steps / self.seconds


def evaluate(
    graph: Graph | str | Path,
    data: str | Dataset | NDArray[np.integer[Any]],
    engine: str | Engine | None = None,
    *,
    record: Record = "outputs",
    watchers: Sequence[Watcher] = (),
    label: str = "",
    data_dir: str = "",
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Execution:
    """Run a graph on all sequences of data, in batches; keeps predictions, scores and counters.

    Parameters
    ----------
    graph, data
        A graph, or its file; as of `data_for`.
    engine
        Executor with its options, as `neurossm.run` takes it; None: ``fast`` for integers,
        ``float`` for a float graph.
    record
        ``outputs``: no values are kept. Anything else: those values, in one part; refused where
        they are many.
    watchers
        Called with each part, in the order of samples.
    label
        Of the progress; by default the name of the engine.
    data_dir, other_data, listener
        As of `data_for`.

    Raises
    ------
    InputError
        For an unknown engine, data that do not fit, or more values than the memory holds.
    TargetError
        If the engine cannot run here.

    Examples
    --------
    >>> done = neurossm.evaluate("m.int.nssm", "mnist:test:256")
    >>> done.accuracy, done.trace.saturations()
    (0.9921875, 0)
    """
    graph = opened(graph)
    chosen = choose(engine or ("fast" if graph.is_integer else "float"), "--engine")
    chosen.require()
    given = data_for(graph, data, data_dir, other_data=other_data, listener=listener)
    check_size(graph, given.trimmed(), record, data if isinstance(data, str) else "")
    return run_data(graph, given, chosen, record, watchers, label, listener)


def run_data(
    graph: Graph,
    data: Dataset,
    engine: str | Engine = "fast",
    record: Record = "outputs",
    watchers: Sequence[Watcher] = (),
    label: str = "",
    listener: Listener = QUIET,
) -> Execution:
    """Run a graph on data that have been loaded and checked; as `evaluate`."""
    chosen, data = choose(engine), data.trimmed()
    if chosen.executor.compiles:
        with listener.progress("kernels", 1) as progress:
            warm_up(graph, data, chosen)
            progress(1)
    whole, scorer, source = Totals(), scorer_of(graph, data), _Source(data)
    seconds, startup, notes, kept = 0.0, 0.0, dict[str, Any](), None
    with (
        listener.progress(label or f"{chosen.name} engine", len(data)) as progress,
        closing(_runs(graph, source, chosen, record, progress)) as runs,
    ):
        for part, done in runs:
            seconds, startup = seconds + done.seconds, startup + done.startup_seconds
            notes |= done.notes
            whole.add(done.trace)
            if record != "outputs":
                kept = done.trace  # all samples are one part
            if scorer is None and not watchers:
                continue
            found, own = _answers(graph, done), source.given(part, bool(watchers))
            if scorer is not None:
                scorer.add(found, own.labels, own.lengths)
            for watch in watchers:
                watch(part.start, own, found)
    note_clipped(listener, source.clipped, data)
    return Execution(
        whole.trace() if kept is None else kept, scored(scorer), seconds, engine=str(chosen),
        startup_seconds=startup, notes=notes, clipped=source.clipped,
        labeled=labeled_samples(data),
    )  # fmt: skip


class _Source:
    """Inputs of a data set that are read part by part; says how many values were clipped."""

    def __init__(self, data: Dataset) -> None:
        self._data, self._clipped = data, dict[int, int]()
        self._last: tuple[slice, Dataset] | None = None
        self.shape, self.lengths = data.shape, data.lengths

    def __getitem__(self, part: slice) -> NDArray[np.integer[Any]]:
        taken = self._data.take(part)
        self._last = part, taken
        self._clipped[part.start] = taken.clipped  # a part that is sent again counts once
        return taken.inputs

    def given(self, part: slice, with_inputs: bool) -> Dataset:
        """Return samples with their labels; inputs that have gone by are read again if needed."""
        if self._last is not None and self._last[0] == part:
            return self._last[1]
        # labels of the next step are made of the inputs
        again = with_inputs or self._data.kind == "next-step"
        return self._data.take(part) if again else self._data.select(part)

    @property
    def clipped(self) -> int:
        """Values of all samples that were clipped."""
        return self._data.clipped + sum(self._clipped.values())


def _runs(
    graph: Graph, source: _Source, chosen: Engine, record: Record, progress: Progress
) -> Generator[tuple[slice, Run], None, None]:
    """Yield parts of the samples and their runs, in the order of samples."""
    if chosen.executor.stream is not None and record == "outputs":
        yield from chosen.stream(graph, source, progress)
        return
    samples, size = source.shape[0], part_size(graph, source.shape, record, chosen)
    for start in range(0, samples, size):
        part = slice(start, min(start + size, samples))
        lengths: Lengths | None = None if source.lengths is None else source.lengths[part]
        yield part, execute(graph, source[part], chosen, record, progress, lengths)


def part_size(graph: Graph, shape: tuple[int, int, int], record: Record, engine: Engine) -> int:
    """Return how many of ``(n, T, C)`` run at once: all, where their values are to be kept."""
    if record != "outputs":
        return shape[0]
    size = samples_of_a_part(graph, shape[1])
    return max(engine.together, size // engine.together * engine.together)


def _answers(graph: Graph, done: Run) -> NDArray[np.float64]:
    return answers(graph, done.trace) if done.answers is None else done.answers


def warm_up(graph: Graph, data: Dataset, engine: str | Engine = "fast") -> None:
    """Compile what a graph needs (or load it), so that a timing does not contain it."""
    run(graph, data.take(slice(1)).inputs[:, :2], engine, record="outputs")


def check_size(graph: Graph, data: Dataset, record: Record, typed: str = "") -> None:
    """Refuse to record more than a few gigabytes; `typed` is how the user calls the data."""
    if record == "outputs":
        return
    channels = sum(graph.nodes[name].out_channels for name in recorded(graph, record))
    samples, steps, _ = data.shape
    needed = 8 * channels * samples * steps
    if needed > LARGEST_TRACE_BYTES:
        most = LARGEST_TRACE_BYTES // (8 * channels * steps)
        called = re.sub(r":\d+$", "", typed or f"{data.name}:{data.split or 'all'}")
        remedy = f"record at most {most} samples (--data {called}:{most})"
        raise InputError(
            f"trace of {samples} samples",
            expected=f"at most {LARGEST_TRACE_BYTES // 2**30} GiB",
            got=f"{needed / 2**30:.1f} GiB",
            remedy=remedy if most else "one sample is too much: record the outputs alone",
        )
