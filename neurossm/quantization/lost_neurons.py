"""What quantizing lost of adaptive and of resonating neurons."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neurossm.nodes import AdaptiveLIF, ResonateAndFire, quantized, reals
from neurossm.quantization.lost import SHARE, At, Loss, lost_of_type, unit_of
from neurossm.quantization.lost_states import drifts, leaks, silenced
from neurossm.quantization.quantize_adaptive import lost_units as lost_of_adaptive
from neurossm.quantization.quantize_resonator import lost_units as lost_of_resonator
from neurossm.quantization.response import LONGEST

Reals = NDArray[np.float64]
CONSTANT = 0.005  # of a response to a constant drive: near a threshold, 10 times as much of a rate


@lost_of_type.register(AdaptiveLIF)
def _adaptive(node: AdaptiveLIF, made: AdaptiveLIF, at: At) -> Iterator[Loss]:
    yield from leaks(at, ("tau", "rho"))
    membrane, adaptation = lost_of_adaptive(node, made, at.steps)
    yield from drifts(at, "membrane", membrane, quantized(made.theta))
    yield from drifts(at, "adaptation", adaptation, quantized(made.b))
    for name in ("a", "b"):
        before, after = reals(getattr(node, name)), quantized(getattr(made, name))
        gone = (before != 0) & (after.values == 0) & ~silenced(at)
        if gone.any():
            worst = int(np.argmax(np.where(gone, np.abs(before), 0.0)))
            reason = f"up to {abs(before[worst]):.3g} became 0; {unit_of(after, worst)}"
            yield at.loss(name, gone, reason)


@lost_of_type.register(ResonateAndFire)
def _resonating(node: ResonateAndFire, made: ResonateAndFire, at: At) -> Iterator[Loss]:
    for what, away, most in (
        ("impulse response", moved_poles(node, made, min(at.steps, LONGEST)), SHARE),
        ("response to a constant", moved_constants(node, made), CONSTANT),
    ):
        bad = away > most
        if bad.any():
            worst, bits = int(np.argmax(away)), quantized(made.a_re).bits
            reason = f"the {what} of channel {worst} is off by {away[worst]:.1%}"
            wider = bits + math.ceil(math.log2(away[worst] / most))
            yield at.loss("poles", bad, reason, bits=wider, setting="pole_bits")
            break
    theta = quantized(made.theta)
    unit = np.exp2(-theta.frac_by_channel().astype(float))
    yield from drifts(at, "state", lost_of_resonator(made, at.steps) * unit, theta)


def moved_constants(node: ResonateAndFire, made: ResonateAndFire) -> Reals:
    """Return how far what a constant drive makes of a state, ``1 / (1 - a)``, is off, ``(C,)``."""
    before, after = (1 - reals(one.a_re) - 1j * reals(one.a_im) for one in (node, made))
    return np.abs(before / after - 1)


def moved_poles(node: ResonateAndFire, made: ResonateAndFire, steps: int) -> Reals:
    """Return the largest difference of each response ``a^k``, ``(C,)``, which begins with 1."""
    before, after = (reals(one.a_re) + 1j * reals(one.a_im) for one in (node, made))
    first, second, found = np.ones_like(before), np.ones_like(after), np.zeros(len(before))
    for _ in range(steps):
        first, second = first * before, second * after
        found = np.maximum(found, np.abs(second - first))
    return found
