"""A complex diagonal recurrence that is driven by complex inputs, and its gradient; float32.

``x_t = a x_{t-1} + u_t``. `neurossm_models.native.lanes` brings rows side by side.

Shape letters: ``R`` rows (states times batch), ``L`` time steps, ``P`` states. Row i belongs to
state ``i // (R / P)``; poles have shape ``(P,)``. All arrays are float32, contiguous and flat.
"""

from __future__ import annotations

import numpy as np

from neurossm.compiling import njit
from neurossm_models.native.lanes import BLOCK, LANES, SIZE, load, store

_ZERO = np.float32(0)
# Places in `work`, each of LANES values: state, pole, sums for the gradient of the pole.
_RE, _IM, _A_RE, _A_IM, _SUM_RE, _SUM_IM = (k * LANES for k in range(6))
_END = 6 * LANES
# Places in `room`, each of a block: real and imaginary parts of what runs, and of the states.
_X_RE, _X_IM, _S_RE, _S_IM = (k * SIZE for k in range(4))


@njit(cache=True, nogil=True)
def _begin(work, first, rows, a_re, a_im):
    batch = rows // len(a_re)
    work[:] = _ZERO
    for j in range(LANES):
        p = min(first + j, rows - 1) // batch
        work[_A_RE + j], work[_A_IM + j] = a_re[p], a_im[p]


@njit(cache=True, nogil=True, fastmath={"contract"})
def _advance(room, work):
    for j in range(LANES):
        re, im = work[_RE + j], work[_IM + j]
        a, b = work[_A_RE + j], work[_A_IM + j]
        x_re = a * re - b * im + room[_X_RE + j]
        x_im = a * im + b * re + room[_X_IM + j]
        work[_RE + j], work[_IM + j] = x_re, x_im
        room[_X_RE + j], room[_X_IM + j] = x_re, x_im


@njit(cache=True, nogil=True)
def forward(u_re, u_im, length, a_re, a_im, x_re, x_im):
    """Write the states x of the inputs u, both (R, L)."""
    rows = len(u_re) // length
    room, work = np.empty(2 * SIZE, np.float32), np.empty(_END, np.float32)
    for first in range(0, rows, LANES):
        count = min(LANES, rows - first)
        _begin(work, first, rows, a_re, a_im)
        for start in range(0, length, BLOCK):
            steps = min(BLOCK, length - start)
            load(u_re, length, first, count, start, steps, room)
            load(u_im, length, first, count, start, steps, room[_X_IM:])
            for t in range(steps):
                _advance(room[t * LANES :], work)
            store(room, x_re, length, first, count, start, steps)
            store(room[_X_IM:], x_im, length, first, count, start, steps)


@njit(cache=True, nogil=True, fastmath={"contract"})
def _retreat(room, work):
    """Replace dL/dx by dL/du, one step of all lanes; add its product with the state to the sums.

    `work` holds dL/du of the step behind; with the state of this step it is what the pole sees.
    """
    for j in range(LANES):
        re, im = work[_RE + j], work[_IM + j]
        s_re, s_im = room[_S_RE + j], room[_S_IM + j]
        work[_SUM_RE + j] += re * s_re + im * s_im
        work[_SUM_IM + j] += im * s_re - re * s_im
        a, b = work[_A_RE + j], work[_A_IM + j]
        q_re = a * re + b * im + room[_X_RE + j]
        q_im = a * im - b * re + room[_X_IM + j]
        work[_RE + j], work[_IM + j] = q_re, q_im
        room[_X_RE + j], room[_X_IM + j] = q_re, q_im


@njit(cache=True, nogil=True)
def backward(g_re, g_im, x_re, x_im, length, a_re, a_im, out_re, out_im, sums):
    """Write dL/du for dL/dx, all (R, L); ``sums`` (R, 2), float64: the gradient of the pole."""
    rows = len(g_re) // length
    room, work = np.empty(4 * SIZE, np.float32), np.empty(_END, np.float32)
    for first in range(0, rows, LANES):
        count = min(LANES, rows - first)
        _begin(work, first, rows, a_re, a_im)
        for start in range((length - 1) // BLOCK * BLOCK, -1, -BLOCK):
            steps = min(BLOCK, length - start)
            load(g_re, length, first, count, start, steps, room)
            load(g_im, length, first, count, start, steps, room[_X_IM:])
            load(x_re, length, first, count, start, steps, room[_S_RE:])
            load(x_im, length, first, count, start, steps, room[_S_IM:])
            for t in range(steps - 1, -1, -1):
                _retreat(room[t * LANES :], work)
            store(room, out_re, length, first, count, start, steps)
            store(room[_X_IM:], out_im, length, first, count, start, steps)
            for j in range(count):  # sums of a block in single precision, all in double
                sums[first + j, 0] += work[_SUM_RE + j]
                sums[first + j, 1] += work[_SUM_IM + j]
            work[_SUM_RE:] = _ZERO
