"""Compiled loops of the fast engine: a whole sequence of one node, for a few samples.

Shapes: activations ``(S, T, C)`` int32, states float64 (integers, exact). Each kernel adds to
``counts``: synaptic operations, synaptic multiplies, saturations. The arithmetic is that of
`neurossm.fixed.compiled`; sums of integers below 2**53 are exact in any order, which is why the
compiler may reorder them.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.ma  # Numba looks for it at a call, and threads that import it at once fail

from neurossm.compiling import njit
from neurossm.fixed.compiled import clip, clip_int, clipped, multiply_shift, shift_int

SYN_OPS, MULTIPLIES, SATURATIONS = 0, 1, 2


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
    """Add the synapses of binary or ternary activations to ``y``: additions only.

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
    """Add the synapses of graded spikes to ``y``; ``rows`` is the weight ``(O, I)`` int32.

    With weights of -1, 0 and 1 only, ``multiplies`` is False: the activations are added.
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


@njit(nogil=True, cache=True)
def adaptive_threshold(u, y, candidates, theta, taps):
    """Run `AdaptiveThreshold`; the last candidates ``(S, K, C)`` in place, ``taps`` ``(K, C)``."""
    samples, steps, channels = u.shape
    reach = taps.shape[0]
    for s in range(samples):
        earlier = candidates[s]
        for t in range(steps):
            raised = y[s, t]  # the sum of 17 numbers of 24 bits fits
            for h in range(channels):
                raised[h] = theta[h]
            for k in range(reach - 1, -1, -1):
                for h in range(channels):
                    raised[h] += taps[k, h] if earlier[k, h] != 0 else 0
                    if k + 1 < reach:
                        earlier[k + 1, h] = earlier[k, h]
            for h in range(channels):
                earlier[0, h] = 1 if u[s, t, h] >= theta[h] else 0
                raised[h] = 1 if u[s, t, h] >= raised[h] else 0


@cache
def lif(reset, has_trace, shifted):
    """Return the kernel of `LIF` for a reset, with or without the refractory variable.

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
