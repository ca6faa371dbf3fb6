"""The formats of a `LIF`: leaks of as many bits as they need, membranes as fine as their register.

What a membrane loses to the shift of its leak, less than a unit a step, adds up over its time
constant: ``unit / (1 - tau)``. That must be little beside the threshold, whatever the unit of what
arrives. Where the register allows no such unit and still all that inputs within the headroom could
make of a membrane, ``|y| / (1 - tau)``, it holds what calibration saw, with headroom.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import (
    LEAK_FRAC,
    fit_frac,
    round_leaks,
)
from neurossm.graph import Graph
from neurossm.nodes import LIF
from neurossm.quantization.bounds import Bounds, steps_of
from neurossm.quantization.comparisons import FAR, MARGIN
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
        """Fraction bits of an activation that enters without a shift, in the membrane's unit."""
        best = np.minimum(self.most, np.maximum(self.needed, self.safe))
        return int(best[self.reached].min(initial=64))

    def fracs(self, arriving: int | Ints, high: int) -> int | Ints:
        """Return the fraction bits for activations of these fraction bits and up to `high` units.

        Those of the activation where they suit: nothing is shifted then. One number where it suits
        all channels, else ``(C,)``.
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
    bits: int,
    leak_bits: int,
) -> Fit:
    """Return what suits the membranes of a float `LIF` in a register of `bits` bits."""
    node = graph.nodes[name]
    assert isinstance(node, LIF)
    steps = steps_of(graph)
    leak = leak_frac(node, leak_bits, steps or HORIZON)
    tau, rho = _rounded(node.tau, leak), _rounded(node.rho, leak)
    theta, kappa = np.asarray(node.theta), np.asarray(node.kappa)
    entering = rules.entering(name)

    safe = rules.membrane(name, _lost(tau, steps))
    far = theta > FAR * safe
    upward = _upward(name, graph, rules.worst(), tau) if far.any() else np.full(theta.shape, np.inf)
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


def membranes_behind(graph: Graph, name: str) -> list[str]:
    """Return the `LIF` that receive what a node sends."""
    return [target for target in graph.targets[name] if isinstance(graph.nodes[target], LIF)]


def _rounded(leaks: object, frac: int) -> Reals:
    mantissas = round_leaks(np.asarray(leaks, dtype=np.float64), frac)
    return np.asarray(np.ldexp(mantissas, -frac), dtype=np.float64)


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
