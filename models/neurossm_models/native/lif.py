"""The leaky integrate-and-fire recurrence, forward and backward through time.

`neurossm_models.native.lanes` brings rows side by side. The forward pass keeps the state at the
borders of blocks; the backward pass runs each block again from there, in the first-level cache.

Shape letters: ``R`` rows (features times batch), ``L`` time steps, ``G`` groups of `LANES` rows,
``K`` blocks of steps. Row i belongs to feature ``i // (R / H)``; parameters have shape ``(H,)``.
All arrays are float32, contiguous and flat.

What a group works on is one array with constant offsets: only so does the compiler see that its
parts do not overlap, and use vector instructions.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from neurossm.compiling import njit
from neurossm_models.native.lanes import BLOCK, LANES, SIZE, load, store
from neurossm_models.native.slopes import slope_of

_ZERO, _ONE = np.float32(0), np.float32(1)

# Places in `work`, each of LANES values: parameters, state, gradients on the way, sums.
_THETA, _TAU, _RHO, _KAPPA = (k * LANES for k in range(4))
_U, _R, _S = (k * LANES for k in range(4, 7))  # membrane after reset, trace, last spike
_AU, _AR, _AV, _SCALE = (k * LANES for k in range(7, 11))
_SUMS, _END = 11 * LANES, 15 * LANES  # of theta, tau, rho, kappa
# Places in `room`, each of a block: input over theta, gradient, membrane before reset, trace.
_Y, _GRAD, _V, _TRACE = (k * SIZE for k in range(4))


def border_values(rows: int, length: int, refractory: bool) -> int:
    """Return how many values `forward_kernel` keeps for `backward_kernel`."""
    states = 3 if refractory else 1
    return -(-rows // LANES) * -(-length // BLOCK) * states * LANES


@njit(cache=True, nogil=True, error_model="numpy")  # a threshold that training drove to 0
def _begin(work, first, rows, theta, tau, rho, kappa):
    batch = rows // len(theta)
    work[:] = _ZERO
    for j in range(LANES):
        h = min(first + j, rows - 1) // batch
        work[_THETA + j], work[_TAU + j] = theta[h], tau[h]
        work[_RHO + j], work[_KAPPA + j] = rho[h], kappa[h]
        work[_SCALE + j] = _ONE / theta[h]


@cache
def _advance(refractory, record):
    """Return one step of all lanes: the input in `room` becomes the spike, or is divided by theta.

    With `record` the membrane before the reset and the trace are written, too.
    """

    # without Python's check for a division by zero, which would keep lanes from being vectors
    @njit(cache=True, nogil=True, error_model="numpy")
    def advance(room, work, hard, soft):
        for j in range(LANES):
            y = room[_Y + j] / work[_THETA + j]
            v = work[_TAU + j] * work[_U + j] + y
            excess = v
            if refractory:
                trace = work[_RHO + j] * work[_R + j]
                trace = trace + work[_KAPPA + j] * work[_S + j]
                work[_R + j] = trace
                excess = v - trace
            s = _ONE if excess >= _ONE else _ZERO
            if refractory:
                work[_S + j] = s
            removed = v if hard > _ZERO else soft  # not hard * v: 0 times infinity is no number
            work[_U + j] = v - s * removed
            if record:
                room[_Y + j], room[_V + j] = y, v
                if refractory:
                    room[_TRACE + j] = trace
            else:
                room[_Y + j] = s

    return advance


@cache
def forward_kernel(refractory):
    """Return ``run(x, length, theta, tau, rho, kappa, hard, soft, spikes, borders)``.

    x and spikes are (R, L); ``borders`` of `border_values` receives the state before each block.
    ``hard`` and ``soft`` are 1 or 0: the reset is 0, ``u' - soft``, exactly.
    """
    advance = _advance(refractory, False)
    end = _END_OF_STATE[refractory]

    @njit(cache=True, nogil=True)
    def run(x, length, theta, tau, rho, kappa, hard, soft, spikes, borders):
        rows, border = len(x) // length, 0
        room, work = np.empty(SIZE, np.float32), np.empty(_END, np.float32)
        for first in range(0, rows, LANES):
            count = min(LANES, rows - first)
            _begin(work, first, rows, theta, tau, rho, kappa)
            for start in range(0, length, BLOCK):
                steps = min(BLOCK, length - start)
                borders[border : border + end - _U] = work[_U:end]
                border += end - _U
                load(x, length, first, count, start, steps, room)
                for t in range(steps):
                    advance(room[t * LANES :], work, hard, soft)
                store(room, spikes, length, first, count, start, steps)

    return run


_END_OF_STATE = {False: _R, True: _AU}


@cache
def _retreat(refractory, surrogate):
    slope = slope_of(surrogate)

    @njit(cache=True, nogil=True, error_model="numpy")
    def retreat(room, work, hard, soft):
        """Replace dL/ds by dL/dx, one step of all lanes.

        Of the step behind this one, `work` holds tau dL/du', dL/dr and dL/du'.
        """
        for j in range(LANES):
            v = room[_V + j]
            distance = v - _ONE
            au, gs = work[_AU + j], room[_GRAD + j]
            if refractory:
                trace, ar = room[_TRACE + j], work[_AR + j]
                distance = v - trace - _ONE
                gs += work[_KAPPA + j] * ar
            s = _ONE if distance >= _ZERO else _ZERO
            removed = v if hard > _ZERO else soft
            work[_SUMS + LANES + j] += work[_AV + j] * (v - s * removed)
            gd = (gs - au * removed) * slope(distance)
            gv = gd + au * (_ONE - hard * s)
            if refractory:
                work[_SUMS + 2 * LANES + j] += ar * trace
                work[_SUMS + 3 * LANES + j] += ar * s
                work[_AR + j] = work[_RHO + j] * ar - gd
            work[_AU + j] = work[_TAU + j] * gv
            work[_AV + j] = gv
            gx = gv * work[_SCALE + j]
            work[_SUMS + j] -= gx * room[_Y + j]
            room[_GRAD + j] = gx

    return retreat


@cache
def backward_kernel(refractory, surrogate):
    """Return ``run(x, grad, length, theta, ..., kappa, hard, soft, borders, grad_x, sums)``.

    ``sums`` (R, 4), float64, receives the gradients of theta, tau, rho and kappa, one row each.
    """
    advance, retreat = _advance(refractory, True), _retreat(refractory, surrogate)
    end = _END_OF_STATE[refractory]

    @njit(cache=True, nogil=True)
    def run(x, grad, length, theta, tau, rho, kappa, hard, soft, borders, grad_x, sums):
        rows, border = len(x) // length, len(borders)
        room, work = np.empty(4 * SIZE, np.float32), np.empty(_END, np.float32)
        for last in range((rows - 1) // LANES, -1, -1):
            first = last * LANES
            count = min(LANES, rows - first)
            _begin(work, first, rows, theta, tau, rho, kappa)
            for start in range((length - 1) // BLOCK * BLOCK, -1, -BLOCK):
                steps = min(BLOCK, length - start)
                border -= end - _U
                work[_U:end] = borders[border : border + end - _U]
                load(x, length, first, count, start, steps, room)
                load(grad, length, first, count, start, steps, room[_GRAD:])
                for t in range(steps):
                    advance(room[t * LANES :], work, hard, soft)
                for t in range(steps - 1, -1, -1):
                    retreat(room[t * LANES :], work, hard, soft)
                store(room[_GRAD:], grad_x, length, first, count, start, steps)
                for j in range(count):  # sums of a block in single precision, all in double
                    for k in range(4):
                        sums[(first + j) * 4 + k] += work[_SUMS + k * LANES + j]
                work[_SUMS:] = _ZERO

    return run
