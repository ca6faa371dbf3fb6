"""Batch normalization and thresholds of single features, and their gradients.

Shape letters: ``H`` features, ``R`` values of a feature (batch times time steps). Arrays are
float32 and contiguous, (H, R) or (H,).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from neurossm.compiling import njit
from neurossm_models.native.slopes import slope_of

_ZERO, _ONE = np.float32(0), np.float32(1)
_CHUNK = 1024  # values summed in single precision before a double takes the sum


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _chunk_sum(x):
    total = _ZERO
    for i in range(len(x)):
        total += x[i]
    return total


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _chunk_square(x, mean):
    total = _ZERO
    for i in range(len(x)):
        total += (x[i] - mean) * (x[i] - mean)
    return total


@njit(cache=True, nogil=True)
def statistics(x, mean, variance):
    """Write mean and biased variance of each feature."""
    for h in range(len(x)):
        row, total = x[h], 0.0
        for start in range(0, len(row), _CHUNK):
            total += _chunk_sum(row[start : start + _CHUNK])
        mean[h], total = total / len(row), 0.0
        for start in range(0, len(row), _CHUNK):
            total += _chunk_square(row[start : start + _CHUNK], mean[h])
        variance[h] = total / len(row)


@njit(cache=True, nogil=True, fastmath={"contract"})
def normalize(x, mean, scale, gain, offset, y):
    """Write ``(x - mean) scale gain + offset``."""
    for h in range(len(x)):
        row, out = x[h], y[h]
        a, b, m = scale[h] * gain[h], offset[h], mean[h]
        for i in range(len(row)):
            out[i] = (row[i] - m) * a + b


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"})
def _chunk_products(g, x, mean):
    total, product = _ZERO, _ZERO
    for i in range(len(g)):
        total += g[i]
        product += g[i] * (x[i] - mean)
    return total, product


@njit(cache=True, nogil=True, fastmath={"contract"})
def normalize_backward(grad, x, mean, scale, gain, batch_statistics, grad_gain, grad_offset, out):
    """Write the gradients of x, to `out`, and of gain and offset."""
    for h in range(len(x)):
        row, g, m, to = x[h], grad[h], mean[h], out[h]
        total, product = 0.0, 0.0
        for start in range(0, len(row), _CHUNK):
            stop = start + _CHUNK
            one, two = _chunk_products(g[start:stop], row[start:stop], m)
            total += one
            product += two
        grad_offset[h], grad_gain[h] = total, product * scale[h]
        a = scale[h] * gain[h]
        slope, shift = _ZERO, _ZERO
        if batch_statistics:
            slope = np.float32(product * scale[h] * scale[h] / len(row))
            shift = np.float32(total / len(row))
        for i in range(len(row)):
            to[i] = a * (g[i] - shift - (row[i] - m) * slope)


@njit(cache=True, nogil=True)
def threshold(x, theta, y):
    """Write ``1[x >= theta]``."""
    for h in range(len(x)):
        row, out, limit = x[h], y[h], theta[h]
        for i in range(len(row)):
            out[i] = _ONE if row[i] >= limit else _ZERO


@cache
def threshold_backward(surrogate):
    """Return ``run(grad, x, theta, grad_theta, out)``; `out` receives the gradient of x."""
    slope = slope_of(surrogate)

    @njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
    def scale(g, x, limit, out):
        for i in range(len(g)):
            out[i] = g[i] * slope(x[i] - limit)

    @njit(cache=True, nogil=True)
    def run(grad, x, theta, grad_theta, out):
        for h in range(len(x)):
            total = 0.0
            for start in range(0, len(x[h]), _CHUNK):
                stop = start + _CHUNK
                scale(grad[h, start:stop], x[h, start:stop], theta[h], out[h, start:stop])
                total += _chunk_sum(out[h, start:stop])
            grad_theta[h] = -total

    return run
