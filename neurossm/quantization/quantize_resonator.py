"""Integers of a `ResonateAndFire`: poles inside the circle, states as fine as their register."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Quantized, project_poles
from neurossm.nodes import FanIn, Found, Register, ResonateAndFire, quantized, reals
from neurossm.quantization.bounds import worst_case
from neurossm.quantization.choices import Around, Choice, explain
from neurossm.quantization.comparisons import FAR, MARGIN, thresholds
from neurossm.quantization.context import QuantizeContext, quantize_node
from neurossm.quantization.fit import Fit, Fitting, fit_of, held, needed
from neurossm.quantization.response import LONGEST, power_sums

Reals = NDArray[np.float64]
DROPPED = 3.0  # units that shifts drop of either part of a state at a step, less than these


def moduli(node: ResonateAndFire) -> Reals:
    """Return the magnitudes of the poles, ``(C,)``."""
    return np.hypot(reals(node.a_re), reals(node.a_im))


@fit_of.register(ResonateAndFire)
def _fit(node: ResonateAndFire, to: Fitting) -> Fit:
    bits, theta, kept = to.bits, reals(node.theta), power_sums(moduli(node), to.steps)
    entering = to.rules.entering(to.name)
    safe = to.rules.membrane(to.name, _times(entering, kept), "state")
    far, upward = theta > FAR * safe, np.full(theta.shape, np.inf)
    if far.any():
        low, high = to.ends()
        upward = _times(_drive(node, np.maximum(-low, high)), kept)
    reached = ~(far & (theta > MARGIN * upward))
    seen = np.minimum(safe, to.rules.seen_membrane(to.name, theta + entering))
    holds = np.where(reached, theta, 0.0) * (1 + 2.0 ** (2 - bits))  # rounding up adds a unit
    return Fit(
        safe=held(reached, bits, safe, holds, beyond=MARGIN * upward),
        most=held(reached, bits, seen, holds, beyond=MARGIN * upward),
        needed=np.where(reached, needed(lost_units(node, to.steps), theta), -64),
        leaks=moduli(node) > 0,
        subtracted=np.where(reached, theta, 0.0) * (node.reset == "soft"),
        reached=reached,
        leak=0,
    )


def lost_units(node: ResonateAndFire, steps: int | None) -> Reals:
    """Return how many units what shifts drop adds up to in a state, ``(C,)``."""
    return DROPPED * power_sums(np.minimum(moduli(node), 1.0), steps or LONGEST)


def _drive(node: ResonateAndFire, largest: Reals) -> Reals:
    """Return the largest magnitudes of the drive for those of what arrives, channel by channel."""
    parts = largest.reshape(-1, node.out_channels)
    return np.asarray(np.sqrt((parts**2).sum(axis=0)))


@worst_case.register(ResonateAndFire)
def worst_states(node: ResonateAndFire, at: FanIn) -> Found:
    """Return the worst case of resonators: a reset only makes a state smaller."""
    unit, bits = np.zeros(node.out_channels), 0
    if isinstance(node.theta, Quantized):
        unit, bits = np.exp2(-node.theta.frac_by_channel().astype(float)), node.theta.bits
    entering = _drive(node, at.u.magnitude) + np.hypot(DROPPED, DROPPED) * unit
    sent, registers = node.bound(at)
    size = _times(entering, power_sums(moduli(node), at.steps))
    return sent, (*registers, Register("state", size, unit, bits))


@quantize_node.register(ResonateAndFire)
def _quantize(node: ResonateAndFire, to: QuantizeContext) -> ResonateAndFire:
    fit, bits, pole_bits = to.membranes(), to.settings.state_bits, to.settings.pole_bits
    # of a complex drive either part may have exponents of its own
    arriving = np.asarray(to.arriving.by_channel)
    if arriving.ndim:
        arriving = arriving.reshape(-1, node.out_channels).min(axis=0)
    frac = fit.fracs(arriving if arriving.ndim else int(arriving), to.arriving.high)
    a_re, a_im = project_poles(reals(node.a_re), reals(node.a_im), pole_bits)
    return replace(
        node,
        a_re=Quantized(a_re, pole_bits - 1, pole_bits),
        a_im=Quantized(a_im, pole_bits - 1, pole_bits),
        theta=thresholds(reals(node.theta), fit.reached, frac, bits, "the threshold"),
    )


@explain.register(ResonateAndFire)
def _explain(node: ResonateAndFire, made: ResonateAndFire, around: Around) -> Iterator[Choice]:
    yield around.choice("poles", f"Q1.{quantized(made.a_re).bits - 1}", "parameters",
                        "to nearest, then inside the unit circle")  # fmt: skip
    yield around.thresholds("theta", made.theta, node.theta, "the state's exponent, rounded up")
    yield around.messages(made)


def _times(value: Reals, factor: Reals) -> Reals:
    # silence stays silent, however long it is kept
    return np.multiply(value, factor, out=np.zeros_like(value), where=value > 0)
