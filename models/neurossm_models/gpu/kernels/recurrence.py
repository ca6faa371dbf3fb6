"""The recurrence in a block of steps; Triton, called by kernels.

Shape letters: ``R`` rows (sequences) of a program, ``T`` steps of a block, ``M`` complex modes, a
power of two: those beyond the layer's own have weights of zero. See `neurossm_models.recurrence`
for the tables; of the real states of a table the first half are real parts, the second imaginary.
"""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def load_tables(inner, write, read, h, modes, STEPS: tl.constexpr, MODES: tl.constexpr):
    """Return the tables of feature h: inner (T, T), write (T, M) twice, read (M, T) twice."""
    t, m = tl.arange(0, STEPS), tl.arange(0, MODES)
    wide, high = (m < modes)[None, :], (m < modes)[:, None]
    at = (h * STEPS + t[:, None]) * (2 * modes) + m[None, :]
    from_at = (h * (2 * modes) + m[:, None]) * STEPS + t[None, :]
    return (
        tl.load(inner + (h * STEPS + t[:, None]) * STEPS + t[None, :]),
        tl.load(write + at, wide, other=0.0),
        tl.load(write + at + modes, wide, other=0.0),
        tl.load(read + from_at, high, other=0.0),
        tl.load(read + from_at + modes * STEPS, high, other=0.0),
    )


@triton.jit
def load_pole(pole, h, modes, MODES: tl.constexpr):
    """Return real and imaginary part of what a block makes of the state, each (M,)."""
    m = tl.arange(0, MODES)
    at = pole + h * (2 * modes) + m
    return tl.load(at, m < modes, other=0.0), tl.load(at + modes, m < modes, other=0.0)


@triton.jit
def respond(u, re, im, inner, read_re, read_im, PRODUCTS: tl.constexpr):
    """Return the outputs (R, T) of a block with inputs u (R, T) and the state before it."""
    y = tl.dot(u, inner, input_precision=PRODUCTS)
    y = tl.dot(re, read_re, y, input_precision=PRODUCTS)
    return tl.dot(im, read_im, y, input_precision=PRODUCTS)


@triton.jit
def go_on(u, re, im, write_re, write_im, pole_re, pole_im, PRODUCTS: tl.constexpr):
    """Return the state behind a block, real and imaginary parts (R, M)."""
    a, b = pole_re[None, :], pole_im[None, :]
    return (
        tl.dot(u, write_re, a * re - b * im, input_precision=PRODUCTS),
        tl.dot(u, write_im, a * im + b * re, input_precision=PRODUCTS),
    )


@triton.jit
def go_back(g, re, im, read_re, read_im, pole_re, pole_im, PRODUCTS: tl.constexpr):
    """Return the gradient of the state before a block from that of the state behind it."""
    a, b = pole_re[None, :], pole_im[None, :]
    return (
        tl.dot(g, tl.trans(read_re), a * re + b * im, input_precision=PRODUCTS),
        tl.dot(g, tl.trans(read_im), a * im - b * re, input_precision=PRODUCTS),
    )


@triton.jit
def drive_of(x, places, inside, center, factor, offset, NORM: tl.constexpr):
    """Return the inputs (R, T) of a block behind the norm, and as they come less their center."""
    given = tl.load(x + places, inside, other=0.0).to(tl.float32)
    if NORM:
        given = tl.where(inside, given - center, 0.0)
        return tl.where(inside, given * factor + offset, 0.0), given
    else:
        return given, given
