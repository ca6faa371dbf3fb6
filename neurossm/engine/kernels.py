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
                        re, im = state[x + n], state[x + modes + n]
                        driven = p[q + 2 * modes + n] * u_t
                        if not whole_b:
                            driven = np.trunc(driven)
                        new_re = (
                            multiply_shift(p[q + n], re)
                            - multiply_shift(p[q + modes + n], im)
                            + (driven + p[q + 3 * modes + n])
                        )
                        new_im = (
                            multiply_shift(p[q + n], im)
                            + multiply_shift(p[q + modes + n], re)
                            + p[q + 4 * modes + n]
                        )
                        if not real_b:
                            new_im += multiply_shift(p[q + 7 * modes + n], u_t)
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


@njit(nogil=True, cache=True)
def start(y, bias):
    """Set every step of ``y`` to the bias."""
    samples, steps, outputs = y.shape
    for s in range(samples):
        for t in range(steps):
            for o in range(outputs):
                y[s, t, o] = bias[o]


@njit(nogil=True, cache=True)
def add_spikes(u, y, columns, fan_out, counts):
    """Add the synapses of binary or ternary messages to ``y``: additions only.

    ``columns`` is the transposed weight ``(I, O)`` int32, ``fan_out`` its non-zeros by row.
    """
    samples, steps, inputs = u.shape
    outputs = columns.shape[1]
    events = 0
    for s in range(samples):
        for t in range(steps):
            acc = y[s, t]
            for j in range(inputs):
                message = u[s, t, j]
                if message == 0:
                    continue
                events += fan_out[j]
                column = columns[j]
                if message > 0:
                    for o in range(outputs):
                        acc[o] += column[o]
                else:
                    for o in range(outputs):
                        acc[o] -= column[o]
    counts[SYN_OPS] += events


@njit(nogil=True, cache=True)
def add_graded(u, y, rows, fan_out, multiplies, counts):
    """Add the synapses of graded messages to ``y``; ``rows`` is the weight ``(O, I)`` int32.

    With weights of -1, 0 and 1 only, ``multiplies`` is False: the messages are added.
    """
    samples, steps, inputs = u.shape
    outputs = rows.shape[0]
    events = 0
    for s in range(samples):
        for t in range(steps):
            message = u[s, t]
            for j in range(inputs):
                events += fan_out[j] if message[j] != 0 else 0
            for o in range(outputs):
                row = rows[o]
                acc = np.int32(0)
                for j in range(inputs):
                    acc += row[j] * message[j]
                y[s, t, o] += acc
    counts[SYN_OPS] += events
    counts[MULTIPLIES] += events if multiplies else 0


@njit(nogil=True, cache=True)
def look_up(u, y, table, counts):
    """Run `Embedding`; ``table`` ``(V, C)`` int32."""
    samples, steps, _ = u.shape
    channels = table.shape[1]
    for s in range(samples):
        for t in range(steps):
            row = table[u[s, t, 0]]
            for h in range(channels):
                y[s, t, h] = row[h]
    counts[SYN_OPS] += samples * steps * channels


@njit(nogil=True, cache=True)
def saturate(y, limit, counts):
    """Saturate ``y`` in place."""
    flat = y.reshape(-1)
    saturated = 0
    for k in range(flat.size):
        value = flat[k]
        inside = clip_int(value, limit)
        saturated += inside != value
        flat[k] = inside
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
def ternary_threshold(u, y, delta):
    """Run `TernaryThreshold`."""
    samples, steps, channels = u.shape
    for s in range(samples):
        for t in range(steps):
            for h in range(channels):
                value = u[s, t, h]
                y[s, t, h] = (value >= delta[h]) - (value <= -delta[h])


