"""Compiled loops over the weights that are not 0, for `Affine` with few of them.

Shapes and counters as in `neurossm.engine.kernels`. Indices are made unsigned: Numba then leaves
out the test for negative ones, which costs as much as the addition.
"""

from __future__ import annotations

import numpy as np

from neurossm.compiling import njit
from neurossm.engine.kernels import MULTIPLIES, SYN_OPS

BLOCK = 64  # time steps that `add_rows` takes at once: four vectors of 16 lanes


@njit(nogil=True, cache=True)
def add_columns(u, y, starts, targets, weights, multiplies, counts):
    """Add the synapses of each activation to ``y``, column by column (compressed sparse columns).

    ``starts`` ``(I + 1,)`` int64; ``targets`` and ``weights`` ``(S,)`` int32, the output and the
    weight of each synapse.
    """
    samples, steps, inputs = u.shape
    events = 0
    for s in range(samples):
        for t in range(steps):
            acc = y[s, t]
            for j in range(inputs):
                message = u[s, t, j]
                if message == 0:
                    continue
                first, stop = starts[j], starts[j + 1]
                events += stop - first
                for k in range(np.uint64(first), np.uint64(stop)):
                    acc[np.uint64(targets[k])] += weights[k] * message
    counts[SYN_OPS] += events
    counts[MULTIPLIES] += events if multiplies else 0


@njit(nogil=True, cache=True)
def add_rows(u, y, starts, sources, weights, fan_out, multiplies, counts):
    """Add the synapses of graded spikes to ``y``, row by row (compressed sparse rows).

    A block of steps at a time: each weight multiplies a vector of activations. ``starts``
    ``(O + 1,)`` int64; ``sources`` and ``weights`` ``(S,)`` int32, the input and the weight of each
    synapse; ``fan_out`` ``(I,)`` the synapses of an input.
    """
    samples, steps, inputs = u.shape
    turned = np.zeros((inputs, BLOCK), np.int32)
    acc = np.zeros(BLOCK, np.int32)
    events = 0
    for s in range(samples):
        for begin in range(0, steps, BLOCK):
            count = min(BLOCK, steps - begin)
            for j in range(inputs):
                arrived = 0
                for b in range(count):
                    message = u[s, begin + b, j]
                    turned[j, b] = message  # what stands behind `count` is not read back
                    arrived += message != 0
                events += arrived * fan_out[j]
            for o in range(y.shape[2]):
                acc[:] = 0
                for k in range(np.uint64(starts[o]), np.uint64(starts[o + 1])):
                    row, weight = turned[np.uint64(sources[k])], weights[k]
                    for b in range(BLOCK):
                        acc[b] += weight * row[b]
                for b in range(count):
                    y[s, begin + b, o] += acc[b]
    counts[SYN_OPS] += events
    counts[MULTIPLIES] += events if multiplies else 0
