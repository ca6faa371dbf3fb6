"""The content of a report, as one frozen value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from neurossm.energy import BreakEven, Energy, RateRow
from neurossm.errors import InputError
from neurossm.graph import Graph
from neurossm.metrics import Metrics, Recorded
from neurossm.placement import Placement
from neurossm.trace import Trace


@dataclass(frozen=True, kw_only=True)
class Accuracy:
    """Measured accuracy, as parts of one.

    Attributes
    ----------
    data
        Which samples: ``sMNIST test set``.
    samples
        How many.
    integer
        Of the integer graph: what is deployed.
    float_graph
        Of the float graph; None where it was not run.
    agreement
        Part of samples on which both predict the same; None where the float graph was not run.
    """

    data: str
    samples: int
    integer: float
    float_graph: float | None = None
    agreement: float | None = None

    def __post_init__(self) -> None:
        for name in ("integer", "float_graph", "agreement"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise InputError(f"accuracy {name}", expected="0 to 1", got=str(value))

    @property
    def right(self) -> int:
        """Samples that the integer graph got right."""
        return round(self.integer * self.samples)

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95% interval for the integer graph: what so few samples can tell of others."""
        z, n, p = 1.959964, self.samples, self.integer
        center = (p + z * z / (2 * n)) / (1 + z * z / n)
        half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n)) / (1 + z * z / n)
        return max(0.0, center - half), min(1.0, center + half)


@dataclass(frozen=True, kw_only=True, eq=False)
class Answers:
    """Measured scores of the predictions of any task.

    Attributes
    ----------
    integer, float_graph
        Scores in a line, the main one first; empty where the float graph was not run.
    count
        Predictions that were scored.
    data
        Which samples.
    confusion
        True class (row) by predicted class (column), ``(K, K)``; None for tasks without.
    class_names
        Of its rows; empty: numbers.
    points
        Labels and predictions of a regression, ``(m, 2)``; None for tasks without.
    channels
        Output channel of each point, ``(m,)``; None: all of one.
    channel_names
        Of the output channels; empty: numbers.
    """

    integer: str
    count: int
    float_graph: str = ""
    data: str = ""
    confusion: NDArray[np.int64] | None = None
    class_names: tuple[str, ...] = ()
    points: NDArray[np.float64] | None = None
    channels: NDArray[np.int64] | None = None
    channel_names: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Whether executors computed the same integers.

    Attributes
    ----------
    executors
        Their names.
    samples, values
        On which they ran, and how many values were compared.
    mismatches
        Values that differ; 0: bit-exact.
    """

    executors: tuple[str, ...]
    samples: int
    values: int
    mismatches: int


@dataclass(frozen=True, kw_only=True)
class TimingRow:
    """One implementation of the network on a CPU, at one batch size; times in seconds.

    Attributes
    ----------
    form
        Which implementation ran.
    batch, threads
        Samples at once, and threads.
    seconds_a_sample, median_seconds_a_sample
        Of the fastest repeat, and of the middle one.
    seconds_a_step
        Of the fastest repeat, one time step of the whole batch.
    joules_a_sample
        Name of each RAPL domain and its joules; empty where there is no counter.
    """

    form: str
    batch: int
    threads: int
    seconds_a_sample: float
    median_seconds_a_sample: float
    seconds_a_step: float
    joules_a_sample: tuple[tuple[str, float], ...] = ()

    @property
    def samples_a_second(self) -> float:
        """At the fastest repeat."""
        return 1 / self.seconds_a_sample


@dataclass(frozen=True, kw_only=True)
class Timings:
    """What was timed on the machine that made the report.

    Attributes
    ----------
    machine
        CPU, cores, load, versions.
    float_network
        What the float rows are of.
    boundary
        What is in the times.
    energy
        Where joules come from, or why there are none.
    rows
        What was timed.
    """

    machine: str
    float_network: str
    boundary: str
    energy: str
    rows: tuple[TimingRow, ...]


@dataclass(frozen=True, kw_only=True)
class Report:
    """Everything that `neurossm.report.write_html` writes. What is None was not done.

    Attributes
    ----------
    title
        Heading.
    graph
        The graph that ran.
    metrics
        Of the run over the samples that were counted.
    recorded
        Operations that the recording reference counted in a part of one sequence.
    energy
        Estimated from those metrics.
    rates
        The same at multiples of the measured spike rates.
    break_even
        Of each layer of synapses, the rate at which it costs as much as int8 MACs of its shape.
    steps_per_second
        Real time; None: the graph's own step length.
    timings
        Of the CPU that made the report.
    accuracy
        Measured, of a task that has one.
    answers
        Measured scores of any task, with what is confused with what.
    sample
        A recorded trace; its first sample is drawn.
    file_name, file_hash
        The graph file and its SHA-256.
    versions, seeds
        Name to version, name to seed.
    date
        When it was made, ISO 8601.
    token_names
        What each number of an input of tokens stands for; empty: not known.
    parity
        Of executors that were compared; None: none were.
    measured
        More sentences on what was measured and how.
    placement_problem
        Why the chip cannot hold it; where it does, the placements are those of the energy.
    """

    title: str
    graph: Graph
    metrics: Metrics | None = None
    recorded: Recorded | None = None
    energy: Energy | None = None
    rates: tuple[RateRow, ...] = ()
    break_even: tuple[BreakEven, ...] = ()
    steps_per_second: float | None = None
    timings: Timings | None = None
    accuracy: Accuracy | None = None
    answers: Answers | None = None
    sample: Trace | None = None
    file_name: str = ""
    file_hash: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    seeds: Mapping[str, int] = field(default_factory=dict)
    date: str = ""
    token_names: Sequence[str] = ()
    parity: Parity | None = None
    measured: tuple[str, ...] = ()
    placement_problem: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "versions", MappingProxyType(dict(self.versions)))
        object.__setattr__(self, "seeds", MappingProxyType(dict(self.seeds)))

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Which cores hold what: the placements whose joules are shown."""
        return self.energy.placements if self.energy is not None else ()
