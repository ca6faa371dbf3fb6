"""Compiled loops of adaptive and resonating neurons, as those of `neurossm.engine.kernels`.

A step kernel of integers, and one of real numbers that keeps the largest states.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from neurossm.compiling import njit
from neurossm.engine.kernels import SATURATIONS
from neurossm.fixed.compiled import clip, clipped, multiply_shift


@cache
def adaptive(reset, before):
    """Return the kernel for a reset and for adapting on the membrane before or after it.

    States ``(S, C)`` float64, in place. Parameters ``(C,)`` by their `scaled`: ``scale`` brings
    the input to the exponent of the membrane, ``held`` the adaptation.
    """
    hard, soft = reset == "hard", reset == "soft"

    @njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
    def run(u, y, membrane, adaptation, theta, tau, rho, a, b, scale, held, limit, most, counts):
        samples, steps, channels = u.shape
        saturated = 0.0
        for s in range(samples):
            v, w = membrane[s], adaptation[s]
            for t in range(steps):
                for h in range(channels):
                    raw = multiply_shift(tau[h], v[h]) + multiply_shift(scale[h], float(u[s, t, h]))
                    raw -= multiply_shift(held[h], w[h])
                    kept = clip(raw, limit)
                    saturated += clipped(raw, limit)
                    spike = 1.0 if kept >= theta[h] else 0.0
                    after = kept
                    if hard:
                        after = 0.0 if spike > 0.0 else kept
                    elif soft:
                        after = kept - theta[h] * spike
                    seen = kept if before else after
                    left = multiply_shift(rho[h], w[h]) + multiply_shift(a[h], seen) + b[h] * spike
                    saturated += clipped(left, most)
                    w[h] = clip(left, most)
                    v[h] = after
                    y[s, t, h] = int(spike)
        counts[SATURATIONS] += int(saturated)

    return run


@cache
def float_adaptive(reset, before):
    """Return the kernel on real numbers; the largest u and w go to ``peaks`` ``(2, C)``."""
    hard, soft = reset == "hard", reset == "soft"

    @njit(nogil=True, cache=True)
    def run(u, y, membrane, adaptation, theta, tau, rho, a, b, peaks):
        samples, steps, channels = u.shape
        for s in range(samples):
            v, w = membrane[s], adaptation[s]
            for t in range(steps):
                for h in range(channels):
                    kept = tau[h] * v[h] + u[s, t, h] - w[h]
                    peaks[0, h] = max(peaks[0, h], abs(kept))
                    spike = 1.0 if kept >= theta[h] else 0.0
                    after = kept
                    if hard:
                        after = 0.0 if spike > 0.0 else kept
                    elif soft:
                        after = kept - theta[h] * spike
                    seen = kept if before else after
                    w[h] = rho[h] * w[h] + a[h] * seen + b[h] * spike
                    peaks[1, h] = max(peaks[1, h], abs(w[h]))
                    v[h] = after
                    y[s, t, h] = spike

    return run


@cache
def resonate(soft, both):
    """Return the kernel with a soft reset or none, and a drive of `both` parts or the real one.

    States ``(S, C)`` float64, in place. Parameters ``(C,)`` by their `scaled`: ``scale_re`` and
    ``scale_im`` bring the drive to the exponent of the state.
    """

    @njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
    def run(u, y, real, imag, a_re, a_im, theta, scale_re, scale_im, limit, counts):
        samples, steps, channels = y.shape
        saturated = 0.0
        for s in range(samples):
            re, im = real[s], imag[s]
            for t in range(steps):
                for h in range(channels):
                    x, z = re[h], im[h]
                    next_re = multiply_shift(a_re[h], x) - multiply_shift(a_im[h], z)
                    next_re += multiply_shift(scale_re[h], float(u[s, t, h]))
                    next_im = multiply_shift(a_re[h], z) + multiply_shift(a_im[h], x)
                    if both:
                        next_im += multiply_shift(scale_im[h], float(u[s, t, channels + h]))
                    saturated += clipped(next_re, limit) + clipped(next_im, limit)
                    kept = clip(next_re, limit)
                    spike = 1.0 if kept >= theta[h] else 0.0
                    if soft:
                        kept -= theta[h] * spike
                    re[h], im[h] = kept, clip(next_im, limit)
                    y[s, t, h] = int(spike)
        counts[SATURATIONS] += int(saturated)

    return run


@cache
def float_resonate(soft, both):
    """Return the kernel on real numbers; largest magnitudes of states go to ``peaks`` ``(C,)``."""

    @njit(nogil=True, cache=True)
    def run(u, y, real, imag, a_re, a_im, theta, peaks):
        samples, steps, channels = y.shape
        for s in range(samples):
            re, im = real[s], imag[s]
            for t in range(steps):
                for h in range(channels):
                    x, z = re[h], im[h]
                    kept = a_re[h] * x - a_im[h] * z + u[s, t, h]
                    im[h] = a_re[h] * z + a_im[h] * x
                    if both:
                        im[h] += u[s, t, channels + h]
                    peaks[h] = max(peaks[h], np.hypot(kept, im[h]))
                    spike = 1.0 if kept >= theta[h] else 0.0
                    re[h] = kept - theta[h] * spike if soft else kept
                    y[s, t, h] = spike

    return run
