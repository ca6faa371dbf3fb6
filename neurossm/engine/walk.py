"""The compiled step: one call that walks a flat program through the kernels of the fast engine.

A program is rows of integers: an instruction, the node whose counters it adds to, where its
operands stand, and parameters. Everything that it touches stands in three arrays, one a type:
messages and weights (int32), thresholds, running sums and counters (int64), scaled parameters,
membranes and states of recurrences (float64). So this is compiled once, for any graph, and kept in
Numba's cache. `neurossm.engine.flat` writes programs.
"""

from __future__ import annotations

from pathlib import Path
from zlib import crc32

import numpy as np
from numba import carray, njit, types  # type: ignore[attr-defined]  # exported without a word
from numba.extending import intrinsic

from neurossm.engine import kernels, ssm_kernels
from neurossm.fixed import compiled
from neurossm.fixed.compiled import clip, is_whole, to_units

# columns of a row; what stands in those behind is said beside each instruction
OP, NODE, U, V, Y, N, M = range(7)  # operands and output, channels in and out
P0, P1, P2, P3, P4, P5 = range(7, 13)
COLUMNS = 13

# instructions: their parameters, which are offsets where they are names of arrays
ENTER = 0  # given, low, high, is_real, scaling (offset, then unit), largest real value
COUNT = 1  # tally
LARGEST = 2  # tally
COPY = 3
ADD = 4  # last, limit
START = 5  # bias
ADD_SPIKES = 6  # columns, fan_out
ADD_GRADED = 7  # rows, fan_out, multiplies
SATURATE = 8  # limit
LOOK_UP = 9  # table, rows of it
SSM_REAL = 10  # state, parameters, tiles, d (then bias), state limit, limit
SSM_COMPLEX = 11
LIF_HARD = 12  # membrane (then trace), parameters, limit
LIF_SOFT = 13
LIF_NONE = 14
ACCUMULATE = 15  # sum, shift, limit of a term, limit
THRESHOLD = 16  # theta
TERNARY = 17  # delta
PAIR = 18  # scales, limit
ALIGN = 19  # scale, first; V is the sum, a float64
STORE = 20  # limit; V as above
PRODUCT = 21  # shift, limit
PIECEWISE = 22  # knots (then slopes, offsets), limit
SEND = 23  # rows; U is what waits, (S, rows, C)
TAKE = 24  # rows, steps of each channel; Y is what waits

SEGMENTS = 8  # of the one kernel for all `PiecewiseLinear`: the most that there are

_ssm_real, _ssm_complex = ssm_kernels.step_ssm(True), ssm_kernels.step_ssm(False)
_lif_hard, _lif_soft, _lif_none = (
    kernels.lif(reset, has_trace=True, shifted=True) for reset in ("hard", "soft", "none")
)
_piecewise = kernels.piecewise_linear(SEGMENTS)


@njit(nogil=True, cache=True)
def enter(given, y, low, high, is_real, offset, unit, largest):
    """Write one input, given as float64 ``(S, C)``; return how many values were clipped.

    Real numbers are brought to the input's unit and clipped to +-``largest``. -1 for a value that
    is not taken: a whole number outside the range, a fraction where whole numbers are taken, a real
    number that is not finite.
    """
    samples, channels = given.shape
    clipped = 0
    for s in range(samples):
        for h in range(channels):
            value = given[s, h]
            if is_real:
                value = to_units(value, offset[h], unit[h])
                if not np.isfinite(value):
                    return -1
                inside = clip(value, float(largest))
                clipped += inside != value
                value = inside
            if not (is_whole(value) and low <= value <= high):
                return -1
            y[s, 0, h] = int(value)
    return clipped


@njit(nogil=True, cache=True)
def tally(u, sums, largest):
    """Add up what one output sends, or keep the largest of it; ``sums`` (S, C) int64."""
    samples, _, channels = u.shape
    for s in range(samples):
        for h in range(channels):
            value = np.int64(u[s, 0, h])
            sums[s, h] = max(sums[s, h], value) if largest else sums[s, h] + value


@intrinsic
def _pointer(typing, memory, at):
    """Return where an element of an array stands."""

    def emit(context, builder, signature, arguments):
        array = context.make_array(memory)(context, builder, arguments[0])
        return builder.gep(array.data, [arguments[1]])

    return types.CPointer(memory.dtype)(memory, types.intp), emit


# arrays over a part of the memory that count no references: slices do, and cost more than what most
# of the kernels do in a step


@njit(inline="always")
def _block(memory, at, samples, channels):
    return carray(_pointer(memory, at), (samples, 1, channels))


@njit(inline="always")
def _rows(memory, at, rows, columns):
    return carray(_pointer(memory, at), (rows, columns))


@njit(inline="always")
def _part(memory, at, size):
    return carray(_pointer(memory, at), (size,))


@njit(inline="always")
def _gather(op, row, u, y, small, whole, counts):
    """Add up edges and synapses: `COPY` to `LOOK_UP`."""
    n, m, p0, p1 = row[N], row[M], row[P0], row[P1]
    if op == COPY:
        y[...] = u
    elif op == ADD:
        kernels.entry_sum(y, u, p0 != 0, p1, counts)
    elif op == START:
        kernels.start(y, _part(small, p0, m))
    elif op == ADD_SPIKES:
        kernels.add_spikes(u, y, _rows(small, p0, n, m), _part(whole, p1, n), counts)
    elif op == ADD_GRADED:
        rows = _rows(small, p0, m, n)
        kernels.add_graded(u, y, rows, _part(whole, p1, n), row[P2] != 0, counts)
    elif op == SATURATE:
        kernels.saturate(y, p0, counts)
    else:
        kernels.look_up(u, y, _rows(small, p0, p1, m), counts)


