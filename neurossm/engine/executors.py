"""The engines of the core as executors; each is imported when it runs (Numba is slow to import)."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.engine.cores import check_count
from neurossm.executors import Executor, Inputs, NoOptions, Progress, Run, timed
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.trace import Trace


@dataclass(frozen=True)
class FastOptions:
    """Options of ``fast``.

    Parameters
    ----------
    threads
        At least 1, at most 16 a core; 0: one for each core that this process may use.
    """

    threads: int = 0

    def __post_init__(self) -> None:
        check_count("threads", self.threads)


def _reference(
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    options: NoOptions,
    progress: Progress,
    lengths: Lengths | None,
) -> Run:
    from neurossm.engine import reference

    def work() -> Trace:
        return reference.run(graph, dict(inputs), record, lengths=lengths)

    done = timed(work)
    progress(done.trace.samples)
    return done


def _fast(
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    options: FastOptions,
    progress: Progress,
    lengths: Lengths | None,
) -> Run:
    from neurossm.engine import fast

    threads = options.threads or None
    return timed(lambda: fast.run(graph, dict(inputs), record, progress, threads, lengths))


def _float(
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    options: NoOptions,
    progress: Progress,
    lengths: Lengths | None,
) -> Run:
    from neurossm.engine import floating

    return timed(lambda: floating.run(graph, dict(inputs), record, progress, lengths))


FAST = Executor(
    "fast", "compiled by Numba, a whole sequence at a time", _fast, FastOptions, compiles=True
)
REFERENCE = Executor(
    "reference", "the specification: NumPy integers, one step at a time", _reference, NoOptions
)
FLOAT = Executor(
    "float", "real numbers, of a float or an integer graph", _float, NoOptions, exact=False,
    counters=False,
)  # fmt: skip
