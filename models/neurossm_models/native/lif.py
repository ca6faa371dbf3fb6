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
def _parameters(tau, rho, kappa, first, rows):
    """Return tau, rho and kappa of the rows of a group, one after the other."""
    batch = rows // len(tau)
    values = np.empty(3 * LANES, np.float32)
    for j in range(LANES):
        feature = min(first + j, rows - 1) // batch
        values[j], values[LANES + j], values[2 * LANES + j] = tau[feature], rho[feature], kappa[feature]
    return values


@cache
def forward_kernel(refractory):
    """Return ``run(y, tau, rho, kappa, hard, soft, spikes)``, threshold 1; y, spikes (R, L).

    ``hard`` and ``soft`` are 1 or 0: the reset ``u' - s (hard u' + soft)`` is 0, ``u' - 1`` or
    ``u'``, exactly.
    """

    @njit(cache=True, nogil=True)
    def advance(block, steps, state, p, hard, soft):
        for t in range(steps):
            for j in range(LANES):
                v = p[j] * state[j] + block[t * LANES + j]
                excess = v
                if refractory:
                    trace = p[LANES + j] * state[LANES + j] + p[2 * LANES + j] * state[2 * LANES + j]
                    state[LANES + j] = trace
                    excess = v - trace
                s = _ONE if excess >= _ONE else _ZERO
                if refractory:
                    state[2 * LANES + j] = s
                state[j] = v - s * (hard * v + soft)
                block[t * LANES + j] = s

    @njit(cache=True, nogil=True)
    def run(y, tau, rho, kappa, hard, soft, spikes):
        rows, length = y.shape
        for group in range((rows + LANES - 1) // LANES):
            first = group * LANES
            p = _parameters(tau, rho, kappa, first, rows)
            state = np.zeros(3 * LANES, np.float32)
            block = np.empty(BLOCK * LANES, np.float32)
            for start in range(0, length, BLOCK):
                steps = min(BLOCK, length - start)
                _load(y, first, start, steps, block)
                advance(block, steps, state, p, hard, soft)
                _store(block, spikes, first, start, steps)

    return run


@cache
def backward_kernel(refractory, surrogate):
    """Return ``run(y, grad, tau, rho, kappa, hard, soft, grad_y, sums)``.

    ``sums`` (R, 3), float64, receives the gradients of tau, rho and kappa, one row each.
    """

    @njit(cache=True, nogil=True)
    def slope(distance):
        if surrogate == "arctan":
            x = _PI * distance
            return _ONE / (_ONE + x * x)
        if surrogate == "triangle":
            return max(_ZERO, _ONE - abs(distance))
        x = _ONE + _SLOPE * abs(distance)
        return _ONE / (x * x)

    @njit(cache=True, nogil=True)
    def recompute(block, steps, start, tape, half, state, p, hard, soft):
        """As `advance`, writing membranes to the tape and traces to its second half."""
        for t in range(steps):
            for j in range(LANES):
                v = p[j] * state[j] + block[t * LANES + j]
                excess = v
                if refractory:
                    trace = p[LANES + j] * state[LANES + j] + p[2 * LANES + j] * state[2 * LANES + j]
                    state[LANES + j] = trace
                    excess = v - trace
                    tape[half + (start + t) * LANES + j] = trace
                s = _ONE if excess >= _ONE else _ZERO
                if refractory:
                    state[2 * LANES + j] = s
                state[j] = v - s * (hard * v + soft)
                tape[(start + t) * LANES + j] = v

    @njit(cache=True, nogil=True)
    def retreat(block, steps, start, tape, half, adjoint, p, hard, soft, total):
        """Replace dL/ds by dL/dy, last step first.

        adjoint: dL/du_t, dL/dr_{t+1}; and of step t + 1: dL/du' and dL/dr, times which the state
        after step t gives the gradients of tau, rho and kappa.
        """
        for t in range(steps - 1, -1, -1):
            for j in range(LANES):
                v = tape[(start + t) * LANES + j]
                distance = v - _ONE
                au, gs = adjoint[j], block[t * LANES + j]
                if refractory:
                    trace = tape[half + (start + t) * LANES + j]
                    distance = v - trace - _ONE
                    ar = adjoint[LANES + j]
                    gs += p[2 * LANES + j] * ar
                s = _ONE if distance >= _ZERO else _ZERO
                total[j] += adjoint[2 * LANES + j] * (v - s * (hard * v + soft))
                gd = (gs - au * (hard * v + soft)) * slope(distance)
                gv = gd + au * (_ONE - hard * s)
                if refractory:
                    total[LANES + j] += ar * trace
                    total[2 * LANES + j] += ar * s
                    adjoint[LANES + j] = p[LANES + j] * ar - gd
                adjoint[j] = p[j] * gv
                adjoint[2 * LANES + j] = gv
                block[t * LANES + j] = gv

    @njit(cache=True, nogil=True)
    def run(y, grad, tau, rho, kappa, hard, soft, grad_y, sums):
        rows, length = y.shape
        for group in range((rows + LANES - 1) // LANES):
            first = group * LANES
            p = _parameters(tau, rho, kappa, first, rows)
            half = length * LANES
            tape = np.empty(half * (2 if refractory else 1), np.float32)
            block = np.empty(BLOCK * LANES, np.float32)
            state = np.zeros(3 * LANES, np.float32)
            for start in range(0, length, BLOCK):
                steps = min(BLOCK, length - start)
                _load(y, first, start, steps, block)
                recompute(block, steps, start, tape, half, state, p, hard, soft)
            state[:] = _ZERO
            total = np.empty(3 * LANES, np.float32)
            for start in range((length - 1) // BLOCK * BLOCK, -1, -BLOCK):
                steps = min(BLOCK, length - start)
                _load(grad, first, start, steps, block)
                total[:] = _ZERO
                retreat(block, steps, start, tape, half, state, p, hard, soft, total)
                _store(block, grad_y, first, start, steps)
                for j in range(min(LANES, rows - first)):
                    for k in range(3):
                        sums[first + j, k] += total[k * LANES + j]

    return run
