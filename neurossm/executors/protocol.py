"""What an executor is, what it is given, and what it gives back.

B: samples, T: time steps, C: channels of a node, K: classes or channels of an answer.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.trace import Trace

Inputs = Mapping[str, NDArray[np.int64]]
Progress = Callable[[int], None]
TOGETHER = 8  # samples that the engines of the core run together


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Parameters
    ----------
    trace
        Values, final states and counters, in logical time: the latency of an executor does not
        show.
    seconds
        Of stepping, without start-up.
    startup_seconds
        Before the first step: processes started, code compiled for this run.
    notes
        What the executor has to say about the run, as plain values that JSON holds: where it ran
        (``"ran on"``), how many processes it took.
    answers
        From a `stream`, in place of values: of each sequence ``(B, K)`` or ``(B, T, K)``, as
        `neurossm.metrics.answers` works them out.
    """

    trace: Trace
    seconds: float
    startup_seconds: float = 0.0
    notes: Mapping[str, Any] = field(default_factory=dict)
    answers: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "notes", MappingProxyType(dict(self.notes)))


class Source(Protocol):
    """Samples that are read when they are asked for, of a graph with one `Input`."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(B, T, C)``."""

    @property
    def lengths(self) -> Lengths | None:
        """Steps of each sequence, ``(B,)``; None: all have T."""

    def __getitem__(self, part: slice, /) -> NDArray[np.integer[Any]]: ...


@dataclass(frozen=True)
class NoOptions:
    """Of an executor that has none."""


Options = TypeVar("Options")


def _nothing_missing() -> str:
    return ""


def _nothing_lacking(options: object) -> str:
    return ""


def _together(options: object) -> int:
    return TOGETHER


@dataclass(frozen=True)
class Executor(Generic[Options]):
    """Something that runs a graph.

    The module that holds it imports nothing heavy: `run` and `missing` do, when they are called.

    Parameters
    ----------
    name
        As typed after ``--engine``; that of the entry point.
    about
        What it is, in one line.
    run
        ``run(graph, inputs, record, options, progress, lengths) -> Run``, called with what has been
        checked: a valid graph, an integer one if `exact`; inputs by name ``(B, T, C)``, int64, in
        the range of their format, 0 past the ends; the names of the nodes whose values to keep;
        a function to be told how many samples were done since the last call; the steps of each
        sequence ``(B,)``, None where all have T. It raises `NeurossmError` for what the user
        can help, and leaves nothing running.
    options
        Frozen dataclass of its options: `int`, `float`, `bool`, `str`, a `Literal` or
        ``tuple[str, ...]``, each with a default. It raises `InputError` for what is out of range,
        by the name of the field.
    missing
        Why it cannot run here, with the command that helps; empty if it can. Imports nothing heavy.
    exact
        True: it takes integer graphs, and has the bits of the reference. False: real numbers.
    counters
        False where its traces have no counters of operations.
    inside
        False where only what the outputs send can be read, and the states of the last sample: as
        of a chip.
    compiles
        True where the first run compiles: who measures the time runs two steps of a sample before.
    together
        Samples that it runs together, with these options: parts of data are multiples of it.
    stream
        ``stream(graph, source, options, progress)``, a generator, for an executor that keeps many
        parts of the data in flight: reads inputs, which nobody has checked yet, when it needs them;
        yields a slice of the samples and its `Run`, in the order of samples, with `Run.answers` and
        counters and no values; ends what it started when it is closed. None: who has many samples
        calls `run` again and again.
    lacks
        Why it cannot run here with these options, where nothing is `missing`: a device that is not
        there. Imports nothing heavy.
    """

    name: str
    about: str
    run: Callable[[Graph, Inputs, tuple[str, ...], Options, Progress, Lengths | None], Run]
    options: type[Options]
    missing: Callable[[], str] = _nothing_missing
    exact: bool = True
    counters: bool = True
    inside: bool = True
    compiles: bool = False
    together: Callable[[Options], int] = _together
    stream: (
        Callable[[Graph, Source, Options, Progress], Generator[tuple[slice, Run], None, None]]
        | None
    ) = None
    lacks: Callable[[Options], str] = _nothing_lacking


def timed(work: Callable[[], Trace]) -> Run:
    """Return the run that some work is, which has no start-up."""
    started = time.perf_counter()
    trace = work()
    return Run(trace, time.perf_counter() - started)
