"""How long a step takes: the largest of its terms at least, their sum in one core at most."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from neurossm.energy.interval import Interval
from neurossm.energy.placed import CoreLoad
from neurossm.hardware import Hardware
from neurossm.metrics.step_time import StepTime, terms_of


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
