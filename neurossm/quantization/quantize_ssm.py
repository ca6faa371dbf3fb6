"""Integers of a `DiagonalSSM`: poles projected, every state scaled to use its width.

A diagonal recurrence may be scaled state by state, ``x -> s x``, without changing what it
computes: ``b -> s b``, ``drive -> s drive``, ``c -> c / s``. Two liberties are used. The phase of
``s`` makes b real, which saves half of its products. The magnitude makes b a power of two, so it is
exact, and brings the largest value seen close to the end of the state's width.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Fixed, Quantized, fit_frac, project_poles, round_to, symmetric_limit
from neurossm.nodes import DiagonalSSM, quantized
from neurossm.quantization.choices import Around, Choice, explain, shown
from neurossm.quantization.context import QuantizeContext, quantize_node

Reals = NDArray[np.float64]


def quantize_ssm(
    node: DiagonalSSM,
    out: Fixed,
    state_range: Reals,
    *,
    pole_bits: int,
    gain_bits: int,
    state_bits: int,
) -> DiagonalSSM:
    """Return the integer node.

    Parameters
    ----------
    node
        Float node, norms folded in.
    out
        Format of its output.
    state_range
        Largest magnitudes of the states with headroom, ``(C, N)``.
    pole_bits, gain_bits, state_bits
        Widths.
    """
    b = np.asarray(node.b_re) + 1j * np.asarray(node.b_im)
    c = np.asarray(node.c_re) + 1j * np.asarray(node.c_im)
    drive = np.asarray(node.drive_re) + 1j * np.asarray(node.drive_im)
    # where a norm's offset cancels most of its input, the constant is larger than any state
    largest = np.maximum(state_range, np.abs(drive))
    scale, mantissa, state_frac = _state_scale(b, largest, gain_bits, state_bits)
    # a state that nothing moves stays zero: its c must not take bits from those of its channel
    moved = (b != 0) | (drive != 0)
    c, drive = np.where(moved, c / scale, 0), drive * scale

    a_re, a_im = project_poles(np.asarray(node.a_re), np.asarray(node.a_im), pole_bits)
    b_frac = np.full(len(b), gain_bits - 2)
    c_frac = _frac_by_channel(np.maximum(np.abs(c.real), np.abs(c.imag)).max(axis=1), gain_bits)
    d = np.asarray(node.d)
    d_frac = _frac_by_channel(np.abs(d), gain_bits)

    def gain(values: Reals, frac: NDArray[np.int64]) -> Quantized:
        shaped = frac.reshape(frac.shape + (1,) * (values.ndim - 1))
        return Quantized(round_to(values, shaped, gain_bits), frac, gain_bits)

    def state(values: Reals) -> Quantized:
        return Quantized(round_to(values, state_frac[:, None], state_bits), state_frac, state_bits)

    return replace(
        node,
        a_re=Quantized(a_re, pole_bits - 1, pole_bits),
        a_im=Quantized(a_im, pole_bits - 1, pole_bits),
        b_re=Quantized(mantissa, b_frac, gain_bits),
        b_im=Quantized(np.zeros_like(mantissa), b_frac, gain_bits),
        c_re=gain(c.real, c_frac),
        c_im=gain(c.imag, c_frac),
        d=gain(d, d_frac),
        drive_re=state(drive.real),
        drive_im=state(drive.imag),
        bias=Quantized(round_to(np.asarray(node.bias), out.frac, 24), out.frac, 24),
        out=out,
    )


def _state_scale(
    b: NDArray[np.complex128], largest: Reals, gain_bits: int, state_bits: int
) -> tuple[NDArray[np.complex128], NDArray[np.int64], NDArray[np.int64]]:
    """Return the scale of each state, the mantissas of b and the state's fraction bits.

    With ``b' = 2**m / 2**top`` the integer state of a drive ``u`` is ``u 2**(m - top + frac)``. The
    largest exponent that keeps a state in its width is ``room``; the tightest state of a channel
    decides ``frac`` and gets ``m = 0``, the others up to ``m = top``.
    """
    top = gain_bits - 2
    limit = symmetric_limit(state_bits)
    driven = (np.abs(b) > 0) & (largest > 0)
    size = np.where(driven, np.abs(b), 1.0)
    room = np.floor(np.log2(limit * size / np.where(driven, largest, 1.0))).astype(np.int64)
    # states that nothing drives, and channels of only such states, take what the others leave
    tightest = np.where(driven, room, np.iinfo(np.int64).max).min(axis=1)
    tightest = np.where(driven.any(axis=1), tightest, 0)
    exponent = np.clip(room - tightest[:, None], 0, top)
    state_frac = np.clip(tightest + top, -64, 64)
    mantissa = np.where(driven, 2**exponent, 0)
    phase = np.where(driven, np.exp(-1j * np.angle(b)), 1.0)
    scale = phase * 2.0 ** (exponent - top) / size
    # an undriven state that a constant moves is scaled by its own range
    alone = ~driven & (largest > 0)
    if np.any(alone):
        fits = np.floor(np.log2(limit / np.where(alone, largest, 1.0)))
        scale = np.where(alone, 2.0 ** (fits - state_frac[:, None]), scale)
    return scale, mantissa.astype(np.int64), state_frac


def _frac_by_channel(largest: Reals, bits: int) -> NDArray[np.int64]:
    return np.array([fit_frac(float(value), bits) for value in largest], dtype=np.int64)


@quantize_node.register(DiagonalSSM)
def _quantize(node: DiagonalSSM, to: QuantizeContext) -> DiagonalSSM:
    settings = to.settings
    return quantize_ssm(
        node,
        to.message(),
        _state_range(node, to),
        pole_bits=settings.pole_bits,
        gain_bits=settings.weight_bits,
        state_bits=settings.state_bits,
    )


def _state_range(node: DiagonalSSM, to: QuantizeContext) -> Reals:
    """Return the largest magnitudes of the states with headroom, ``(C, N)``.

    A state that calibration never moved gets what the largest activation could make of it,
    ``|b| u / (1 - |a|)``: it must not be cut off because the data were quiet.
    """
    a = np.hypot(np.asarray(node.a_re), np.asarray(node.a_im))
    b = np.hypot(np.asarray(node.b_re), np.asarray(node.b_im))
    message = to.arriving.formats[0].high * 2.0**-to.arriving.frac
    possible = b * message / np.maximum(1 - a, 2.0 ** (1 - to.settings.pole_bits))
    return to.rules.state(to.name, possible)


@explain.register(DiagonalSSM)
def _explain(node: DiagonalSSM, made: DiagonalSSM, around: Around) -> Iterator[Choice]:
    name, rules, state = around.to.name, around.rules, quantized(made.drive_re)
    yield around.choice("poles", f"Q1.{quantized(made.a_re).bits - 1}", "parameters",
                        "to nearest, then inside the unit circle")  # fmt: skip
    possible = float(rules.worst().register(name, "state").bound.max())
    yield around.choice(
        "states", shown(state), rules.rule(name), "each state scaled to use its width",
        seen=float(rules.ranges.states[name].max()),
        bound=possible if np.isfinite(possible) else None,
    )  # fmt: skip
    b, c = shown(quantized(made.b_re)), shown(quantized(made.c_re))
    yield around.choice("gains b, c", f"{b}, {c}", "parameters",
                        "b a power of two; the largest c of each channel fits")  # fmt: skip
    yield around.parameters("gain d", made.d, node.d, "the largest of each channel fits")
    yield around.messages(made)
