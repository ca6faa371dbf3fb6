"""The impulse response of a `DiagonalSSM`, step by step, from float or integer nodes.

And so how far it can get: while nothing saturates, by the l1 norm of that response.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Quantized
from neurossm.nodes import DiagonalSSM, FanIn, Found, Register, Span, reals
from neurossm.quantization.bounds import worst_case

Reals = NDArray[np.float64]
LONGEST = 4096  # steps that are followed one by one; beyond, a geometric series bounds the rest


def poles(node: DiagonalSSM) -> NDArray[np.complex128]:
    """Return the poles, ``(C, N)``."""
    return np.asarray(reals(node.a_re) + 1j * reals(node.a_im))


def gains(node: DiagonalSSM) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return b and the constant drive, ``(C, N)`` each."""
    return (
        np.asarray(reals(node.b_re) + 1j * reals(node.b_im)),
        np.asarray(reals(node.drive_re) + 1j * reals(node.drive_im)),
    )


def readout(node: DiagonalSSM) -> NDArray[np.complex128]:
    """Return c, ``(C, N)``."""
    return np.asarray(reals(node.c_re) + 1j * reals(node.c_im))


def impulse_response(node: DiagonalSSM, steps: int) -> Reals:
    """Return ``h_k = 2 Re(sum_N c a^k b)``, with d added at ``k = 0``; shape ``(steps, C)``."""
    found = _answers(node, gains(node)[0], steps)
    found[0] += reals(node.d)
    return found


def constant_response(node: DiagonalSSM, steps: int) -> Reals:
    """Return what the constant drive alone makes of the output, ``(steps, C)``; no bias."""
    return np.cumsum(_answers(node, gains(node)[1], steps), axis=0)


def series(node: DiagonalSSM, steps: int | None) -> Reals:
    """Return ``sum |a|^k`` over the steps, or over all; infinite for poles not inside the circle.

    Times a bound of what enters a state at each step, this bounds the state's magnitude.
    """
    return powers(np.abs(poles(node)), steps)


def powers(modulus: Reals, steps: int | None) -> Reals:
    """Return the sums of the powers of moduli, over the steps or over all; see `series`."""
    inside = modulus < 1
    lost = np.where(inside, 1 - modulus, 1.0)
    if steps is None:
        return np.where(inside, 1 / lost, np.inf)
    at_most_one = np.minimum(modulus, 1.0)
    found = np.where(inside, (1 - at_most_one**steps) / lost, float(steps))
    # a pole beyond 1 grows: its last power bounds the others
    return np.where(modulus > 1, steps * modulus ** min(steps, LONGEST), found)


def tail(node: DiagonalSSM, driven: Reals, steps: int) -> Reals:
    """Return ``sum_{k >= steps} 2 |c| |a|^k driven``, ``(C,)``: what later steps could add."""
    modulus = np.abs(poles(node))
    rest = series(node, None) * modulus**steps
    terms = 2 * np.abs(readout(node)) * driven
    return np.asarray((terms * np.where(terms > 0, rest, 0.0)).sum(axis=1))


def _answers(node: DiagonalSSM, start: NDArray[np.complex128], steps: int) -> Reals:
    a, c = poles(node), readout(node)
    found = np.empty((steps, node.in_channels))
    x = start * c
    for step in range(steps):
        found[step] = 2 * x.real.sum(axis=1)
        x = x * a
    return found


@worst_case.register(DiagonalSSM)
def worst_response(node: DiagonalSSM, at: FanIn) -> Found:
    """Return the worst case of a bank of states."""
    u = at.u.with_zero()
    b, drive = gains(node)
    sums, unit, bits = series(node, at.steps), np.zeros((len(b), 1)), 0
    if isinstance(node.drive_re, Quantized):
        unit, bits = 2.0 ** -node.drive_re.frac_by_channel().astype(float), node.drive_re.bits
    # each part of a state loses less than a unit in each of three products
    lost = np.hypot(3, 3) * unit
    entering = np.abs(b) * u.magnitude[:, None] + np.abs(drive)
    moved = (entering > 0) | (unit > 0)
    size = np.where(moved, (entering + lost) * np.where(moved, sums, 0.0), 0.0)
    state = Register("state", size, unit, bits)
    span = _linear(node, at, u)
    if bits:
        readouts = 2 * np.abs(readout(node)) * lost * sums
        span = span.wider(readouts.sum(axis=1) + node.dropped * at.unit)
        if not state.holds:  # not linear then: but no state leaves its width
            span = _clipped_states(node, at, state.limit * unit)
    sent, registers = at.message(span)
    return sent, (state, *at.entry(), *registers)


def _linear(node: DiagonalSSM, at: FanIn, u: Span) -> Span:
    """Return the span of the output while nothing saturates: the l1 norm of the response."""
    followed = min(at.steps or LONGEST, LONGEST)
    h, constant = impulse_response(node, followed), constant_response(node, followed)
    up, down = np.maximum(h, 0).sum(axis=0), np.minimum(h, 0).sum(axis=0)
    span = Span(up * u.low + down * u.high, up * u.high + down * u.low)
    span = span + Span(constant.min(axis=0), constant.max(axis=0))
    if at.steps is None or at.steps > followed:
        b, drive = gains(node)
        span = span.wider(tail(node, np.abs(b) * u.magnitude[:, None] + np.abs(drive), followed))
    bias = reals(node.bias)
    return span + Span(bias, bias)


def _clipped_states(node: DiagonalSSM, at: FanIn, limit: Reals) -> Span:
    parts = np.abs(reals(node.c_re)) + np.abs(reals(node.c_im))
    reach = (2 * parts * limit).sum(axis=1) + np.abs(reals(node.d)) * at.u.magnitude
    bias = reals(node.bias)
    return Span(bias - reach, bias + reach)
