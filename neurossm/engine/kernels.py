"""Compiled loops of the fast engine: a whole sequence of one node, for a few samples.

Shapes: messages ``(S, T, C)`` int32, states float64 (integers, exact). Each kernel adds to
``counts``: synaptic operations, synaptic multiplies, saturations. The arithmetic is that of
`neurossm.fixed.compiled`; sums of integers below 2**53 are exact in any order, which is why the
compiler may reorder them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

from neurossm.fixed.compiled import clip, clip_int, clipped, multiply_shift, shift_int

SYN_OPS, MULTIPLIES, SATURATIONS = 0, 1, 2

@cache
def diagonal_ssm(modes, real_b):
    """Return the kernel of `DiagonalSSM` for N states a channel, compiled for that N.

    State and parameters are one flat array each, and N is a constant of the compiled code: only so
    does the compiler see that they do not overlap, and uses vector instructions (1.3 times faster
    than the same loop over separate arrays).

    Layouts: state ``(S, C, 2, N)``; parameters ``(C, 8, N)`` in the order a_re, a_im, b_re,
    drive_re, drive_im, c_re, c_im, b_im, each multiplied by 2**-shift. With ``real_b`` the last is
    not read.
    """

    @njit(nogil=True, cache=True, fastmath={"reassoc"})
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
                        re, im = state[x + n], state[x + modes + n]
                        new_re = (
                            multiply_shift(p[q + n], re)
                            - multiply_shift(p[q + modes + n], im)
                            + multiply_shift(p[q + 2 * modes + n], u_t)
                            + p[q + 3 * modes + n]
                        )
                        new_im = (
                            multiply_shift(p[q + n], im)
                            + multiply_shift(p[q + modes + n], re)
                            + p[q + 4 * modes + n]
                        )
                        if not real_b:
                            new_im += multiply_shift(p[q + 7 * modes + n], u_t)
                        hits += clipped(new_re, state_limit) + clipped(new_im, state_limit)
                        new_re, new_im = clip(new_re, state_limit), clip(new_im, state_limit)
                        state[x + n], state[x + modes + n] = new_re, new_im
                        out += multiply_shift(p[q + 5 * modes + n], new_re)
                        out -= multiply_shift(p[q + 6 * modes + n], new_im)
                    out += multiply_shift(d[h], u_t) + bias[h]
                    saturated += hits + clipped(out, out_limit)
                    y[s, t, h] = int(clip(out, out_limit))
        counts[SATURATIONS] += int(saturated)

    return run


@njit(nogil=True, cache=True)
def affine(u, y, columns, fan_out, bias, spikes, first, last, limit, counts):
    """Run one edge of an `Affine`; ``columns`` is the transposed weight ``(I, O)`` int32.

    Several edges accumulate in ``y``: the first adds to the bias, the last saturates.
    """
    samples, steps, inputs = u.shape
    outputs = columns.shape[1]
    events, multiplied, saturated = 0, 0, 0
    for s in range(samples):
        for t in range(steps):
            acc = y[s, t]
            if first:
                acc[:] = bias
            for j in range(inputs):
                message = u[s, t, j]
                if message == 0:
                    continue
                events += fan_out[j]
                column = columns[j]
                if not spikes:
                    multiplied += fan_out[j]
                    for o in range(outputs):
                        acc[o] += message * column[o]
                elif message > 0:
                    for o in range(outputs):
                        acc[o] += column[o]
                else:
                    for o in range(outputs):
                        acc[o] -= column[o]
            if last:
                for o in range(outputs):
                    value = clip_int(acc[o], limit)
                    saturated += value != acc[o]
                    acc[o] = value
    counts[SYN_OPS] += events
    counts[MULTIPLIES] += multiplied
    counts[SATURATIONS] += saturated


@njit(nogil=True, cache=True)
def entry_sum(total, u, last, limit, counts):
    """Add one more edge to the input of a node whose edges add; the last saturates."""
    flat, more = total.reshape(-1), u.reshape(-1)
    saturated = 0
    for k in range(flat.size):
        value = flat[k] + more[k]
        if last:
            inside = clip_int(value, limit)
            saturated += inside != value
            value = inside
        flat[k] = value
    counts[SATURATIONS] += saturated


@njit(nogil=True, cache=True)
def threshold(u, y, theta):
    """Run `Threshold`."""
    samples, steps, channels = u.shape
    for s in range(samples):
        for t in range(steps):
            for h in range(channels):
                y[s, t, h] = 1 if u[s, t, h] >= theta[h] else 0


@njit(nogil=True, cache=True)
def aligned_sum(u, y, total, right, first, last, limit, counts):
    """Run one operand of `Sum`, brought to the exponent of the output; ``total`` is int64."""
    source, exact, target = u.reshape(-1), total.reshape(-1), y.reshape(-1)
    saturated = 0
    for k in range(source.size):
        value = shift_int(np.int64(source[k]), right)
        if not first:
            value += exact[k]
        if last:
            inside = clip_int(value, limit)
            saturated += inside != value
            target[k] = inside
        else:
            exact[k] = value
    counts[SATURATIONS] += saturated


@njit(nogil=True, cache=True)
def product(u, v, y, right, limit, counts):
    """Run `Product`."""
    left_flat, right_flat, target = u.reshape(-1), v.reshape(-1), y.reshape(-1)
    saturated = 0
    for k in range(target.size):
        value = shift_int(np.int64(left_flat[k]) * np.int64(right_flat[k]), right)
        inside = clip_int(value, limit)
        saturated += inside != value
        target[k] = inside
    counts[SATURATIONS] += saturated


@njit(nogil=True, cache=True)
def piecewise_linear(u, y, knots, slopes, offsets, right, limit, counts):
    """Run `PiecewiseLinear`."""
    source, target = u.reshape(-1), y.reshape(-1)
    saturated = 0
    for k in range(source.size):
        value = np.int64(source[k])
        segment = 0
        for j in range(knots.size):
            segment += value >= knots[j]
        value = shift_int(slopes[segment] * value, right) + offsets[segment]
        inside = clip_int(value, limit)
        saturated += inside != value
        target[k] = inside
    counts[SATURATIONS] += saturated


@njit(nogil=True, cache=True)
def accumulate(u, y, total, right, term_limit, limit, counts):
    """Run `Accumulate`; the sums ``(S, C)`` int64 in place."""
    samples, steps, channels = u.shape
    saturated = 0
    for s in range(samples):
        for t in range(steps):
            for h in range(channels):
                raw = shift_int(np.int64(u[s, t, h]), right)
                term = clip_int(raw, term_limit)
                value = total[s, h] + term
                inside = clip_int(value, limit)
                saturated += (term != raw) + (inside != value)
                total[s, h] = inside
                y[s, t, h] = inside
    counts[SATURATIONS] += saturated


@njit(nogil=True, cache=True)
def nonzero(values):
    """Return how many values are not zero."""
    flat = values.reshape(-1)
    found = 0
    for k in range(flat.size):
        found += flat[k] != 0
    return found


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def float_ssm(u, y, a_re, a_im, b_re, b_im, c_re, c_im, d, drive_re, drive_im, bias, peak,
              re, im):  # fmt: skip
    """Run `DiagonalSSM` on real numbers; ``peak`` ``(C, N)`` keeps the largest squared modulus."""
    samples, steps, channels = u.shape
    modes = a_re.shape[1]
    for s in range(samples):
        for h in range(channels):
            x_re, x_im, top = re[s, h], im[s, h], peak[h]
            ar, ai, br, bi = a_re[h], a_im[h], b_re[h], b_im[h]
            cr, ci, kr, ki = c_re[h], c_im[h], drive_re[h], drive_im[h]
            for t in range(steps):
                u_t = u[s, t, h]
                out = 0.0
                for n in range(modes):
                    r, i = x_re[n], x_im[n]
                    new_r = ar[n] * r - ai[n] * i + br[n] * u_t + kr[n]
                    new_i = ar[n] * i + ai[n] * r + bi[n] * u_t + ki[n]
                    x_re[n], x_im[n] = new_r, new_i
                    top[n] = max(top[n], new_r * new_r + new_i * new_i)
                    out += cr[n] * new_r - ci[n] * new_i
                y[s, t, h] = 2.0 * out + d[h] * u_t + bias[h]
