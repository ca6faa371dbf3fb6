"""Running a graph on labeled data with any executor, part by part, as the commands do it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from neurossm.errors import InputError
from neurossm_cli.presentation.console import Console
from neurossm_workflows.made_for import check_task
from neurossm_workflows.parts import (
    TOGETHER,
    Totals,
    in_parts,
    note_clipped,
    samples_of_a_part,
)
from neurossm_workflows.scoring import accuracy_of, scored, scorer_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.engine import Record
    from neurossm.engine.run import Progress
    from neurossm.graph import Graph
    from neurossm.trace import Trace
    from neurossm_converters.backends.lava import LavaOptions
    from neurossm_models.data import Dataset
    from neurossm_models.tasks import Scores

ENGINES = ("reference", "fast", "lava", "float")
LARGEST_TRACE_BYTES = 4 * 2**30
# side by side in one Lava network: the same bits, 18 times less time for each (docs/lava.md); on
# wider networks the states of more samples leave the cache
SAMPLES_ON_LAVA = 32

# is told the position of a part's first sample, the part in memory, and the answers to it
Watcher = Callable[[int, "Dataset", "NDArray[np.float64]"], None]


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
    clipped
        Input values beyond the range of the integers, of `values`.
    """

    trace: Trace
    scores: Scores | None
    seconds: float
    startup_seconds: float = field(default=0.0, kw_only=True)  # of Lava
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
    engine: str,
    record: Record,
    console: Console,
    lava: LavaOptions | None = None,
    watchers: Sequence[Watcher] = (),
    label: str = "",
) -> Execution:
    """Run all sequences of a data set; of each part only answers, scores and counters are kept.

    Parameters
    ----------
    record
        ``outputs``: no values are kept. Anything else: those values, in one part; refused where
        they are many.
    watchers
        Called with each part, in the order of samples.
    label
        Of the progress; by default the name of the engine.
    """
    if engine not in ENGINES:
        raise InputError("--engine", expected=" | ".join(ENGINES), got=repr(engine))
    data = data.trimmed()
    check_task(graph, data, console.listener, other_data=console.other_data)
    check_size(graph, data, record)
    if engine == "fast":
        with console.progress("kernels", 1) as progress:
            warm_up(graph, data)
            progress(1)
    options = lava or lava_options(engine, "", 0, len(data))
    size = part_size(graph, data, record, options)
    whole, scorer = Totals(), scorer_of(graph, data)
    seconds, startup, clipped = 0.0, 0.0, data.clipped
    with console.progress(label or f"{engine} engine", len(data)) as progress:
        for start, part in in_parts(data, size):
            trace, took, began = _run_part(graph, part, engine, record, progress, options)
            seconds, startup, clipped = seconds + took, startup + began, clipped + part.clipped
            whole.add(trace)
            if scorer is not None or watchers:
                _told(graph, trace, start, part, scorer, watchers)
    note_clipped(console.listener, clipped, data)
    kept = trace if size >= len(data) and record != "outputs" else whole.trace()
    return Execution(kept, scored(scorer), seconds, startup_seconds=startup, clipped=clipped)


def part_size(graph: Graph, data: Dataset, record: Record, lava: LavaOptions | None) -> int:
    """Return how many samples run at once: all, where their values are to be kept."""
    if record != "outputs":
        return len(data)
    size = samples_of_a_part(graph, data.shape[1])
    side_by_side = lava.stacked if lava is not None else TOGETHER
    return max(side_by_side, size // side_by_side * side_by_side)


def _run_part(
    graph: Graph,
    part: Dataset,
    engine: str,
    record: Record,
    progress: Progress,
    lava: LavaOptions | None,
) -> tuple[Trace, float, float]:
    """Return the trace of a part, the seconds that it took, and those of Lava's start."""
    if engine == "lava":
        from neurossm_converters.backends.lava import run_timed

        result = run_timed(graph, part.inputs, record, lava, progress, lengths=part.lengths)
        return result.trace, result.stepping_seconds, result.startup_seconds
    from neurossm.engine import run

    started = time.perf_counter()
    trace = run(graph, part.inputs, engine, record, progress, lengths=part.lengths)
    return trace, time.perf_counter() - started, 0.0


def _told(
    graph: Graph,
    trace: Trace,
    start: int,
    part: Dataset,
    scorer: object,
    watchers: Sequence[Watcher],
) -> None:
    from neurossm.metrics import answers

    found = answers(graph, trace)
    if scorer is not None:
        scorer.add(found, part.labels, part.lengths)  # type: ignore[attr-defined]
    for watch in watchers:
        watch(start, part, found)


def lava_options(engine: str, fuse: str, stacked: int, samples: int) -> LavaOptions | None:
    """Return how to run on Lava, None for another engine; "" and 0 stand for the defaults."""
    if engine != "lava":
        if fuse or stacked:
            got = f"--engine {engine}"
            raise InputError("--fuse, --stacked", expected="--engine lava beside them", got=got)
        return None
    from neurossm_converters.backends.lava import LavaOptions

    side_by_side = min(stacked or SAMPLES_ON_LAVA, max(samples, 1))
    return LavaOptions(stacked=side_by_side, fuse=fuse or "auto")  # type: ignore[arg-type]


def warm_up(graph: Graph, data: Dataset) -> None:
    """Compile the kernels of a graph (or load them), so that a timing does not contain it."""
    from neurossm.engine import run

    run(graph, data.take(slice(1)).inputs[:, :2], "fast", record="outputs")


def check_size(graph: Graph, data: Dataset, record: Record) -> None:
    """Refuse to record more than a few gigabytes."""
    if record == "outputs":
        return
    from neurossm.engine.inputs import recorded

    channels = sum(graph.nodes[name].out_channels for name in recorded(graph, record))
    samples, steps, _ = data.shape
    needed = 8 * channels * samples * steps
    if needed > LARGEST_TRACE_BYTES:
        per_sample = 8 * channels * steps
        raise InputError(
            f"trace of {samples} samples",
            expected=f"at most {LARGEST_TRACE_BYTES // 2**30} GiB",
            got=f"{needed / 2**30:.1f} GiB",
            remedy=f"record at most {LARGEST_TRACE_BYTES // per_sample} samples"
            f" (--data {_called(data)}:N)",
        )


def _called(data: Dataset) -> str:
    """Return how data are named on the command line; of one's own only the user knows the path."""
    from neurossm_models.data.registry import names

    return f"{data.name}:{data.split}" if data.name in names() else f"PATH:{data.split or 'all'}"
