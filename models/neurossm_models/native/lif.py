"""The leaky integrate-and-fire recurrence, forward and backward through time.

A single row would wait for its own last result at every step, so `LANES` rows advance side by side:
a block of their steps is transposed into a small buffer ``(time, lane)`` where the vector unit
works across rows. The backward pass recomputes the membranes of one group of rows at a time, so
nothing but the input is kept between the passes.

Shape letters: ``R`` rows (features times batch), ``L`` time steps. Row i belongs to feature
``i // (R / H)``; parameters have shape ``(H,)``. All arrays are float32 and contiguous.

Buffers and parameters are flat arrays with constant offsets: only so does the compiler see that
they do not overlap, and use vector instructions.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numba import njit

LANES = 16
BLOCK = 64  # steps transposed at a time: 256 bytes of a row
SURROGATES = ("arctan", "triangle", "fast_sigmoid")

_ZERO, _ONE, _PI = np.float32(0), np.float32(1), np.float32(np.pi)
_SLOPE = np.float32(25)


@njit(cache=True, nogil=True)
def _load(rows, first, start, steps, block):
    for j in range(LANES):
        row = rows[min(first + j, len(rows) - 1)]
        for t in range(steps):
            block[t * LANES + j] = row[start + t]


@njit(cache=True, nogil=True)
def _store(block, rows, first, start, steps):
    for j in range(min(LANES, len(rows) - first)):
        row = rows[first + j]
        for t in range(steps):
            row[start + t] = block[t * LANES + j]


@njit(cache=True, nogil=True)
def _work(tau, rho, kappa, first, rows):
    """Return tau, rho and kappa of the rows of a group, and room for state and sums, all zero."""
    batch = rows // len(tau)
    work = np.zeros(9 * LANES, np.float32)
    for j in range(LANES):
        feature = min(first + j, rows - 1) // batch
        work[j], work[LANES + j], work[2 * LANES + j] = tau[feature], rho[feature], kappa[feature]
    return work


@cache
def forward_kernel(refractory):
    """Return ``run(y, tau, rho, kappa, hard, soft, spikes)``, threshold 1; y, spikes (R, L).

    ``hard`` and ``soft`` are 1 or 0: the reset ``u' - s (hard u' + soft)`` is 0, ``u' - 1`` or
    ``u'``, exactly.
    """

    @njit(cache=True, nogil=True)
    def advance(block, steps, work, hard, soft):
        """work: tau, rho, kappa, membrane after reset, trace, last spike."""
        for t in range(steps):
            for j in range(LANES):
                v = work[j] * work[3 * LANES + j] + block[t * LANES + j]
                excess = v
                if refractory:
                    trace = work[LANES + j] * work[4 * LANES + j]
                    trace = trace + work[2 * LANES + j] * work[5 * LANES + j]
                    work[4 * LANES + j] = trace
                    excess = v - trace
                s = _ONE if excess >= _ONE else _ZERO
                if refractory:
                    work[5 * LANES + j] = s
                work[3 * LANES + j] = v - s * (hard * v + soft)
                block[t * LANES + j] = s

    @njit(cache=True, nogil=True)
    def run(y, tau, rho, kappa, hard, soft, spikes):
        rows, length = y.shape
        block = np.empty(BLOCK * LANES, np.float32)
        for first in range(0, rows, LANES):
            work = _work(tau, rho, kappa, first, rows)
            for start in range(0, length, BLOCK):
                steps = min(BLOCK, length - start)
                _load(y, first, start, steps, block)
                advance(block, steps, work, hard, soft)
                _store(block, spikes, first, start, steps)

    return run


@cache
def _slope_of(surrogate):
    """Return the derivative of the spike by its distance from the threshold."""

    # without Python's check for a division by zero, which would keep lanes from being vectors
    @njit(cache=True, nogil=True, error_model="numpy")
    def slope(distance):
        if surrogate == "arctan":
            x = _PI * distance
            return _ONE / (_ONE + x * x)
        if surrogate == "triangle":
            return max(_ZERO, _ONE - abs(distance))
        x = _ONE + _SLOPE * abs(distance)
        return _ONE / (x * x)

    return slope


@cache
def _recompute_of(refractory):
    @njit(cache=True, nogil=True)
    def recompute(block, steps, membranes, traces, work, hard, soft):
        """As `advance`; the membranes and traces of all steps are recorded."""
        for t in range(steps):
            for j in range(LANES):
                v = work[j] * work[3 * LANES + j] + block[t * LANES + j]
                excess = v
                if refractory:
                    trace = work[LANES + j] * work[4 * LANES + j]
                    trace = trace + work[2 * LANES + j] * work[5 * LANES + j]
                    work[4 * LANES + j] = trace
                    excess = v - trace
                    traces[t * LANES + j] = trace
                s = _ONE if excess >= _ONE else _ZERO
                if refractory:
                    work[5 * LANES + j] = s
                work[3 * LANES + j] = v - s * (hard * v + soft)
                membranes[t * LANES + j] = v

    return recompute


@cache
def _retreat_of(refractory, surrogate):
    slope = _slope_of(surrogate)

    @njit(cache=True, nogil=True, error_model="numpy")
    def retreat(grads, membranes, traces, work, hard, soft):
        """Replace dL/ds by dL/dy, one step, all lanes.

        work: tau, rho, kappa; of step t + 1: tau dL/du', dL/dr, dL/du'; sums for tau, rho, kappa.
        """
        for j in range(LANES):
            v = membranes[j]
            distance = v - _ONE
            au, gs = work[3 * LANES + j], grads[j]
            if refractory:
                trace, ar = traces[j], work[4 * LANES + j]
                distance = v - trace - _ONE
                gs += work[2 * LANES + j] * ar
            s = _ONE if distance >= _ZERO else _ZERO
            removed = hard * v + soft
            work[6 * LANES + j] += work[5 * LANES + j] * (v - s * removed)
            gd = (gs - au * removed) * slope(distance)
            gv = gd + au * (_ONE - hard * s)
            if refractory:
                work[7 * LANES + j] += ar * trace
                work[8 * LANES + j] += ar * s
                work[4 * LANES + j] = work[LANES + j] * ar - gd
            work[3 * LANES + j] = work[j] * gv
            work[5 * LANES + j] = gv
            grads[j] = gv

    return retreat


@cache
def backward_kernel(refractory, surrogate):
    """Return ``run(y, grad, tau, rho, kappa, hard, soft, grad_y, sums)``.

    ``sums`` (R, 3), float64, receives the gradients of tau, rho and kappa, one row each.
    """
    recompute, retreat = _recompute_of(refractory), _retreat_of(refractory, surrogate)

    @njit(cache=True, nogil=True)
    def run(y, grad, tau, rho, kappa, hard, soft, grad_y, sums):
        rows, length = y.shape
        membranes = np.empty(length * LANES, np.float32)
        traces = np.empty(length * LANES if refractory else 0, np.float32)
        block = np.empty(BLOCK * LANES, np.float32)
        for first in range(0, rows, LANES):
            work = _work(tau, rho, kappa, first, rows)
            for start in range(0, length, BLOCK):
                steps, done = min(BLOCK, length - start), start * LANES
                _load(y, first, start, steps, block)
                recompute(block, steps, membranes[done:], traces[done:], work, hard, soft)
            work[3 * LANES :] = _ZERO
            for start in range((length - 1) // BLOCK * BLOCK, -1, -BLOCK):
                steps = min(BLOCK, length - start)
                _load(grad, first, start, steps, block)
                for t in range(steps - 1, -1, -1):
                    i, k = t * LANES, (start + t) * LANES
                    retreat(block[i:], membranes[k:], traces[k:], work, hard, soft)
                _store(block, grad_y, first, start, steps)
                for j in range(min(LANES, rows - first)):
                    for k in range(3):
                        sums[first + j, k] += work[(6 + k) * LANES + j]
                work[6 * LANES :] = _ZERO

    return run
