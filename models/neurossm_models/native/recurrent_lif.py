"""Leaky integrate-and-fire neurons that feed each other through delays, forward and backward.

Neurons wait for each other at every step, so all of them advance together, `LANES` sequences of
the batch at a time.

Shape letters: ``P`` parts of the batch, ``L`` time steps, ``H`` neurons, ``K`` lags, 1 first.
Signals are float32 ``(P, L, H, LANES)``, contiguous; parameters ``(H,)``, weights ``(H, H)``.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from neurossm.compiling import njit
from neurossm_models.native.slopes import slope_of

LANES = 16  # two vectors of eight
_COLUMNS = 8  # of the weights at once, so that a sum is loaded and stored once for all of them

_ZERO, _ONE = np.float32(0), np.float32(1)


@njit(cache=True, nogil=True)
def _filtered(spikes, taps, lags, t, out):
    """Write what arrives of all spikes at step t, each through its own window of lags."""
    for h in range(len(taps)):
        for j in range(LANES):
            out[h, j] = _ZERO
        for k in range(lags[h, 0], min(lags[h, 1], t)):  # lag k + 1 reads step t - k - 1
            tap = taps[h, k]
            for j in range(LANES):
                out[h, j] += tap * spikes[t - k - 1, h, j]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _products(weight, x, out):
    """Write ``weight x`` of all lanes; weight (O, I)."""
    inputs = weight.shape[1]
    size = inputs // _COLUMNS * _COLUMNS
    for o in range(len(weight)):
        w, y = weight[o], out[o]
        y[:] = _ZERO
        for i in range(0, size, _COLUMNS):
            for j in range(LANES):
                y[j] += (
                    (w[i] * x[i, j] + w[i + 1] * x[i + 1, j])
                    + (w[i + 2] * x[i + 2, j] + w[i + 3] * x[i + 3, j])
                ) + (
                    (w[i + 4] * x[i + 4, j] + w[i + 5] * x[i + 5, j])
                    + (w[i + 6] * x[i + 6, j] + w[i + 7] * x[i + 7, j])
                )
        for i in range(size, inputs):
            for j in range(LANES):
                y[j] += w[i] * x[i, j]


@njit(cache=True, nogil=True)
def forward(x, weight, taps, lags, kept, tau, hard, soft, given, spikes, membranes):
    """Write spikes and membranes before the reset; of one part, (L, H, LANES).

    Parameters
    ----------
    x
        What arrives from elsewhere, in units of the threshold.
    weight
        Recurrent weights (H, H), receiving neuron first.
    taps, lags
        What arrives of a spike k + 1 steps later (H, K); the first lag that is not 0, and the one
        behind the last, (H, 2), from 0.
    kept
        Factor of what neurons receive from each other, (H, LANES).
    hard, soft
        1 or 0: the reset is 0, ``u' - soft``, exactly.
    given
        True where the spikes are given, not found.
    """
    length, width = x.shape[0], x.shape[1]
    arriving = np.empty((width, LANES), np.float32)
    received = np.empty((width, LANES), np.float32)
    u = np.zeros((width, LANES), np.float32)
    for t in range(length):
        _filtered(spikes, taps, lags, t, arriving)
        _products(weight, arriving, received)
        for h in range(width):
            for j in range(LANES):
                v = tau[h] * u[h, j] + (x[t, h, j] + kept[h, j] * received[h, j])
                membranes[t, h, j] = v
                if not given:
                    spikes[t, h, j] = _ONE if v >= _ONE else _ZERO
                removed = v if hard > _ZERO else soft  # not hard * v: infinity times 0
                u[h, j] = v - spikes[t, h, j] * removed


@cache
def backward_kernel(surrogate):
    """Return ``run(grad, membranes, spikes, weight, ..., arriving, grad_received, grad_taps)``.

    It replaces dL/ds by dL/dx in ``grad``. ``arriving`` and ``grad_received``, of the shape of
    grad, receive the two factors of the gradient of the weights, ``grad_taps`` (H, K), float64,
    that of the taps. ``weight`` is transposed, sending neuron first.
    """
    slope = slope_of(surrogate)

    @njit(cache=True, nogil=True)
    def run(
        grad, membranes, spikes, turned, taps, lags, kept, tau, hard, soft,
        arriving, grad_received, grad_taps,
    ):  # fmt: skip
        length, width = grad.shape[0], grad.shape[1]
        sent = np.zeros((length, width, LANES), np.float32)  # dL/d what arrives of spikes
        after = np.zeros((width, LANES), np.float32)  # dL/d membrane after the reset
        for t in range(length - 1, -1, -1):
            for h in range(width):
                for k in range(lags[h, 0], min(lags[h, 1], length - 1 - t)):
                    tap = taps[h, k]
                    for j in range(LANES):
                        grad[t, h, j] += tap * sent[t + k + 1, h, j]
                for j in range(LANES):
                    v, s, au = membranes[t, h, j], spikes[t, h, j], after[h, j]
                    removed = v if hard > _ZERO else soft
                    gv = (grad[t, h, j] - au * removed) * slope(v - _ONE) + au * (_ONE - hard * s)
                    after[h, j] = tau[h] * gv
                    grad[t, h, j] = gv
                    grad_received[t, h, j] = kept[h, j] * gv
            _products(turned, grad_received[t], sent[t])
            _filtered(spikes, taps, lags, t, arriving[t])
            for h in range(width):
                for k in range(lags[h, 0], min(lags[h, 1], t)):
                    total = _ZERO
                    for j in range(LANES):
                        total += sent[t, h, j] * spikes[t - k - 1, h, j]
                    grad_taps[h, k] += total

    return run