@njit(inline="always")
def _remember(op, row, u, y, whole, real, counts):
    """Run what has a state: `SSM_REAL` to `ACCUMULATE`."""
    samples, n, p0, p1, p2 = u.shape[0], row[N], row[P0], row[P1], row[P2]
    if op == ACCUMULATE:
        kernels.accumulate(u, y, _rows(whole, p0, samples, n), p1, p2, row[P3], counts)
    elif op <= SSM_COMPLEX:
        lanes, d = n * p2 * ssm_kernels.LANES, row[P3]
        state, p = _part(real, p0, samples * lanes * 2), _part(real, p1, lanes * 8)
        feed, bias = _part(real, d, n), _part(real, d + n, n)
        limit, out_limit = float(row[P4]), float(row[P5])
        if op == SSM_REAL:
            _ssm_real(u, y, state, p, p2, feed, bias, limit, out_limit, counts)
        else:
            _ssm_complex(u, y, state, p, p2, feed, bias, limit, out_limit, counts)
    else:
        v, r = _rows(real, p0, samples, n), _rows(real, p0 + samples * n, samples, n)
        theta, tau, rho = _part(real, p1, n), _part(real, p1 + n, n), _part(real, p1 + 2 * n, n)
        kappa, scale, limit = _part(real, p1 + 3 * n, n), _part(real, p1 + 4 * n, n), float(p2)
        if op == LIF_HARD:
            _lif_hard(u, y, v, r, theta, tau, rho, kappa, scale, limit, counts)
        elif op == LIF_SOFT:
            _lif_soft(u, y, v, r, theta, tau, rho, kappa, scale, limit, counts)
        else:
            _lif_none(u, y, v, r, theta, tau, rho, kappa, scale, limit, counts)


@njit(inline="always")
def _pointwise(op, row, u, y, small, whole, real, counts):
    """Run what acts on each channel by itself: `THRESHOLD` to `PIECEWISE`."""
    samples, n, v, p0, p1 = u.shape[0], row[N], row[V], row[P0], row[P1]
    if op == THRESHOLD:
        kernels.threshold(u, y, _part(whole, p0, n))
    elif op == TERNARY:
        kernels.ternary_threshold(u, y, _part(whole, p0, n))
    elif op == PAIR:
        other = _block(small, v, samples, n)
        kernels.aligned_pair(u, other, y, real[p0], real[p0 + 1], float(p1), counts)
    elif op == ALIGN:
        kernels.align(u, _block(real, v, samples, n), real[p0], p1 != 0)
    elif op == STORE:
        kernels.store(_block(real, v, samples, n), y, float(p0), counts)
    elif op == PRODUCT:
        kernels.product(u, _block(small, v, samples, n), y, p0, p1, counts)
    else:
        knots, slopes, offsets = (
            _part(real, p0, SEGMENTS),
            _part(real, p0 + SEGMENTS, SEGMENTS),
            _part(real, p0 + 2 * SEGMENTS, SEGMENTS),
        )
        _piecewise(u, y, knots, slopes, offsets, float(p1), counts)


@njit(inline="always")
def _wait(op, row, samples, small, whole):
    """Send what has waited long enough, or take what arrives: `SEND`, `TAKE`."""
    n, rows = row[N], row[P0]
    size = rows * n
    for s in range(samples):
        if op == SEND:
            for h in range(n):
                small[row[Y] + s * n + h] = small[row[U] + s * size + h]
        else:
            at = row[Y] + s * size
            for k in range(size - n):
                small[at + k] = small[at + n + k]
            for h in range(n):
                small[at + size - n + h] = 0
            for h in range(n):
                small[at + (whole[row[P1] + h] - 1) * n + h] = small[row[U] + s * n + h]


def _compile(version):
    @njit(nogil=True, cache=True)
    def walk(samples, code, small, whole, real):
        """Run a program for one step of so many samples; states go on in place.

        Returns 0, or 1 + the node of the first `ENTER` that refused; then no state has changed.
        ``whole[0]`` counts the real values that were clipped.
        """
        clipped = 0 * version
        for i in range(len(code)):
            row = _part(code, i * COLUMNS, COLUMNS)
            op, n, m, p0, node = row[OP], row[N], row[M], row[P0], 3 * row[NODE] + 1
            u, y = _block(small, row[U], samples, n), _block(small, row[Y], samples, m)
            counts = _part(whole, node, 3)
            if op == ENTER:
                is_real, at = whole[row[P3]] != 0, row[P4]
                given, offset, unit = (
                    _rows(real, p0, samples, m),
                    _part(real, at, m),
                    _part(real, at + m, m),
                )
                more = enter(given, y, row[P1], row[P2], is_real, offset, unit, row[P5])
                if more < 0:
                    return 1 + row[NODE]
                clipped += more
            elif op < COPY:
                tally(u, _rows(whole, p0, samples, n), op == LARGEST)
            elif op < SSM_REAL:
                _gather(op, row, u, y, small, whole, counts)
            elif op < THRESHOLD:
                _remember(op, row, u, y, whole, real, counts)
            elif op < SEND:
                _pointwise(op, row, u, y, small, whole, real, counts)
            else:
                _wait(op, row, samples, small, whole)
        whole[0] += clipped
        return 0

    return walk


def _version() -> int:
    """Return a number that changes with the kernels' sources.

    Numba's cache looks at the file of a function only; the code of the kernels is inside of what it
    keeps for `walk`.
    """
    files = [module.__file__ for module in (kernels, ssm_kernels, compiled)]
    return crc32(b"".join(Path(file).read_bytes() for file in files if file))


walk = _compile(_version())
