"""The formats of a `LIF`: leaks of as many bits as they need, membranes as fine as their register.

What a membrane loses to the shift of its leak, less than a unit a step, adds up over its time
constant: ``unit / (1 - tau)``. That must be little beside the threshold, whatever the unit of what
arrives. Where the register allows no such unit and still all that inputs within the headroom could
make of a membrane, ``|y| / (1 - tau)``, it holds what calibration saw, with headroom.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import (
    LEAK_FRAC,
    Quantized,
    fit_frac,
    round_leaks,
    round_to,
    symmetric_limit,
)
from neurossm.graph import Graph
from neurossm.nodes import LIF
from neurossm.quantization.bounds import Bounds
from neurossm.quantization.comparisons import FAR, MARGIN, thresholds
from neurossm.quantization.ranges import RangeRules
from neurossm.quantization.reach import summed

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]
LEAST = 2.0**-64  # of a threshold: it is one unit at least
PRECISE = 12  # bits of the threshold that stay right after all that a leak loses to its shift
LEAK_ERROR = 0.002  # of what a constant input adds up to: beyond, a leak gets more bits
HORIZON = 2**15  # steps for which that is asked where the graph does not say how long it runs
FOR_EVER = 2.0**40  # steps: without leak and end, what takes longer is never reached
EXACT_BITS = 52  # of an input at the membrane's exponent


@dataclass(frozen=True, eq=False)
class Fit:
    """Fraction bits that suit the membranes of a `LIF`, ``(C,)`` each.

    Attributes
    ----------
    safe
        The most with which no input within the headroom saturates them.
    most
        The most with which they hold what was seen, with headroom, and the threshold.
    needed
        As many as their slowest leak needs, see `PRECISE`.
    leaks
        False where nothing leaks bit by bit: all of what arrives is kept, or nothing, exactly.
    subtracted
        What a spike takes off the membrane, real units; 0 for a hard reset or none.
    reached
        False where the membrane provably never reaches its threshold, whatever arrives.
    leak
        Fraction bits of the leaks, one number.
    """

    safe: Ints
    most: Ints
    needed: Ints
    leaks: NDArray[np.bool_]
    subtracted: Reals
    reached: NDArray[np.bool_]
    leak: int

    @property
    def message(self) -> int:
        """Fraction bits of a message that needs no shift on entry, in the membrane's own unit."""
        best = np.minimum(self.most, np.maximum(self.needed, self.safe))
        return int(best[self.reached].min(initial=64))

    def fracs(self, arriving: int | Ints, high: int) -> int | Ints:
        """Return the fraction bits for messages of these fraction bits and up to `high` units.

        Those of the message where they suit: nothing is shifted then. One number where it suits all
        channels, else ``(C,)``.
        """
        # sums of what arrives are whole units of it: without a leak nothing finer is needed, if
        # what is subtracted is whole too (rounded up, it would be too much at each spike)
        whole = np.ldexp(self.subtracted, arriving) % 1 == 0
        needed = np.where(self.leaks | ~whole, self.needed, np.minimum(self.needed, arriving))
        suits = (needed <= arriving) & (arriving <= self.safe)
        best = np.where(suits, arriving, np.minimum(self.most, np.maximum(needed, self.safe)))
        best = np.minimum(best, arriving + EXACT_BITS - int(high).bit_length())
        shared = int(best.min())
        return shared if np.all((shared >= needed) | (shared == best)) else best


def membrane_fit(
    name: str,
    graph: Graph,
    rules: RangeRules,
    worst: Callable[[], Bounds],
    bits: int,
    leak_bits: int,
) -> Fit:
    """Return what suits the membranes of a float `LIF` in a register of `bits` bits.

    `worst` returns the bounds of the graph; it is called for thresholds that look out of reach.
    """
    node = graph.nodes[name]
    assert isinstance(node, LIF)
    steps = steps_of(graph)
    leak = leak_frac(node, leak_bits, steps or HORIZON)
    tau, rho = _rounded(node.tau, leak), _rounded(node.rho, leak)
    theta, kappa = np.asarray(node.theta), np.asarray(node.kappa)
    entering = rules.entering(name)

    safe = rules.membrane(name, _lost(tau, steps))
    far = theta > FAR * safe
    upward = _upward(name, graph, worst(), tau) if far.any() else np.full(theta.shape, np.inf)
    reached = ~(far & (theta > MARGIN * upward))
    seen = np.minimum(safe, rules.seen_membrane(name, theta + kappa + entering))
    # rounding kappa adds up to half a unit of the register at each step of the trace's memory
    trace = kappa / _lost(rho, steps) * (1 + np.minimum(2.0 ** (1 - bits) / _lost(rho, steps), 1))
    # what spikes is above the trace by theta: no trace grows beyond the membrane and one more jump
    limited = np.minimum(trace, seen + kappa)
    holds = np.where(reached, theta, 0.0) * (1 + 2.0 ** (2 - bits))  # rounding up adds a unit

    def fits(*ranges: Reals) -> Ints:
        largest = np.max([np.where(reached, values, 0.0) for values in ranges], axis=0)
        # out of reach: where nothing ends it the unit is above all that arrives, which stays 0
        return _fit(np.where(reached, largest, MARGIN * upward), bits)

    slowest = np.maximum(_memory(tau), _memory(rho) if node.has_trace else 1.0)
    # the next power of two: 2**exponent, or half of it
    part, exponent = np.frexp(slowest / np.maximum(theta, LEAST))
    needed = exponent.astype(np.int64) - (part == 0.5) + PRECISE
    return Fit(
        safe=fits(safe, trace, holds),
        most=fits(seen, limited, holds),
        needed=np.where(reached, np.minimum(np.maximum(needed, -64), 64), -64),
        leaks=slowest > 1,
        subtracted=np.where(reached, theta, 0.0) * (node.reset == "soft"),
        reached=reached,
        leak=leak,
    )


