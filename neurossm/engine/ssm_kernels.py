"""Compiled loops of the state space models: whole sequences, single steps, real numbers.

Shapes, types and counts as in `neurossm.engine.kernels`. `one_mode` is the arithmetic of a complex
state; the loops differ in what they hold constant for the compiler.
"""

from __future__ import annotations

from functools import cache

from neurossm.compiling import njit
from neurossm.engine.kernels import SATURATIONS
from neurossm.fixed.compiled import clip, clipped, multiply_shift

LANES = 16  # states that `step_ssm` computes together: two to four vectors of any machine


@njit(inline="always")
def next_state(p, q, stride, re, im, u, real_b, whole_b):
    """Return a complex state one step later, before it saturates.

    Its parameters stand in `p` at ``q``, ``q + stride`` and so on, in the order that `diagonal_ssm`
    names.
    """
    driven = p[q + 2 * stride] * u
    if not whole_b:
        driven = multiply_shift(p[q + 2 * stride], u)
    new_re = (
        multiply_shift(p[q], re) - multiply_shift(p[q + stride], im) + (driven + p[q + 3 * stride])
    )
    new_im = multiply_shift(p[q], im) + multiply_shift(p[q + stride], re) + p[q + 4 * stride]
    if not real_b:
        new_im += multiply_shift(p[q + 7 * stride], u)
    return new_re, new_im


@cache
def diagonal_ssm(modes, real_b, whole_b):
    """Return the kernel of `DiagonalSSM` for N states a channel, compiled for that N.

    State and parameters are one flat array each, and N is a constant of the compiled code: only so
    does the compiler see that they do not overlap, and uses vector instructions (1.3 times faster
    than the same loop over separate arrays).

    Layouts: state ``(S, C, 2, N)``; parameters ``(C, 8, N)`` in the order a_re, a_im, b_re,
    drive_re, drive_im, c_re, c_im, b_im, each multiplied by 2**-shift. With ``real_b`` the last is
    not read; with ``whole_b`` b_re is whole after its shift: its product has no fraction to drop.
    """

    @njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
    def run(u, y, state, p, d, bias, state_limit, out_limit, counts):
        samples, steps, channels = u.shape
        saturated = 0.0
        for s in range(samples):
            for h in range(channels):
                x, q = (s * channels + h) * (2 * modes), h * (8 * modes)
                for t in range(steps):
                    u_t = float(u[s, t, h])
                    out, hits = 0.0, 0.0
                    for n in range(modes):
                        new_re, new_im = next_state(
                            p,
                            q + n,
                            modes,
                            state[x + n],
                            state[x + modes + n],
                            u_t,
                            real_b,
                            whole_b,
                        )
                        kept_re, kept_im = clip(new_re, state_limit), clip(new_im, state_limit)
                        hits += 1.0 if kept_re != new_re else 0.0
                        hits += 1.0 if kept_im != new_im else 0.0
                        state[x + n], state[x + modes + n] = kept_re, kept_im
                        out += multiply_shift(p[q + 5 * modes + n], kept_re)
                        out -= multiply_shift(p[q + 6 * modes + n], kept_im)
                    out += multiply_shift(d[h], u_t) + bias[h]
                    saturated += hits + clipped(out, out_limit)
                    y[s, t, h] = int(clip(out, out_limit))
        counts[SATURATIONS] += int(saturated)

    return run


