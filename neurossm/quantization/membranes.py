"""The formats of a `LIF`: leaks of as many bits as they need, membranes as fine as their register.

What a membrane loses to the shift of its leak, less than a unit a step, adds up over its time
constant: ``unit / (1 - tau)``. Where the register allows no such unit and still all that inputs
within the headroom could make of a membrane, ``|y| / (1 - tau)``, it holds what calibration saw,
with headroom.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import LEAK_FRAC, round_leaks
from neurossm.nodes import LIF
from neurossm.quantization.comparisons import FAR, MARGIN
from neurossm.quantization.fit import HORIZON, Fit, Fitting, fit_of, held, needed
from neurossm.quantization.reach import summed

Reals = NDArray[np.float64]
LEAK_ERROR = 0.002  # of what a constant input adds up to: beyond, a leak gets more bits
FOR_EVER = 2.0**40  # steps: without leak and end, what takes longer is never reached


@fit_of.register(LIF)
def _fit(node: LIF, to: Fitting) -> Fit:
    bits, steps, rules = to.bits, to.steps, to.rules
    leak = leak_frac(leaks_of(node), to.leak_bits, steps or HORIZON)
    tau, rho = rounded_leaks(node.tau, leak), rounded_leaks(node.rho, leak)
    theta, kappa = np.asarray(node.theta), np.asarray(node.kappa)
    entering = rules.entering(to.name)

    safe = rules.membrane(to.name, entering / _lost(tau, steps))
    far = theta > FAR * safe
    upward = _upward(to, tau) if far.any() else np.full(theta.shape, np.inf)
    reached = ~(far & (theta > MARGIN * upward))
    seen = np.minimum(safe, rules.seen_membrane(to.name, theta + kappa + entering))
    # rounding kappa adds up to half a unit of the register at each step of the trace's memory
    trace = kappa / _lost(rho, steps) * (1 + np.minimum(2.0 ** (1 - bits) / _lost(rho, steps), 1))
    # what spikes is above the trace by theta: no trace grows beyond the membrane and one more jump
    limited = np.minimum(trace, seen + kappa)
    holds = np.where(reached, theta, 0.0) * (1 + 2.0 ** (2 - bits))  # rounding up adds a unit
    slowest = np.maximum(memory(tau), memory(rho) if node.has_trace else 1.0)
    return Fit(
        safe=held(reached, bits, safe, trace, holds, beyond=MARGIN * upward),
        most=held(reached, bits, seen, limited, holds, beyond=MARGIN * upward),
        needed=np.where(reached, needed(slowest, theta), -64),
        leaks=slowest > 1,
        subtracted=np.where(reached, theta, 0.0) * (node.reset == "soft"),
        reached=reached,
        leak=leak,
    )


def leaks_of(node: LIF) -> tuple[object, ...]:
    """Return the leaks that a `LIF` uses."""
    return (node.tau, node.rho) if node.has_trace else (node.tau,)


def leak_frac(leaks: Sequence[object], most: int, steps: int) -> int:
    """Return the least fraction bits with which leaks keep their response, or the most allowed."""
    for frac in range(LEAK_FRAC, most):
        if all(np.all(response_errors(leak, frac, steps) <= LEAK_ERROR) for leak in leaks):
            return frac
    return most


def response_errors(leaks: object, frac: int, steps: int) -> Reals:
    """Return how much what a constant input adds up to in so many steps changes, as a share."""
    before = summed(np.asarray(leaks, dtype=np.float64), steps)
    after = summed(rounded_leaks(leaks, frac), steps)
    return np.asarray(np.abs(after / before - 1), dtype=np.float64)


def rounded_leaks(leaks: object, frac: int) -> Reals:
    """Return what leaks of so many fraction bits are as real numbers."""
    mantissas = round_leaks(np.asarray(leaks, dtype=np.float64), frac)
    return np.asarray(np.ldexp(mantissas, -frac), dtype=np.float64)


def memory(leaks: Reals) -> Reals:
    """Return over how many steps a state adds up what it loses at each; 1 where it loses none."""
    # what does not leak is not shifted, and what leaks at once has nothing to lose
    lost = np.where((leaks > 0) & (leaks < 1), 1 - leaks, 1.0)
    return np.asarray(1 / lost, dtype=np.float64)


def _lost(leaks: Reals, steps: int | None) -> Reals:
    """Return what a state loses at each step; without leak, one of all steps, or of 4096."""
    lost = 1 - leaks
    return np.asarray(np.where(lost > 0, lost, 1 / (steps or 2**LEAK_FRAC)), dtype=np.float64)


def _upward(to: Fitting, tau: Reals) -> Reals:
    """Return how far up the membranes can get without a spike, whatever arrives."""
    kept = summed(tau, to.steps)
    return np.asarray(to.ends()[1] * np.where(np.isfinite(kept), kept, FOR_EVER))
