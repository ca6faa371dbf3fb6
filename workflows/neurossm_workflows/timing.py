"""Times the float network and the integer engine on this machine, at batch 1 and the best batch."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neurossm.engine.cores import usable_cores
from neurossm.environment import cpu_name, versions
from neurossm_workflows.forms import Form, engine_forms, float_forms, torch_forms
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.powercap import Powercap

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_models.data import Dataset

BATCHES = (1, 8, 32, 128)
REPEATS = 5
SECONDS_A_CASE = 10.0  # no repeat starts later than this
IDLE_SECONDS = 1.0
PACKAGES = ("neurossm", "numpy", "numba", "torch")


@dataclass(frozen=True)
class Timing:
    """One form at one batch size.

    Attributes
    ----------
    form, threads, batch
        What ran.
    steps
        Of a sequence of the batch, to its own end; the mean where they differ.
    repeats
        Runs that were timed, after one that was not.
    seconds_min, seconds_median
        Of one batch, all its steps.
    joules
        By RAPL domain and sample, a mean over the repeats, idle power included; None where there
        is no counter.
    joules_above_idle
        The same, less the power of the idle machine times the time.
    """

    form: str
    threads: int
    batch: int
    steps: float
    repeats: int
    seconds_min: float
    seconds_median: float
    joules: dict[str, float] | None
    joules_above_idle: dict[str, float] | None

    @property
    def samples_per_second(self) -> float:
        """At the fastest repeat."""
        return self.batch / self.seconds_min

    def as_json(self) -> dict[str, object]:
        """Return plain values, times in milliseconds."""
        ms_a_sample, ms_a_step = 1e3 / self.batch, 1e3 / self.steps
        return {
            "form": self.form,
            "threads": self.threads,
            "batch": self.batch,
            "repeats": self.repeats,
            "ms_per_sample": {
                "min": self.seconds_min * ms_a_sample,
                "median": self.seconds_median * ms_a_sample,
            },
            "ms_per_step": {
                "min": self.seconds_min * ms_a_step,
                "median": self.seconds_median * ms_a_step,
            },
            "samples_per_second": self.samples_per_second,
            "joules_per_sample": self.joules,
            "joules_per_sample_above_idle": self.joules_above_idle,
        }


@dataclass(frozen=True)
class CpuTimings:
    """What the float network and the integer engine took on this machine.

    Attributes
    ----------
    machine
        CPU, cores, versions, load; see `machine`.
    float_network
        What the float forms are.
    energy
        ``RAPL``, or why joules could not be read.
    idle_watts
        By RAPL domain; None where there is no counter.
    timings
        Each form at batch 1, and at its best batch.
    """

    machine: dict[str, Any]
    float_network: str
    energy: str
    idle_watts: dict[str, float] | None
    timings: tuple[Timing, ...]
    boundary = "this process on this machine, data in memory; start-up and compilation apart"

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "machine": self.machine,
            "float_network": self.float_network,
            "boundary": self.boundary,
            "energy": self.energy,
            "idle_watts": self.idle_watts,
            "timings": [row.as_json() for row in self.timings],
        }


def measure_cpu(
    graph: Graph, data: Dataset, model: str | None = None, listener: Listener = QUIET
) -> CpuTimings:
    """Return times (and energy, where it can be read) of the float network and of our engine.

    The float network is the PyTorch model of a checkpoint where one is given, in its step form and
    over whole sequences; else the float engine on this graph. Each form at batch 1 and at the batch
    of the most samples a second among `BATCHES`, as far as the data go.

    Raises
    ------
    InputError
        If the checkpoint was trained on other data, or has another shape than the graph.
    """
    data = data.take(slice(max(BATCHES))).trimmed()
    floats = torch_forms(model, graph, data) if model else float_forms(graph, data)
    counters = Powercap.find()
    idle = counters.idle_watts(IDLE_SECONDS) if counters.domains else {}
    rows: list[Timing] = []
    for form in (*floats, *engine_forms(graph, data)):
        listener.tell(f"timing: {form.name}")
        rows += time_form(form, data, counters, idle)
    return CpuTimings(
        machine=machine(),
        float_network=f"PyTorch model of {model!r}" if model else "float engine on this graph",
        energy=counters.reason or "RAPL",
        idle_watts=idle or None,
        timings=tuple(rows),
    )


def time_form(
    form: Form, data: Dataset, counters: Powercap, idle: dict[str, float]
) -> list[Timing]:
    """Return the timing at batch 1, and at the best batch where that is another."""
    batches = [batch for batch in BATCHES if batch <= len(data)]
    speeds = {}
    for batch in batches:
        form.run(batch)  # compiles, allocates
        speeds[batch] = batch / _seconds(form, batch)
    best = max(speeds, key=lambda batch: speeds[batch])
    return [_repeat(form, batch, data, counters, idle) for batch in sorted({1, best})]


def _repeat(
    form: Form, batch: int, data: Dataset, counters: Powercap, idle: dict[str, float]
) -> Timing:
    seconds: list[float] = []
    before, started = counters.read(), time.perf_counter()
    while len(seconds) < REPEATS and time.perf_counter() - started < SECONDS_A_CASE:
        seconds.append(_seconds(form, batch))
    elapsed, spent = time.perf_counter() - started, counters.since(before)
    samples = batch * len(seconds)
    return Timing(
        form.name,
        form.threads,
        batch,
        data.shape[1] if data.lengths is None else float(data.lengths[:batch].mean()),
        len(seconds),
        min(seconds),
        statistics.median(seconds),
        {name: j / samples for name, j in spent.items()} or None,
        {name: (j - idle[name] * elapsed) / samples for name, j in spent.items()} or None,
    )


def _seconds(form: Form, batch: int) -> float:
    started = time.perf_counter()
    form.run(batch)
    return time.perf_counter() - started


def machine(packages: Sequence[str] = PACKAGES) -> dict[str, Any]:
    """Return the CPU and what may disturb a measurement; no name of the machine."""
    return {
        "cpu": cpu_name(),
        "cores": usable_cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": versions(packages),
        "load_average": load_average(),
    }


def load_average() -> list[float] | None:
    """Return the load of the last 1, 5 and 15 minutes; None where the system has none (Windows)."""
    return [round(load, 2) for load in os.getloadavg()] if hasattr(os, "getloadavg") else None


def load_said(load: list[float] | None) -> str:
    """Return the load of the last minute as text."""
    return f"{load[0]:g}" if load else "unknown"
