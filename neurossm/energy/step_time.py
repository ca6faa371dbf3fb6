"""How long a step takes: the largest of its terms at least, their sum in one core at most."""

from __future__ import annotations

from collections.abc import Iterable

from neurossm.energy.interval import Interval, interval_of
from neurossm.energy.placed import CoreLoad
from neurossm.energy.work import Work
from neurossm.hardware import Hardware, Quantity


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


def time_on_cores(loads: Iterable[CoreLoad], hardware: Hardware) -> Interval | None:
    """Return the seconds of a mean step on placed cores, or None where the file lacks a time.

    Low: the largest of the chip's shortest step and, of any core, its synaptic operations or its
    neuron passes: the published lower-bound model, per-core maxima. High: both of them one after
    the other in the slowest core, then the synchronization that was published for several chips
    (10 us; on one chip it may be less), and no less than Intel's measured step where the file has
    one: that holds a fixed cost which no published term explains.
    """
    timing = hardware.timing
    if timing.syn_op is None or timing.neuron_pass is None or timing.min_step is None:
        return None
    syn_op, neuron_pass = interval_of(timing.syn_op), interval_of(timing.neuron_pass)
    shortest, low, high = interval_of(timing.min_step), 0.0, 0.0
    for load in loads:
        synaptic, neural = syn_op * load.syn_ops, neuron_pass * load.passes
        low = max(low, synaptic.low, neural.low)
        high = max(high, synaptic.high + neural.high)
    barrier = max(_high(timing.barrier_multi_chip), shortest.high)
    return Interval(max(shortest.low, low), max(high + barrier, _high(timing.measured_step)))


def _high(quantity: Quantity | None) -> float:
    return quantity.high if quantity is not None else 0.0
