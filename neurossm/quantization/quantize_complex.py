"""Integers of a `ComplexDiagonal`: poles projected, each state in a unit of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Fixed, Quantized, fit_frac, project_poles
from neurossm.nodes import ComplexDiagonal, Frac
from neurossm.nodes.complex_diagonal import LEFT
from neurossm.quantization.choices import Around, Choice, explain
from neurossm.quantization.context import QuantizeContext, quantize_node

Reals = NDArray[np.float64]
EXACT_BITS = 52  # of an input at the state's exponent


def quantize_complex(
    node: ComplexDiagonal,
    out: Fixed,
    state_range: Reals,
    arriving: Frac,
    high: int,
    *,
    pole_bits: int,
    state_bits: int,
) -> ComplexDiagonal:
    """Return the integer node.

    Parameters
    ----------
    node
        Float node.
    out
        Format of what it sends.
    state_range
        Largest magnitudes of the states with headroom, ``(C,)``.
    arriving
        Fraction bits of what arrives, one number or ``(2C,)``.
    high
        Largest integer that arrives.
    pole_bits, state_bits
        Widths.
    """
    a_re, a_im = project_poles(np.asarray(node.a_re), np.asarray(node.a_im), pole_bits)
    fits = np.array([fit_frac(float(value), state_bits) for value in state_range], np.int64)
    parts = np.broadcast_to(arriving, (node.in_channels,)).reshape(2, -1)
    # not so fine that what arrives would leave 52 bits, nor so coarse that `out` asks for more
    finest = parts.min(axis=0) + EXACT_BITS - int(high).bit_length()
    frac = np.maximum(np.minimum(fits, np.minimum(finest, 64)), out.frac - LEFT)
    return replace(
        node,
        a_re=Quantized(a_re, pole_bits - 1, pole_bits),
        a_im=Quantized(a_im, pole_bits - 1, pole_bits),
        state_bits=state_bits,
        state_frac=frac,
        out=out,
    )


@quantize_node.register(ComplexDiagonal)
def _quantize(node: ComplexDiagonal, to: QuantizeContext) -> ComplexDiagonal:
    arriving, settings = to.arriving, to.settings
    return quantize_complex(
        node,
        to.message(),
        _state_range(node, to),
        arriving.by_channel,
        arriving.high,
        pole_bits=settings.pole_bits,
        state_bits=settings.state_bits,
    )


def _state_range(node: ComplexDiagonal, to: QuantizeContext) -> Reals:
    """Return the largest magnitudes of the states with headroom, ``(C,)``.

    A state that calibration never moved gets what the largest activation could make of it,
    ``|u| / (1 - |a|)``, as that of a `DiagonalSSM`.
    """
    a = np.hypot(np.asarray(node.a_re), np.asarray(node.a_im))
    arriving = np.broadcast_to(to.arriving.by_channel, (node.in_channels,))
    parts = np.ldexp(float(to.arriving.high), -arriving).reshape(2, -1)
    possible = np.hypot(*parts) / np.maximum(1 - a, 2.0 ** (1 - to.settings.pole_bits))
    return to.rules.state(to.name, possible)


@explain.register(ComplexDiagonal)
def _explain(node: ComplexDiagonal, made: ComplexDiagonal, around: Around) -> Iterator[Choice]:
    name, rules = around.to.name, around.rules
    yield around.choice("poles", f"Q1.{around.to.settings.pole_bits - 1}", "parameters",
                        "to nearest, then inside the unit circle")  # fmt: skip
    fracs = np.unique(made.state_frac)
    ends = f"{fracs[0]}" if len(fracs) == 1 else f"{fracs[0]}..{fracs[-1]}"
    possible = float(rules.worst().register(name, "state").bound.max())
    yield around.choice(
        "states", f"s{made.state_bits}.{ends}", rules.rule(name),
        "a unit for each state, so that it uses its width",
        seen=float(rules.ranges.states[name].max()),
        bound=possible if np.isfinite(possible) else None,
    )  # fmt: skip
    yield around.messages(made)
