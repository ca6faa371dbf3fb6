"""Compiled loops of `Conv2d`: an activation adds the kernel around it, filters innermost.

``shape`` is `SIZES` numbers (I, H, W, O, H', W', kh, kw, groups, padded filters of a group), then
for each row of the input and element of the kernel ``(H, kh)`` the row of the output where they
meet, or -1, then the same of columns ``(W, kw)``. ``weight`` is the kernel ``(I, kh, kw, filters)``
int32, flat. ``scratch`` holds sums ``(H' W', groups, filters)``, and behind them which of its rows
are not zero; it is left zero. Filters of a group are padded to whole blocks of `LANES`, which a
vector instruction adds at once, unless there are few.
"""

from __future__ import annotations

from neurossm.compiling import njit
from neurossm.engine.kernels import MULTIPLIES, SYN_OPS

SIZES = 10
LANES = 8
FEW = 4  # filters of a group that are not padded


@njit(nogil=True, cache=True)
def add_windows(u, y, weight, shape, fan_out, scratch, multiplies, counts):
    """Add the synapses of an edge to ``y``; ``fan_out`` ``(I H W,)`` are those of each input."""
    height, width, positions = shape[1], shape[2], shape[4] * shape[5]
    groups, padded = shape[8], shape[9]
    sums = scratch[: positions * groups * padded].reshape((positions * groups, padded))
    touched = scratch[positions * groups * padded :]
    filters = weight.reshape((-1, padded))
    own = shape[0] // groups
    events = 0
    for s in range(u.shape[0]):
        for t in range(u.shape[1]):
            at = 0
            for i in range(shape[0]):
                for row in range(height):
                    for column in range(width):
                        message = u[s, t, at]
                        if message != 0:
                            events += fan_out[at]
                            where = (i, i // own, row, column)
                            _add_kernel(where, message, filters, shape, sums, touched)
                        at += 1
            _leave(sums, touched, y[s, t], shape)
    counts[SYN_OPS] += events
    counts[MULTIPLIES] += events if multiplies else 0


@njit(inline="always")
def _add_kernel(where, message, weight, shape, sums, touched):
    """Add the kernel around an input: its channel, group, row and column; spikes are -1 and 1."""
    i, group, row, column = where
    height, columns = shape[1], shape[5]
    kh, kw, groups, padded = shape[6], shape[7], shape[8], shape[9]
    met_rows = SIZES + row * kh
    met_columns = SIZES + height * kh + column * kw
    for k in range(kh):
        met_row = shape[met_rows + k]
        if met_row < 0:
            continue
        for x in range(kw):
            met_column = shape[met_columns + x]
            if met_column < 0:
                continue
            position = met_row * columns + met_column
            touched[position] = 1
            acc, kernel = sums[position * groups + group], weight[(i * kh + k) * kw + x]
            if padded % LANES:
                for o in range(padded):
                    acc[o] += kernel[o] * message
            else:
                for o in range(0, padded, LANES):
                    _add_block(acc, kernel, o, message)


@njit(inline="always")
def _add_block(acc, w, o, sign):
    """Add or subtract a block; all of it is read before it is written, so that it is one vector."""
    a, b, c, d = sign * w[o], sign * w[o + 1], sign * w[o + 2], sign * w[o + 3]
    e, f, g, h = sign * w[o + 4], sign * w[o + 5], sign * w[o + 6], sign * w[o + 7]
    a, b, c, d = a + acc[o], b + acc[o + 1], c + acc[o + 2], d + acc[o + 3]
    e, f, g, h = e + acc[o + 4], f + acc[o + 5], g + acc[o + 6], h + acc[o + 7]
    acc[o], acc[o + 1], acc[o + 2], acc[o + 3] = a, b, c, d
    acc[o + 4], acc[o + 5], acc[o + 6], acc[o + 7] = e, f, g, h


@njit(inline="always")
def _leave(summed, touched, sums, shape):
    """Add what has been summed to one step, ``(O H' W',)``, and make it zero again."""
    filters, positions, groups = shape[3], shape[4] * shape[5], shape[8]
    each = filters // groups
    for position in range(positions):
        if touched[position] != 0:
            touched[position] = 0
            for g in range(groups):
                acc = summed[position * groups + g]
                to = g * each * positions + position
                for o in range(each):
                    sums[to + o * positions] += acc[o]
                    acc[o] = 0
