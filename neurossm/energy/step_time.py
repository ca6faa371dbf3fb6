"""How long a step takes: the largest of its terms at least, their sum in one core at most."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from neurossm.energy.interval import Interval, interval_of
from neurossm.energy.placed import CoreLoad
from neurossm.energy.work import Work
from neurossm.hardware import Hardware
from neurossm.metrics.step_time import StepTime, terms_of


def time_of_step(work: Work, steps: int, hardware: Hardware, chips: int) -> Interval | None:
    """Return the seconds that one step takes, or None where the file lacks a time.

    Low: the largest of the chip's shortest step, all neuron passes and all synaptic operations,
    each spread evenly over all cores; no placement is faster. High: the largest of Intel's measured
    step of an S4D network, all synaptic operations on one core, and all passes that fit on one.
    """
    timing, limits = hardware.timing, hardware.limits
    parts = (timing.syn_op, timing.neuron_pass, timing.min_step, timing.measured_step)
    if any(part is None for part in (*parts, limits.cores, limits.neuron_words_per_core)):
        return None
    syn_op, neuron_pass, shortest, measured = (
        interval_of(hardware.require("timing", key))
        for key in ("syn_op", "neuron_pass", "min_step", "measured_step")
    )
    cores = hardware.require("limits", "cores").high * chips
    one_core = hardware.require("limits", "neuron_words_per_core").high
    syn_ops, passes = work.syn_ops * (1 / steps), work.passes * (1 / steps)
    most_passes = max((p.high for p in hardware.passes.values()), default=1.0)
    return Interval(
        max(
            shortest.low,
            passes.low / cores * neuron_pass.low,
            syn_ops.low / cores * syn_op.low,
        ),
        max(
            measured.high,
            min(passes.high, one_core * most_passes) * neuron_pass.high,
            syn_ops.high * syn_op.high,
        ),
    )


def time_on_cores(loads: Iterable[CoreLoad], hardware: Hardware, chips: int = 1) -> Interval | None:
    """Return the seconds of a mean step on placed cores, or None where the file lacks a time.

    The terms of `neurossm.metrics.step_time`: low is the largest of the chip's shortest step and,
    of any core, its synaptic operations or its neuron passes. High: both of them one after the
    other in the slowest core, then the synchronization that was published for several chips (10 us;
    on one chip it may be less), and no less than Intel's measured step where the file has one: that
    holds a fixed cost which no published term explains.
    """
    timing = hardware.timing
    if timing.syn_op is None or timing.neuron_pass is None or timing.min_step is None:
        return None
    each = list(loads)
    syn_ops, passes = (
        np.array([[getattr(part, end) for part in parts] for end in ("low", "high")])
        for parts in ([load.syn_ops for load in each], [load.passes for load in each])
    )
    names = [f"core {position}" for position in range(len(each))]
    found = StepTime(tuple(terms_of(syn_ops, passes, chips, hardware, names)))
    return Interval(found.low, found.high)
