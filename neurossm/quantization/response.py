"""The impulse responses of complex states, step by step, from float or integer nodes.

And so how far they can get: while nothing saturates, by the l1 norm of that response.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Quantized
from neurossm.nodes import ComplexDiagonal, DiagonalSSM, FanIn, Found, Register, Span, reals
from neurossm.quantization.bounds import worst_case

Reals = NDArray[np.float64]
LONGEST = 4096  # steps that are followed one by one; beyond, a geometric series bounds the rest


Recurrence = DiagonalSSM | ComplexDiagonal


def poles(node: Recurrence) -> NDArray[np.complex128]:
    """Return the poles, ``(C, N)``, or ``(C,)`` of a `ComplexDiagonal`."""
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


def series(node: Recurrence, steps: int | None) -> Reals:
    """Return ``sum |a|^k`` over the steps, or over all; infinite for poles not inside the circle.

    Times a bound of what enters a state at each step, this bounds the state's magnitude.
    """
    return power_sums(np.abs(poles(node)), steps)


def power_sums(modulus: Reals, steps: int | None) -> Reals:
    """Return the sums of the powers of magnitudes, over the steps or over all; see `series`."""
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


def powers(node: ComplexDiagonal, steps: int) -> NDArray[np.complex128]:
    """Return ``a^k``, what a real impulse makes of each state, ``(steps, C)``."""
    a = poles(node)
    found = np.empty((steps, len(a)), np.complex128)
    x = np.ones_like(a)
    for step in range(steps):
        found[step] = x
        x = x * a
    return found


@worst_case.register(ComplexDiagonal)
def worst_states(node: ComplexDiagonal, at: FanIn) -> Found:
    """Return the worst case of complex states that are sent."""
    u, integer = at.u.with_zero(), node.is_integer
    sums, unit, bits = series(node, at.steps), np.zeros(node.complex_states), 0
    if integer:
        unit, bits = np.exp2(-node.state_frac.astype(float)), node.state_bits
    # each part loses less than a unit in each of two products, and in the shift of its input
    lost = np.hypot(3, 3) * unit
    magnitude = np.hypot(*u.magnitude.reshape(2, -1))
    entering = magnitude + lost
    size = np.where(entering > 0, entering * np.where(entering > 0, sums, 0.0), 0.0)
    state = Register("state", size, unit, bits)
    span = _sent_parts(node, at.steps, u, magnitude)
    if integer:
        span = span.wider(np.tile(lost * sums, 2))
        if not state.holds:  # not linear then: but no part leaves its width
            ends = np.tile(state.limit * unit, 2)
            span = Span(-ends, ends)
    if node.gate == "relu":
        half, zeros = node.complex_states, np.zeros(node.complex_states)
        real = np.maximum(span.high[:half], 0.0)
        span = Span(np.concatenate([zeros, span.low[half:]]),
                    np.concatenate([real, span.high[half:]])).with_zero()  # fmt: skip
    sent, registers = at.message(span)
    return sent, (state, *at.entry(), *registers)


def _sent_parts(node: ComplexDiagonal, steps: int | None, u: Span, magnitude: Reals) -> Span:
    """Return the span of both parts while nothing saturates, ``(2C,)``."""
    followed, half = min(steps or LONGEST, LONGEST), node.complex_states
    h = powers(node, followed)
    real, imaginary = (Span(u.low[part], u.high[part]) for part in (slice(half), slice(half, None)))
    # re' = sum of Re(a^k) re - Im(a^k) im,  im' = sum of Im(a^k) re + Re(a^k) im
    re = _summed(h.real, real) + _summed(-h.imag, imaginary)
    im = _summed(h.imag, real) + _summed(h.real, imaginary)
    span = Span(np.concatenate([re.low, im.low]), np.concatenate([re.high, im.high]))
    if steps is None or steps > followed:
        rest = series(node, None) * np.abs(poles(node)) ** followed
        span = span.wider(np.tile(np.where(magnitude > 0, magnitude * rest, 0.0), 2))
    return span


def _summed(h: Reals, u: Span) -> Span:
    """Return the span of sums of a response, ``(steps, C)``, times what arrives."""
    up, down = np.maximum(h, 0).sum(axis=0), np.minimum(h, 0).sum(axis=0)
    return Span(up * u.low + down * u.high, up * u.high + down * u.low)
