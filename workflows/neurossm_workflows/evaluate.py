"""Running a graph on data part by part: of each only answers, scores and counters are kept."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from neurossm.engine import run
from neurossm.metrics import answers
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.parts import (
    TOGETHER,
    Totals,
    Watcher,
    in_parts,
    note_clipped,
    samples_of_a_part,
)
from neurossm_workflows.scoring import accuracy_of, scored, scorer_of

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm.trace import Trace
    from neurossm_models.data import Dataset
    from neurossm_models.tasks import Scores


@dataclass(frozen=True)
class Execution:
    """A finished run on data.

    Attributes
    ----------
    trace
        Counters of all samples.
    scores
        None: no labels.
    seconds
        Of stepping, without reading and start-up.
    clipped
        Input values beyond the range of the integers, of `values`.
    """

    trace: Trace
    scores: Scores | None
    seconds: float
    clipped: int = field(default=0, kw_only=True)

    @property
    def accuracy(self) -> float | None:
        """Share of right answers; None for tasks without, and where no label was given."""
        return accuracy_of(self.scores)

    @property
    def steps_per_second(self) -> float:
        """Time steps of samples per second."""
        return self.trace.real_steps / self.seconds


def execute(
    graph: Graph,
    data: Dataset,
    engine: str = "fast",
    *,
    watchers: Sequence[Watcher] = (),
    label: str = "",
    listener: Listener = QUIET,
) -> Execution:
    """Run all sequences of loaded data.

    Parameters
    ----------
    watchers
        Called with each part, in the order of samples.
    label
        Of the progress; by default the name of the engine.
    """
    data = data.trimmed()
    if engine == "fast":
        with listener.progress("kernels", 1) as progress:
            warm_up(graph, data)
            progress(1)
    size = samples_of_a_part(graph, data.shape[1])
    size = max(TOGETHER, size // TOGETHER * TOGETHER)
    whole, scorer = Totals(), scorer_of(graph, data)
    seconds, clipped = 0.0, data.clipped
    with listener.progress(label or f"{engine} engine", len(data)) as progress:
        for start, part in in_parts(data, size):
            started = time.perf_counter()
            trace = run(graph, part.inputs, engine, "outputs", progress, lengths=part.lengths)
            seconds += time.perf_counter() - started
            clipped += part.clipped
            whole.add(trace)
            if scorer is None and not watchers:
                continue
            found = answers(graph, trace)
            if scorer is not None:
                scorer.add(found, part.labels, part.lengths)
            for watch in watchers:
                watch(start, part, found)
    note_clipped(listener, clipped, data)
    return Execution(whole.trace(), scored(scorer), seconds, clipped=clipped)


def warm_up(graph: Graph, data: Dataset) -> None:
    """Compile the kernels of a graph (or load them), so that a timing does not contain it."""
    run(graph, data.take(slice(1)).inputs[:, :2], "fast", record="outputs")
