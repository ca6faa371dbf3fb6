"""The entry of the Lava executor: checks, plans, runs the worker, returns the trace."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm import contract
from neurossm.engine.inputs import Record, padded_inputs, recorded
from neurossm.executors import Progress
from neurossm.graph import Graph
from neurossm.lengths import checked_lengths
from neurossm.temporary import temporary_folder
from neurossm.trace import Trace
from neurossm_converters.backends.lava import shim
from neurossm_converters.backends.lava.child import run_worker
from neurossm_converters.backends.lava.job import Job
from neurossm_converters.backends.lava.options import LavaOptions
from neurossm_converters.backends.lava.orders import Orders
from neurossm_converters.backends.lava.record import PROGRESS
from neurossm_converters.backends.lava.result import read


@dataclass(frozen=True)
class LavaRun:
    """A finished run on Lava's CPU simulator. Nothing here is a measurement of a chip.

    Attributes
    ----------
    trace
        Values, states and counters in logical time.
    latency
        Network steps by which the slowest node lagged behind the inputs.
    processes
        Lava processes in the network.
    network_steps
        Steps that the network made.
    startup_seconds
        Starting Python, importing, compiling and forking.
    stepping_seconds
        From the first step to the last, without start-up.
    """

    trace: Trace
    latency: int
    processes: int
    network_steps: int
    startup_seconds: float
    stepping_seconds: float

    @property
    def steps_per_second(self) -> float:
        """Time steps of samples per second of stepping."""
        return self.trace.real_steps / self.stepping_seconds


def run(
    graph: Graph,
    inputs: NDArray[np.integer] | Mapping[str, NDArray[np.integer]],
    record: Record = "all",
    options: LavaOptions | None = None,
    progress: Progress | None = None,
    lengths: ArrayLike | None = None,
) -> Trace:
    """Run an integer graph on Lava; the bits of `neurossm.engine.reference`.

    Parameters
    ----------
    graph, inputs, record, progress, lengths
        As for `neurossm.engine.run.run`.
    options
        How to run; None for the defaults of `LavaOptions`: one sample at a time.

    Raises
    ------
    GraphError, InputError, RangeError
        If the graph or the inputs cannot be run; before anything is started.
    TargetError
        If Lava is not installed, or failed: then a `LavaError` with the traceback in `details`.
    """
    return run_timed(graph, inputs, record, options, progress, lengths).trace


def run_timed(
    graph: Graph,
    inputs: NDArray[np.integer] | Mapping[str, NDArray[np.integer]],
    record: Record = "all",
    options: LavaOptions | None = None,
    progress: Progress | None = None,
    lengths: ArrayLike | None = None,
) -> LavaRun:
    """Run as `run` does and return the trace with its timing."""
    contract.require(graph)
    arrays, ends = padded_inputs(graph, inputs, lengths)
    steps = next(iter(arrays.values())).shape[1]
    if ends is not None:  # what no sequence needs is not run
        arrays = {name: array[:, : ends.max()] for name, array in arrays.items()}
    job = Job(
        graph, arrays, recorded(graph, record), options or LavaOptions(),
        checked_lengths(ends, *next(iter(arrays.values())).shape[:2]),
    )  # fmt: skip
    found = run_job(job, progress)
    if ends is None or job.steps == steps:
        return found
    width = ((0, 0), (0, steps - job.steps), (0, 0))
    values = {name: np.pad(array, width) for name, array in found.trace.values.items()}
    return replace(found, trace=replace(found.trace, values=values, steps=steps, lengths=ends))


def run_job(job: Job, progress: Progress | None = None) -> LavaRun:
    """Run a job whose graph and inputs have been checked."""
    orders = job.orders()
    shim.require_lava()
    with temporary_folder("lava") as temporary:
        with temporary.filling():
            job.save(temporary.path, orders)
        meter = _Meter(orders, temporary.path, progress)
        startup = run_worker(temporary, job.options.time_limit, meter.look)
        trace, stepping = read(job, temporary.path)
    meter.advance_to(job.samples)
    return LavaRun(
        trace=trace,
        latency=orders.plan.latency,
        processes=orders.layout.processes,
        network_steps=orders.network_steps,
        startup_seconds=startup,
        stepping_seconds=stepping,
    )


class _Meter:
    """Tells how many samples the nodes have made, from the file in which they note it."""

    def __init__(self, orders: Orders, folder: Path, progress: Progress | None) -> None:
        self.orders, self.progress, self.file, self.done = orders, progress, folder / PROGRESS, 0
        self.latencies = np.array([orders.plan.latencies[name] for name in orders.order])

    def look(self) -> int:
        """Read the file, report, and return the steps that all processes have made."""
        try:
            steps = np.load(self.file, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return 0  # not there yet, or just being written
        # samples side by side end together: on the way, their share of steps is told
        made = max(int((steps - self.latencies).min()), 0) * self.orders.options.batch
        self.advance_to(min(made // self.orders.steps, self.orders.samples))
        return int(steps.sum())

    def advance_to(self, samples: int) -> None:
        """Report the samples done since the last time."""
        if self.progress is not None and samples > self.done:
            self.progress(samples - self.done)
            self.done = samples
