"""The adaptive threshold and its gradient, row by row; float32, contiguous.

Shape letters: ``H`` features, ``B`` batch, ``R = H B`` rows, ``L`` time steps, ``K`` taps. Row i
belongs to feature ``i // B``. The equations stand in `neurossm_models.neurons.adaptive_threshold`.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from neurossm.compiling import njit
from neurossm_models.native.slopes import slope_of

_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(cache=True, nogil=True)
def _find_candidates(x, theta, taps, candidates, distances):
    """Write the candidates of a row, and the distances from the raised threshold, (L,)."""
    for t in range(len(x)):
        candidates[t] = _ONE if x[t] >= theta else _ZERO
        distances[t] = x[t] - theta
    for k in range(len(taps)):
        for t in range(k + 1, len(x)):
            distances[t] -= taps[k] * candidates[t - 1 - k]


@njit(cache=True, nogil=True)
def forward(x, theta, taps, y):
    """Write the spikes of x (R, L), with theta (H,) and taps (H, K)."""
    rows, length = x.shape
    batch = rows // len(theta)
    candidates, distances = np.empty(length, np.float32), np.empty(length, np.float32)
    for i in range(rows):
        h = i // batch
        _find_candidates(x[i], theta[h], taps[h], candidates, distances)
        out = y[i]
        for t in range(length):
            out[t] = _ONE if distances[t] >= _ZERO else _ZERO


@cache
def backward_kernel(surrogate):
    """Return ``run(grad, x, theta, taps, grad_theta, grad_taps, out)``.

    ``out`` (R, L) receives the gradient of x; grad_theta (H,) and grad_taps (H, K) are added to.
    """
    slope = slope_of(surrogate)

    @njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")
    def back(grad, x, theta, taps, candidates, distances, at, out):
        """Write the gradient of x by its candidates and spikes to a row."""
        length = len(x)
        for t in range(length):
            at[t] = grad[t] * slope(distances[t])
            out[t] = _ZERO
        for k in range(len(taps)):
            for t in range(length - 1 - k):
                out[t] -= taps[k] * at[t + 1 + k]
        for t in range(length):
            out[t] = out[t] * slope(x[t] - theta) + at[t]

    @njit(cache=True, nogil=True)
    def run(grad, x, theta, taps, grad_theta, grad_taps, out):
        rows, length = x.shape
        batch = rows // len(theta)
        work = np.empty((3, length), np.float32)
        candidates, distances, at = work[0], work[1], work[2]
        for h in range(len(theta)):
            total, of_taps = 0.0, np.zeros(taps.shape[1])
            for i in range(h * batch, (h + 1) * batch):
                _find_candidates(x[i], theta[h], taps[h], candidates, distances)
                back(grad[i], x[i], theta[h], taps[h], candidates, distances, at, out[i])
                for t in range(length):
                    total += out[i, t]
                for k in range(taps.shape[1]):
                    for t in range(k + 1, length):
                        of_taps[k] += at[t] * candidates[t - 1 - k]
            grad_theta[h] = -total
            grad_taps[h] = -of_taps

    return run
