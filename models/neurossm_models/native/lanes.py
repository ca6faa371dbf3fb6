"""Blocks of time steps of several rows as lanes of the vector unit.

A recurrence along a row waits for its own last result at every step, so the neurons' loops advance
`LANES` rows at once, on blocks ``(time, lane)`` of `BLOCK` steps. Getting there is a transposition;
one value at a time it would cost more than the recurrence, so squares of eight by eight are
transposed in registers.

Arrays are flat and float32; row i of L steps starts at ``i L``.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from neurossm.compiling import njit

LANES = 32
BLOCK = 64  # steps; a row's share is 256 bytes, a block 8 kB
SIZE = BLOCK * LANES

# Indices into two vectors of eight: pairs of rows, then rows by four, then halves.
_PAIRS = [0, 8, 1, 9, 4, 12, 5, 13], [2, 10, 3, 11, 6, 14, 7, 15]
_FOURS = [0, 1, 8, 9, 4, 5, 12, 13], [2, 3, 10, 11, 6, 7, 14, 15]
_HALVES = [0, 1, 2, 3, 8, 9, 10, 11], [4, 5, 6, 7, 12, 13, 14, 15]


@intrinsic
def _copy_square(
    typing: Any, source: Any, start: Any, stride: Any, target: Any, to: Any, to_stride: Any
) -> Any:
    """``target[to + i to_stride + j] = source[start + j stride + i]`` for i and j in 0 to 7."""
    signature = types.void(source, types.intp, types.intp, target, types.intp, types.intp)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = ir.VectorType(ir.FloatType(), 8)

        def rows_of(first: int) -> list[Any]:
            array, offset, step = arguments[first : first + 3]
            data = context.make_array(signature.args[first])(context, builder, array).data
            places = [builder.add(offset, builder.mul(step, step.type(k))) for k in range(8)]
            pointers = [builder.gep(data, [place]) for place in places]
            return [builder.bitcast(pointer, vector.as_pointer()) for pointer in pointers]

        def shuffle(a: Any, b: Any, order: list[int]) -> Any:
            mask = ir.Constant(ir.VectorType(ir.IntType(32), 8), order)
            return builder.shuffle_vector(a, b, mask)

        rows = [builder.load(pointer, align=4) for pointer in rows_of(0)]
        pairs = [shuffle(rows[k], rows[k + 1], order) for k in (0, 2, 4, 6) for order in _PAIRS]
        fours = [shuffle(pairs[k], pairs[k + 2], order) for k in (0, 1, 4, 5) for order in _FOURS]
        columns = [shuffle(fours[k], fours[k + 4], order) for order in _HALVES for k in range(4)]
        for column, pointer in zip(columns, rows_of(3), strict=True):
            builder.store(column, pointer, align=4)
        return context.get_dummy_value()

    return signature, generate


@njit(cache=True, nogil=True)
def load(rows, length, first, count, start, steps, block):
    """Write steps of the rows `first` to ``first + count - 1`` to the lanes of a block.

    Lanes beyond them repeat the last row.
    """
    whole = steps // 8 * 8 if count == LANES else 0
    for j in range(0, LANES, 8):
        for t in range(0, whole, 8):
            place = (first + j) * length + start + t
            _copy_square(rows, place, length, block, t * LANES + j, LANES)
    for j in range(LANES):
        place = (first + min(j, count - 1)) * length + start
        for t in range(whole, steps):
            block[t * LANES + j] = rows[place + t]


@njit(cache=True, nogil=True)
def store(block, rows, length, first, count, start, steps):
    """Undo `load`."""
    whole = steps // 8 * 8 if count == LANES else 0
    for j in range(0, LANES, 8):
        for t in range(0, whole, 8):
            place = (first + j) * length + start + t
            _copy_square(block, t * LANES + j, LANES, rows, place, length)
    for j in range(count):
        place = (first + j) * length + start
        for t in range(whole, steps):
            rows[place + t] = block[t * LANES + j]
