"""The compiled step: one call that walks a flat program through the kernels of the fast engine.

A program is rows of integers: an instruction, the node whose counters it adds to, where its
operands stand, and parameters. Everything that it touches stands in three arrays, one a type:
activations and weights (int32), thresholds, running sums and counters (int64), scaled parameters,
membranes and states of recurrences (float64). So this is compiled once, for any graph, and kept in
Numba's cache. `neurossm.engine.flat` writes programs.

An instruction is a function that stands beside the form that writes it (`instruction`); those of
the program itself, its inputs, edges and outputs, stand here.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, NamedTuple, TypeVar
from zlib import crc32

import numpy as np
from numba import carray, types  # type: ignore[attr-defined]  # exported without a word
from numba.extending import intrinsic
from numpy.typing import NDArray

from neurossm.compiling import njit
from neurossm.engine import conv_kernels, kernels, sparse_kernels, ssm_kernels
from neurossm.fixed import compiled
from neurossm.fixed.compiled import clip, is_whole, to_units

# columns of a row; what stands in those behind is said beside each instruction
OP, NODE, U, V, Y, N, M = range(7)  # operands and output, channels in and out
P0, P1, P2, P3, P4, P5 = range(7, 13)
COLUMNS = 13

Numbers = NDArray[Any]


class Memory(NamedTuple):
    """Where int32, int64 and float64 stand; `part`, `rows` and `block` make arrays of them."""

    small: Any
    whole: Any
    real: Any


Instruction = Callable[[Numbers, Numbers, Numbers, Memory, Numbers], None]
F = TypeVar("F", bound=Instruction)

_INSTRUCTIONS: dict[Any, Any] = {}  # to what the walk calls, in the order of their numbers


def instruction(function: F) -> F:
    """Enter an instruction; to be written by name, as in ``to.emit(threshold, ...)``.

    Numba compiles it. It is called with its row ``(COLUMNS,)``, what it reads ``(S, 1, N)``, where
    it writes ``(S, 1, M)``, the memories, and the three counters of its node
    (`neurossm.engine.kernels`).
    """
    made: Any = njit(inline="always")(function)

    @njit(nogil=True)
    def run(row, samples, small, whole, real):
        r = carray(row, (COLUMNS,))
        u, y = block(small, r[U], samples, r[N]), block(small, r[Y], samples, r[M])
        counts = part(whole, 3 * r[NODE] + 1, 3)
        return made(r, u, y, Memory(small, whole, real), counts)

    _INSTRUCTIONS[made] = run
    entered: F = made
    return entered


def number_of(function: Instruction) -> int:
    """Return by which number a row names an instruction."""
    return list(_INSTRUCTIONS).index(function)


@intrinsic
def _behind(typing, memory, at):
    """Return a pointer so many elements further on."""

    def emit(context, builder, signature, arguments):
        return builder.gep(arguments[0], [arguments[1]])

    return memory(memory, types.intp), emit


@intrinsic
def _pointer(typing, memory):
    """Return where an array stands."""

    def emit(context, builder, signature, arguments):
        return context.make_array(memory)(context, builder, arguments[0]).data

    return types.CPointer(memory.dtype)(memory), emit


# arrays over a part of the memory that count no references: slices do, and cost more than what most
# of the kernels do in a step


@njit(inline="always")
def block(memory, at, samples, channels):
    """Return activations ``(S, 1, C)`` that stand in a memory."""
    return carray(_behind(memory, at), (samples, 1, channels))


@njit(inline="always")
def rows(memory, at, count, columns):
    """Return a matrix that stands in a memory."""
    return carray(_behind(memory, at), (count, columns))


@njit(inline="always")
def matrices(memory, at, count, rows, columns):
    """Return so many matrices that stand in a memory, one behind the other."""
    return carray(_behind(memory, at), (count, rows, columns))


@njit(inline="always")
def part(memory, at, size):
    """Return a vector that stands in a memory."""
    return carray(_behind(memory, at), (size,))


@instruction
def enter(row, u, y, at, counts):
    """Write an input: given ``(S, C)``, low, high, is_real, scaling (offset, then unit), largest.

    Real numbers are brought to the input's unit and clipped to +-largest; ``whole[0]`` counts those
    that were. Returns False for a value that is not taken: a whole number outside the range, a
    fraction where whole numbers are taken, a real number that is not finite.
    """
    samples, _, channels = y.shape
    given, is_real = rows(at.real, row[P0], samples, channels), at.whole[row[P3]] != 0
    offset, unit = part(at.real, row[P4], channels), part(at.real, row[P4] + channels, channels)
    clipped = 0
    for s in range(samples):
        for h in range(channels):
            value = given[s, h]
            if is_real:
                value = to_units(value, offset[h], unit[h])
                if not np.isfinite(value):
                    return False
                inside = clip(value, float(row[P5]))
                clipped += inside != value
                value = inside
            if not (is_whole(value) and row[P1] <= value <= row[P2]):
                return False
            y[s, 0, h] = int(value)
    at.whole[0] += clipped
    return True


@instruction
def count(row, u, y, at, counts):
    """Add up what an output sends: sums ``(S, C)`` int64."""
    sums = rows(at.whole, row[P0], u.shape[0], row[N])
    for s in range(u.shape[0]):
        for h in range(row[N]):
            sums[s, h] += u[s, 0, h]


@instruction
def largest(row, u, y, at, counts):
    """Keep the largest of what an output sends, ``(S, C)`` int64."""
    kept = rows(at.whole, row[P0], u.shape[0], row[N])
    for s in range(u.shape[0]):
        for h in range(row[N]):
            kept[s, h] = max(kept[s, h], np.int64(u[s, 0, h]))


@instruction
def copy(row, u, y, at, counts):
    """Send what came."""
    y[...] = u


@instruction
def add(row, u, y, at, counts):
    """Add one more edge: last, limit."""
    kernels.entry_sum(y, u, row[P0] != 0, row[P1], counts)


def _one_of(instructions: list[Any], first: int) -> Any:
    """Return what runs the instruction that a row names, of those from number `first` on."""
    if len(instructions) == 1:
        return instructions[0]
    half = len(instructions) // 2
    middle = first + half
    low, high = _one_of(instructions[:half], first), _one_of(instructions[half:], middle)

    @njit(inline="always")
    def run(row, samples, small, whole, real):
        if row[OP] < middle:
            low(row, samples, small, whole, real)
        else:
            high(row, samples, small, whole, real)

    return run


_enter = _INSTRUCTIONS[enter]
_others: Any = None  # all instructions but `enter`; Numba asks for it by name
_LOCK = Lock()


def _compile(version):
    @njit(nogil=True, cache=True)
    def walk(samples, code, small, whole, real):
        """Run a program for one step of so many samples; states go on in place.

        Returns 0, or 1 + the node of the first `enter` that refused; then no state has changed.
        ``whole[0]`` counts the real values that were clipped.
        """
        clipped = whole[0] + 0 * version
        at, s, w, r = _pointer(code), _pointer(small), _pointer(whole), _pointer(real)
        for _ in range(len(code)):
            if at[OP] > 0:
                _others(at, samples, s, w, r)
            elif not _enter(at, samples, s, w, r):
                whole[0] = clipped
                return 1 + at[NODE]
            at = _behind(at, COLUMNS)
        return 0

    return walk


def _version() -> int:
    """Return a number that changes with the sources of the instructions and of what they call.

    Numba's cache looks at the file of a function only; the code of all that it calls is inside of
    what it keeps for `walk`.
    """
    modules = (kernels, conv_kernels, ssm_kernels, sparse_kernels, compiled)
    files = [module.__file__ for module in modules]
    files += [made.py_func.__code__.co_filename for made in _INSTRUCTIONS]
    return crc32(b"".join(Path(file).read_bytes() for file in dict.fromkeys(files) if file))


@cache
def _walker(instructions: int) -> Any:
    global _others
    _others = _one_of(list(_INSTRUCTIONS.values())[1:instructions], 1)
    return _compile(_version())


def walker() -> Any:
    """Return ``walk(samples, code, small, whole, real)`` for the instructions entered so far."""
    with _LOCK:  # threads that run loops wait for one, which Numba compiles once
        return _walker(len(_INSTRUCTIONS))
