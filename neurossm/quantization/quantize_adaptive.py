"""Integers of an `AdaptiveLIF`: a unit for its membrane, and a finer one for its adaptation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import (
    POLE_BITS,
    Quantized,
    round_inside,
    round_to,
)
from neurossm.nodes import AdaptiveLIF, quantized, reals
from neurossm.quantization.choices import Around, Choice, explain
from neurossm.quantization.comparisons import FAR, MARGIN, thresholds
from neurossm.quantization.context import QuantizeContext, quantize_node
from neurossm.quantization.coupled import DROPPED, LONGEST, alone, responses
from neurossm.quantization.fit import HORIZON, Fit, Fitting, fit_of, fracs_for, held, needed
from neurossm.quantization.membranes import leak_frac, rounded_leaks
from neurossm.quantization.quantize_lif import leaks_as_integers, shown_leaks

Reals = NDArray[np.float64]
Ints = NDArray[np.int64]
SPIKES = 8.0  # in a row: an adaptation holds so many, also where calibration saw none
FINER, COARSER = 24, 28  # bits between the units of both states, for exact sums


@fit_of.register(AdaptiveLIF)
def _fit(node: AdaptiveLIF, to: Fitting) -> Fit:
    bits, leak = to.bits, leak_frac((node.tau, node.rho), to.leak_bits, to.steps or HORIZON)
    node = _rounded(node, leak)
    theta, entering = reals(node.theta), to.rules.entering(to.name)
    safe, slowest = _safe(node, to)[:, 0], _lost(node, to.steps)[0]
    reached, upward = _reached(node, to)
    seen = np.minimum(safe, to.rules.seen_membrane(to.name, theta + entering))
    holds = np.where(reached, theta, 0.0) * (1 + 2.0 ** (2 - bits))  # rounding up adds a unit
    return Fit(
        safe=held(reached, bits, safe, holds, beyond=MARGIN * upward),
        most=held(reached, bits, seen, holds, beyond=MARGIN * upward),
        needed=np.where(reached, needed(slowest, theta), -64),
        leaks=np.ones(theta.shape, bool),
        subtracted=np.where(reached, theta, 0.0) * (node.reset == "soft"),
        reached=reached,
        leak=leak,
    )


def _rounded(node: AdaptiveLIF, leak: int) -> AdaptiveLIF:
    """Return the node with leaks of so many fraction bits; one that rounds to 1 is just below."""
    tau, rho = rounded_leaks(node.tau, leak), rounded_leaks(node.rho, leak)
    return replace(node, tau=tau, rho=np.minimum(rho, np.nextafter(1, 0)))


def _safe(node: AdaptiveLIF, to: Fitting) -> Reals:
    """Return what inputs within the headroom, and any spikes, make of both states, ``(C, 2)``."""
    found, entering = responses(node, to.steps), to.rules.entering(to.name)
    low, high = found.spiked.span(0.0, 1.0)
    size = found.driven.within(entering) + np.maximum(-low, high)
    ranges = [to.rules.membrane(to.name, size[:, k], what)
              for k, what in enumerate(("membrane", "adaptation"))]  # fmt: skip
    return np.stack(ranges, -1)


def _lost(node: AdaptiveLIF, steps: int | None) -> tuple[Reals, Reals]:
    """Return how many units of either state what shifts drop adds up to in the membrane.

    Of an adaptation that drives its own membrane and never ends, within `LONGEST` steps.
    """
    quiet = replace(node, reset="none")
    both = [responses(quiet, some) for some in (steps, min(steps or LONGEST, LONGEST))]
    u, w = (
        np.where(np.isfinite(ends), ends, within)
        for ends, within in (
            (both[0].driven.both[:, 0], both[1].driven.both[:, 0]),
            (both[0].adapted.both[:, 0], both[1].adapted.both[:, 0]),
        )
    )
    return DROPPED[0] * u, DROPPED[1] * w


def _reached(node: AdaptiveLIF, to: Fitting) -> tuple[NDArray[np.bool_], Reals]:
    """Return where an input can reach the threshold, and how far up it could get."""
    theta, before = reals(node.theta), alone(node, to.steps)
    far = theta > FAR * before.within(to.rules.entering(to.name))[:, 0]
    upward = np.full(theta.shape, np.inf)
    if far.any():
        upward = before.span(*to.ends())[1][:, 0]
    return ~(far & (theta > MARGIN * upward)), upward


def lost_units(node: AdaptiveLIF, made: AdaptiveLIF, steps: int) -> tuple[Reals, Reals]:
    """Return what shifts drop of either state of an integer node, in the membrane, real units."""
    lost = _lost(_rounded(node, int(np.max(quantized(made.tau).frac))), steps)
    u, w = (units * np.exp2(-quantized(p).frac_by_channel().astype(float))
            for units, p in zip(lost, (made.theta, made.b), strict=True))  # fmt: skip
    return u, w


@quantize_node.register(AdaptiveLIF)
def _quantize(node: AdaptiveLIF, to: QuantizeContext) -> AdaptiveLIF:
    fit, bits = to.membranes(), to.settings.state_bits
    frac = fit.fracs(to.arriving.by_channel, to.arriving.high)
    finer = _adaptation(node, to, fit, np.broadcast_to(frac, node.theta.shape))
    return replace(
        node,
        theta=thresholds(reals(node.theta), fit.reached, frac, bits, "the threshold"),
        tau=leaks_as_integers(node.tau, fit.leak),
        rho=leaks_as_integers(node.rho, fit.leak),
        a=Quantized(*round_inside(reals(node.a), POLE_BITS), POLE_BITS),
        b=Quantized(round_to(reals(node.b), finer, bits), finer, bits),
    )


def _adaptation(node: AdaptiveLIF, to: QuantizeContext, fit: Fit, own: Ints) -> int | Ints:
    """Return the fraction bits of the adaptation: as many as it needs and its register allows."""
    bits, rules = to.settings.state_bits, to.rules
    at = Fitting(to.name, to.graph, rules, bits, to.settings.leak_bits)
    node = _rounded(node, fit.leak)
    theta, a, b = (reals(p) for p in (node.theta, node.a, node.b))
    jumps = np.minimum(SPIKES, 1 / (1 - reals(node.rho))) * np.abs(b)
    least = jumps + np.abs(a) * (theta + rules.entering(to.name))
    safe = _safe(node, at)[:, 1]
    seen = np.minimum(safe, rules.seen_membrane(to.name, least, "adaptation"))
    used = np.maximum(np.abs(b), 2.0**-64)  # what a spike adds fits in any case
    most, safest = (fracs_for(np.maximum(size, used), bits) for size in (seen, safe))
    wanted = np.where(fit.reached, needed(_lost(node, at.steps)[1], theta), -64)
    best = np.minimum(most, np.maximum(wanted, safest))
    # neither so fine nor so coarse that a shift between both units would not be exact
    best = np.minimum(np.maximum(best, own - COARSER), own + FINER)
    best = np.minimum(np.maximum(np.where((a == 0) & (b == 0), own, best), -64), 64)
    shared = int(best.min())
    shares = np.all(((shared >= wanted) | (shared == best)) & (shared >= own - COARSER))
    return shared if shares else best


@explain.register(AdaptiveLIF)
def _explain(node: AdaptiveLIF, made: AdaptiveLIF, around: Around) -> Iterator[Choice]:
    yield around.thresholds("theta", made.theta, node.theta, "the membrane's exponent, rounded up")
    yield shown_leaks("tau", made.tau, node.tau, around)
    yield shown_leaks("rho", made.rho, node.rho, around)
    yield around.parameters("a", made.a, node.a, "the largest fits")
    yield around.parameters("b", made.b, node.b, "the adaptation's exponent")
    yield around.messages(made)