@cache
def step_ssm(real_b):
    """Return the kernel of one step of `DiagonalSSM` for any number of states a channel.

    States stand in tiles of `LANES`, the last filled up with zeros, which stay zero: state ``(S, C,
    K, 2, LANES)``, parameters ``(C, K, 8, LANES)`` for K tiles a channel. Activations ``(S, 1,
    C)``.
    """

    @njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
    def run(u, y, state, p, tiles, d, bias, state_limit, out_limit, counts):
        samples, _, channels = u.shape
        saturated = 0.0
        for s in range(samples):
            for h in range(channels):
                u_t = float(u[s, 0, h])
                out, hits = 0.0, 0.0
                for k in range(tiles):
                    # slices: with offsets instead the compiler leaves the loop in scalars
                    x, q = ((s * channels + h) * tiles + k) * 2, (h * tiles + k) * 8
                    own = state[x * LANES : (x + 2) * LANES]
                    row = p[q * LANES : (q + 8) * LANES]
                    for n in range(LANES):
                        new_re, new_im = next_state(
                            row, n, LANES, own[n], own[LANES + n], u_t, real_b, False
                        )
                        kept_re, kept_im = clip(new_re, state_limit), clip(new_im, state_limit)
                        hits += 1.0 if kept_re != new_re else 0.0
                        hits += 1.0 if kept_im != new_im else 0.0
                        own[n], own[LANES + n] = kept_re, kept_im
                        out += multiply_shift(row[5 * LANES + n], kept_re)
                        out -= multiply_shift(row[6 * LANES + n], kept_im)
                out += multiply_shift(d[h], u_t) + bias[h]
                saturated += hits + clipped(out, out_limit)
                y[s, 0, h] = int(clip(out, out_limit))
        counts[SATURATIONS] += int(saturated)

    return run


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def complex_diagonal(u, y, state, p, gated, state_limit, out_limit, counts):
    """Run `ComplexDiagonal`; activations ``(S, T, 2C)``, state ``(S, 2, C)`` in place.

    Parameters ``(5, C)``: a_re and a_im, each multiplied by 2**-shift, what brings the real and the
    imaginary input to the state's exponent, and what brings the state to that of the output.
    """
    samples, steps, both = u.shape
    half = both // 2
    saturated = 0.0
    for s in range(samples):
        re, im = state[s, 0], state[s, 1]
        for t in range(steps):
            for h in range(half):
                new_re = multiply_shift(p[0, h], re[h]) - multiply_shift(p[1, h], im[h])
                new_im = multiply_shift(p[0, h], im[h]) + multiply_shift(p[1, h], re[h])
                new_re += multiply_shift(p[2, h], float(u[s, t, h]))
                new_im += multiply_shift(p[3, h], float(u[s, t, half + h]))
                saturated += clipped(new_re, state_limit) + clipped(new_im, state_limit)
                re[h], im[h] = clip(new_re, state_limit), clip(new_im, state_limit)
                passes = 0.0 if gated and re[h] <= 0.0 else 1.0
                out_re = multiply_shift(p[4, h], passes * re[h])
                out_im = multiply_shift(p[4, h], passes * im[h])
                saturated += clipped(out_re, out_limit) + clipped(out_im, out_limit)
                y[s, t, h] = int(clip(out_re, out_limit))
                y[s, t, half + h] = int(clip(out_im, out_limit))
    counts[SATURATIONS] += int(saturated)


@njit(nogil=True, cache=True)
def float_complex(u, y, state, a_re, a_im, gated, peaks):
    """Run `ComplexDiagonal` on real numbers; state ``(S, 2, C)`` in place.

    Writes the largest squared magnitude of each state to ``peaks`` ``(C,)``.
    """
    samples, steps, both = u.shape
    half = both // 2
    for s in range(samples):
        re, im = state[s, 0], state[s, 1]
        for t in range(steps):
            for h in range(half):
                new_re = a_re[h] * re[h] - a_im[h] * im[h] + u[s, t, h]
                new_im = a_re[h] * im[h] + a_im[h] * re[h] + u[s, t, half + h]
                re[h], im[h] = new_re, new_im
                peaks[h] = max(peaks[h], new_re * new_re + new_im * new_im)
                passes = not gated or new_re > 0.0
                y[s, t, h] = new_re if passes else 0.0
                y[s, t, half + h] = new_im if passes else 0.0


@cache
def float_ssm(modes):
    """Return the kernel of `DiagonalSSM` on real numbers.

    Layouts as in `diagonal_ssm`, the state ``(S, C, 3, N)``: real and imaginary parts, and the
    largest squared magnitude so far.
    """

    @njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
    def run(u, y, state, p, d, bias):
        samples, steps, channels = u.shape
        for s in range(samples):
            for h in range(channels):
                x, q = (s * channels + h) * (3 * modes), h * (8 * modes)
                for t in range(steps):
                    u_t, out = u[s, t, h], 0.0
                    for n in range(modes):
                        re, im = state[x + n], state[x + modes + n]
                        new_re = p[q + n] * re - p[q + modes + n] * im
                        new_re += p[q + 2 * modes + n] * u_t + p[q + 3 * modes + n]
                        new_im = p[q + n] * im + p[q + modes + n] * re
                        new_im += p[q + 7 * modes + n] * u_t + p[q + 4 * modes + n]
                        state[x + n], state[x + modes + n] = new_re, new_im
                        square = new_re * new_re + new_im * new_im
                        state[x + 2 * modes + n] = max(state[x + 2 * modes + n], square)
                        out += p[q + 5 * modes + n] * new_re - p[q + 6 * modes + n] * new_im
                    y[s, t, h] = 2.0 * out + d[h] * u_t + bias[h]

    return run
