"""Spiking neurons with two states each, forward and backward through time.

What the neurons of `adaptive` and `resonator` share: rows are brought side by side as in
`neurossm_models.native.lanes`, the forward pass keeps both states at the borders of blocks, the
backward pass runs each block again from there, in the first-level cache. A neuron is two functions
that advance and retreat all lanes by a step.

Shape letters: ``R`` rows (features times batch), ``L`` time steps, ``P`` parameters, ``H``
features. Row i belongs to feature ``i // (R / H)``. All arrays are float32 and contiguous; x,
spikes and gradients are flat.
"""

from __future__ import annotations

import numpy as np

from neurossm.compiling import njit
from neurossm_models.native.lanes import BLOCK, LANES, SIZE, load, store

ZERO, ONE = np.float32(0), np.float32(1)

# Places in `work`, each of LANES values: states, their gradients, the gradients of what the step
# behind computed for them, then parameters, then sums for the gradients of these.
STATE_0, STATE_1, GRAD_0, GRAD_1, BEHIND_0, BEHIND_1 = (k * LANES for k in range(6))
PARAMETERS = 6 * LANES
# Places in `room`, each of a block: input, gradient, spikes, the first state before its reset, what
# the neuron keeps besides, and the imaginary part of a complex input.
X, GRAD, S, V, KEPT, X_IM = (k * SIZE for k in range(6))


def border_values(rows: int, length: int) -> int:
    """Return how many values the forward pass keeps for the backward pass."""
    return -(-rows // LANES) * -(-length // BLOCK) * 2 * LANES


@njit(cache=True, nogil=True)
def _begin(work, first, rows, parameters):
    count, features = parameters.shape
    work[:] = ZERO
    for j in range(LANES):
        h = min(first + j, rows - 1) // (rows // features)
        for k in range(count):
            work[PARAMETERS + k * LANES + j] = parameters[k, h]


def forward_of(advance, complex_drive, given):
    """Return ``run(x, x_im, length, parameters, hard, soft, spikes, borders)``.

    Parameters
    ----------
    advance
        ``advance(room, work, hard, soft)`` of the neuron: one step of all lanes.
    complex_drive
        Whether x_im is read; it may be empty otherwise.
    given
        Whether the spikes are read, instead of written.
    """

    @njit(cache=True, nogil=True)
    def run(x, x_im, length, parameters, hard, soft, spikes, borders):
        rows, border = len(x) // length, 0
        room = np.empty(6 * SIZE, np.float32)
        work = np.empty(PARAMETERS + len(parameters) * LANES, np.float32)
        for first in range(0, rows, LANES):
            count = min(LANES, rows - first)
            _begin(work, first, rows, parameters)
            for start in range(0, length, BLOCK):
                steps = min(BLOCK, length - start)
                borders[border : border + 2 * LANES] = work[: 2 * LANES]
                border += 2 * LANES
                load(x, length, first, count, start, steps, room)
                if complex_drive:
                    load(x_im, length, first, count, start, steps, room[X_IM:])
                if given:
                    load(spikes, length, first, count, start, steps, room[S:])
                for t in range(steps):
                    advance(room[t * LANES :], work, hard, soft)
                if not given:
                    store(room[S:], spikes, length, first, count, start, steps)

    return run


def backward_of(advance, retreat, complex_drive, given):
    """Return ``run(x, x_im, grad, length, ..., borders, out, out_im, sums)``.

    In between are the arguments of the forward pass; the spikes are read where they are given.
    ``out`` and ``out_im`` receive the gradient of x, ``sums`` (R, P), float64 and flat, those of
    the parameters.

    Parameters
    ----------
    advance, retreat
        Steps of all lanes; ``retreat`` replaces dL/ds by dL/dx, and the imaginary part of x by its
        gradient.
    complex_drive, given
        As of `forward_of`.
    """

    @njit(cache=True, nogil=True)
    def run(x, x_im, grad, length, parameters, hard, soft, spikes, borders, out, out_im, sums):
        rows, border, number = len(x) // length, len(borders), len(parameters)
        room = np.empty(6 * SIZE, np.float32)
        totals = PARAMETERS + number * LANES
        work = np.empty(totals + number * LANES, np.float32)
        for last in range((rows - 1) // LANES, -1, -1):
            first = last * LANES
            count = min(LANES, rows - first)
            _begin(work, first, rows, parameters)
            for start in range((length - 1) // BLOCK * BLOCK, -1, -BLOCK):
                steps = min(BLOCK, length - start)
                border -= 2 * LANES
                work[: 2 * LANES] = borders[border : border + 2 * LANES]
                load(x, length, first, count, start, steps, room)
                load(grad, length, first, count, start, steps, room[GRAD:])
                if complex_drive:
                    load(x_im, length, first, count, start, steps, room[X_IM:])
                if given:
                    load(spikes, length, first, count, start, steps, room[S:])
                for t in range(steps):
                    advance(room[t * LANES :], work, hard, soft)
                for t in range(steps - 1, -1, -1):
                    retreat(room[t * LANES :], work, hard, soft)
                store(room[GRAD:], out, length, first, count, start, steps)
                if complex_drive:
                    store(room[X_IM:], out_im, length, first, count, start, steps)
                for j in range(count):  # sums of a block in single precision, all in double
                    for k in range(number):
                        sums[(first + j) * number + k] += work[totals + k * LANES + j]
                work[totals:] = ZERO

    return run