@cache
def lif(reset, has_trace, shifted):
    """Return the kernel of `LIF` for a reset, with or without the refractory trace.

    Channels are the innermost loop: they are independent and fill the vector lanes. States ``(S,
    C)`` float64, in place; leaks multiplied by ``2**-tau.frac``. ``scale`` ``(C,)`` brings the
    input to the exponent of the membrane; it is read where this is ``shifted``.
    """
    hard, soft = reset == "hard", reset == "soft"

    @njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
    def run(u, y, membrane, trace, theta, tau, rho, kappa, scale, limit, counts):
        samples, steps, channels = u.shape
        saturated = 0.0
        for s in range(samples):
            v, r = membrane[s], trace[s]
            for t in range(steps):
                for h in range(channels):
                    entering = float(u[s, t, h])
                    if shifted:
                        entering = multiply_shift(scale[h], entering)
                    raw = multiply_shift(tau[h], v[h]) + entering
                    kept = clip(raw, limit)
                    saturated += clipped(raw, limit)
                    spike = 1.0 if kept - r[h] >= theta[h] else 0.0
                    if has_trace:
                        left = multiply_shift(rho[h], r[h]) + kappa[h] * spike
                        saturated += clipped(left, limit)
                        r[h] = clip(left, limit)
                    if hard:
                        kept = 0.0 if spike > 0.0 else kept
                    elif soft:
                        kept -= theta[h] * spike
                    v[h] = kept
                    y[s, t, h] = int(spike)
        counts[SATURATIONS] += int(saturated)

    return run


@cache
def float_lif(reset):
    """Return the kernel of `LIF` on real numbers; states ``(S, C)`` in place.

    Writes the largest magnitude of each membrane, before its reset, to ``peaks`` ``(C,)``.
    """
    hard, soft = reset == "hard", reset == "soft"

    @njit(nogil=True, cache=True)
    def run(u, y, membrane, trace, theta, tau, rho, kappa, peaks):
        samples, steps, channels = u.shape
        for s in range(samples):
            v, r = membrane[s], trace[s]
            for t in range(steps):
                for h in range(channels):
                    kept = tau[h] * v[h] + u[s, t, h]
                    peaks[h] = max(peaks[h], abs(kept))
                    spike = 1.0 if kept - r[h] >= theta[h] else 0.0
                    r[h] = rho[h] * r[h] + kappa[h] * spike
                    if hard:
                        kept = 0.0 if spike > 0.0 else kept
                    elif soft:
                        kept -= theta[h] * spike
                    v[h] = kept
                    y[s, t, h] = spike

    return run


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def align(u, total, scale, first):
    """Bring one operand of `Sum` to the output's exponent and add it to ``total`` (float64)."""
    source, target = u.reshape(-1), total.reshape(-1)
    for k in range(source.size):
        value = multiply_shift(scale, float(source[k]))
        target[k] = value if first else target[k] + value


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def aligned_pair(u, v, y, scale_u, scale_v, limit, counts):
    """Run `Sum` of two operands, the common case, in one sweep."""
    left, right, target = u.reshape(-1), v.reshape(-1), y.reshape(-1)
    saturated = 0.0
    for k in range(left.size):
        value = multiply_shift(scale_u, float(left[k])) + multiply_shift(scale_v, float(right[k]))
        saturated += clipped(value, limit)
        target[k] = np.int32(clip(value, limit))
    counts[SATURATIONS] += int(saturated)


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def store(total, y, limit, counts):
    """Saturate a float64 sum into ``y``."""
    source, target = total.reshape(-1), y.reshape(-1)
    saturated = 0.0
    for k in range(source.size):
        saturated += clipped(source[k], limit)
        target[k] = np.int32(clip(source[k], limit))
    counts[SATURATIONS] += int(saturated)


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


@cache
def piecewise_linear(segments):
    """Return the kernel of `PiecewiseLinear` for K segments; the choice of segment is unrolled."""

    @njit(nogil=True, cache=True, fastmath={"reassoc"})
    def run(u, y, knots, slopes, offsets, limit, counts):
        source, target = u.reshape(-1), y.reshape(-1)
        saturated = 0.0
        for k in range(source.size):
            x = float(source[k])
            slope, offset = slopes[0], offsets[0]
            for j in range(segments - 1):
                slope = slopes[j + 1] if x >= knots[j] else slope
                offset = offsets[j + 1] if x >= knots[j] else offset
            value = multiply_shift(slope, x) + offset
            saturated += clipped(value, limit)
            target[k] = np.int32(clip(value, limit))
        counts[SATURATIONS] += int(saturated)

    return run


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


@cache
def float_ssm(modes):
    """Return the kernel of `DiagonalSSM` on real numbers.

    Layouts as in `diagonal_ssm`, the state ``(S, C, 3, N)``: real and imaginary parts, and the
    largest squared modulus so far.
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
