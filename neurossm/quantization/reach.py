"""How far a membrane can get: exact bounds from what arrives, for float and for integer neurons."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Quantized
from neurossm.nodes import LIF, FanIn, Found, Register, Span, reals
from neurossm.quantization.bounds import worst_case

Reals = NDArray[np.float64]


def summed(leak: Reals, steps: int | None) -> Reals:
    """Return ``sum leak^k`` over the steps, or over all; infinite where nothing leaks for ever.

    What a constant input of 1 makes of a membrane that starts at 0.
    """
    lost = 1 - leak
    if steps is None:
        return np.where(lost > 0, 1 / np.where(lost > 0, lost, 1.0), np.inf)
    within = -np.expm1(steps * np.log1p(-np.where(lost < 1, lost, 0.5)))
    within = np.where(lost < 1, within, 1.0)  # nothing is kept from step to step
    return np.where(lost > 0, within / np.where(lost > 0, lost, 1.0), float(steps))


def membranes(
    u: Span, theta: Reals, tau: Reals, rho: Reals, kappa: Reals, reset: str, steps: int | None
) -> tuple[Reals, Reals]:
    """Return the largest magnitudes of membrane, before its reset, and of trace, ``(C,)``.

    A membrane is what arrived, leaked: within ``|u| / (1 - tau)``. Upward a reset ends it earlier:
    what is left after a step that did not spike is below ``theta + r``, so the next is below that
    and what arrives. A hard reset leaves nothing of a step that spiked; a soft one leaves less than
    ``r + u``, which is no more, where no input is larger than theta.

    Parameters
    ----------
    u
        What arrives at a step, real units.
    theta, tau, rho, kappa
        Parameters of the `LIF`, real, ``(C,)``.
    reset
        Its reset.
    steps
        For how many steps; None for any number.
    """
    trace = _times(kappa, summed(rho, steps))
    kept = summed(tau, steps)
    low, high = np.maximum(-u.low, 0), np.maximum(u.high, 0)
    upward = _times(high, kept)
    ends = reset == "hard" or (reset == "soft") & (high <= theta)
    upward = np.where(ends, np.minimum(upward, theta + trace + high), upward)
    return np.maximum(_times(low, kept), upward), trace


@worst_case.register(LIF)
def worst_membranes(node: LIF, at: FanIn) -> Found:
    """Return the worst case of leaky integrate-and-fire neurons."""
    theta, tau, rho, kappa = (reals(p) for p in (node.theta, node.tau, node.rho, node.kappa))
    membrane, trace = membranes(at.u, theta, tau, rho, kappa, node.reset, at.steps)
    unit, bits = 0.0, 0
    if isinstance(node.theta, Quantized):
        unit, bits = np.exp2(-node.theta.frac_by_channel().astype(float)), node.theta.bits
    sent, entering = node.bound(at)
    registers = [*entering, Register("membrane", membrane, unit, bits)]
    if node.has_trace:
        registers.append(Register("trace", trace, unit, bits))
    return sent, tuple(registers)


def _times(value: Reals, factor: Reals) -> Reals:
    # silence stays silent, however long it is kept
    return np.multiply(value, factor, out=np.zeros_like(value), where=value > 0)