def quantize_lif(node: LIF, fit: Fit, arriving: int | Ints, high: int, bits: int) -> LIF:
    """Return the integer node.

    Parameters
    ----------
    node
        Float node.
    fit
        What suits it.
    arriving
        Fraction bits of what arrives, one number or ``(C,)``.
    high
        Largest integer that arrives.
    bits
        Width of the register.

    Raises
    ------
    RangeError
        If a threshold that can be reached fits no format.
    """
    frac = fit.fracs(arriving, high)
    limit = symmetric_limit(bits)
    kappa = np.minimum(np.asarray(node.kappa), np.ldexp(float(limit), -np.asarray(frac)))
    return replace(
        node,
        # out of reach: the register of such a channel holds more than all that can be reached
        theta=thresholds(np.asarray(node.theta), fit.reached, frac, bits, "the threshold"),
        kappa=Quantized(round_to(kappa, frac, bits), frac, bits),
        tau=_leak(node.tau, fit.leak),
        rho=_leak(node.rho, fit.leak),
    )


def leak_frac(node: LIF, most: int, steps: int) -> int:
    """Return the least fraction bits with which leaks keep their response, or the most allowed."""
    leaks = (node.tau, node.rho) if node.has_trace else (node.tau,)
    for frac in range(LEAK_FRAC, most):
        if all(np.all(response_errors(leak, frac, steps) <= LEAK_ERROR) for leak in leaks):
            return frac
    return most


def response_errors(leaks: object, frac: int, steps: int) -> Reals:
    """Return how much what a constant input adds up to in so many steps changes, as a share."""
    before = summed(np.asarray(leaks, dtype=np.float64), steps)
    return np.asarray(np.abs(summed(_rounded(leaks, frac), steps) / before - 1), dtype=np.float64)


def steps_of(graph: Graph) -> int | None:
    """Return how many steps a graph runs, if it says so."""
    steps = graph.meta.get("steps")
    return steps if isinstance(steps, int) and steps > 0 else None


def _rounded(leaks: object, frac: int) -> Reals:
    mantissas = round_leaks(np.asarray(leaks, dtype=np.float64), frac)
    return np.asarray(np.ldexp(mantissas, -frac), dtype=np.float64)


def _leak(leaks: object, frac: int) -> Quantized:
    mantissas = round_leaks(np.asarray(leaks, dtype=np.float64), frac)
    # a sign bit, as every parameter has one, and one more for a leak of exactly 1
    return Quantized(mantissas, frac, frac + (2 if np.any(mantissas == 2**frac) else 1))


def _lost(leaks: Reals, steps: int | None) -> Reals:
    """Return what a state loses at each step; without leak, one of all steps, or of 4096."""
    lost = 1 - leaks
    return np.asarray(np.where(lost > 0, lost, 1 / (steps or 2**LEAK_FRAC)), dtype=np.float64)


def _memory(leaks: Reals) -> Reals:
    # what does not leak is not shifted, and what leaks at once has nothing to lose
    lost = np.where((leaks > 0) & (leaks < 1), 1 - leaks, 1.0)
    return np.asarray(1 / lost, dtype=np.float64)


def _upward(name: str, graph: Graph, worst: Bounds, tau: Reals) -> Reals:
    """Return how far up the membranes can get without a spike, whatever arrives."""
    high = sum(worst.messages[source].high for source in graph.sources[name])
    kept = summed(tau, worst.steps)
    return np.asarray(np.maximum(high, 0) * np.where(np.isfinite(kept), kept, FOR_EVER))


def _fit(largest: Reals, bits: int) -> Ints:
    return np.array([fit_frac(float(value), bits) for value in largest], dtype=np.int64)
