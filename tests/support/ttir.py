"""Runs what Triton compiles a kernel to, its first intermediate language (TTIR), with checks.

In TTIR every operation says how many bits it has; Triton's own interpreter leaves such choices to
NumPy and Python. So this shows what a GPU is told to compute, up to the compiler of that language
itself: whole numbers of 32 and 64 bits, division toward zero, arithmetic shifts. What would be
undefined or lose something there is an error here: signed overflow, shifts by the width or more,
addresses outside of a tensor, two lanes that store to one address.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

NUMBER = {"i1": np.bool_, "i32": np.int32, "i64": np.int64}
COMPARE = {
    "slt": np.less, "sle": np.less_equal, "sgt": np.greater, "sge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
}  # fmt: skip


class Undefined(Exception):
    """What a GPU may do anything for, or what loses bits."""


@dataclass(frozen=True, eq=False)
class Pointer:
    """Places in a tensor: its memory, flat, and which elements."""

    memory: np.ndarray
    at: np.ndarray


@dataclass
class Line:
    """An operation: names of its results, its own name, names of its operands, what is written."""

    results: list[str]
    name: str
    operands: list[str]
    text: str
    body: list[Line] = field(default_factory=list)


def parsed(text: str) -> list[Line]:
    """Return the operations of the one function of a module, loops with their bodies."""
    lines = [re.sub(r" loc\(.*\)$", "", line).strip() for line in text.splitlines()]
    start = next(i for i, line in enumerate(lines) if line.startswith("tt.func"))
    return _block(iter(lines[start + 1 :]))


def arguments(text: str) -> list[str]:
    """Return the names of the arguments of the function."""
    (line,) = (line for line in text.splitlines() if "tt.func" in line)
    return re.findall(r"%(\w+):", line)


def _block(lines: Iterator[str]) -> list[Line]:
    found: list[Line] = []
    for text in lines:
        if text.startswith("}"):
            return found
        line = _line(text)
        if line.name == "scf.for":
            line.body = _block(lines)
        if line.name == "tt.reduce":
            inside = [next(lines), next(lines), next(lines), next(lines)]
            assert "arith.addi" in inside[1] and "tt.reduce.return" in inside[2], inside
        found.append(line)
    raise AssertionError("a block without an end")


def _line(text: str) -> Line:
    left, equals, right = text.partition(" = ")
    if not equals or not left.startswith("%"):
        left, right = "", text
    count = left.partition(":")
    names = [f"{count[0]}#{i}" for i in range(int(count[2]))] if count[2] else [left]
    name = re.match(r'"?([\w.]+)', right)
    assert name, text
    operands = re.findall(r"%[\w#]+", right.partition(" : ")[0])
    return Line(names if left else [], name[1], operands, right)


@dataclass
class Machine:
    """One program of a grid; a method an operation of TTIR."""

    program: int

    def run(self, lines: list[Line], values: dict[str, Any]) -> list[Any]:
        """Run operations; return what a loop's body yields."""
        for line in lines:
            operands = [values[name] for name in line.operands if name in values]
            if line.name == "scf.yield":
                return operands
            if line.name == "scf.for":
                self._loop(line, values)
                continue
            method = getattr(self, line.name.replace(".", "_"))
            made = method(line.text, *operands)
            if line.results:
                values[line.results[0]] = made
        return []

    def _loop(self, line: Line, values: dict[str, Any]) -> None:
        header = re.search(r"(%\w+) = (%[\w#]+) to (%[\w#]+) step (%[\w#]+)", line.text)
        assert header, line.text
        index, first, last, step = header.groups()
        carried = re.findall(r"(%\w+) = (%[\w#]+)", line.text.partition("iter_args(")[2])
        now = [values[start] for _, start in carried]
        for t in range(int(values[first]), int(values[last]), int(values[step])):
            inner = dict(values)
            inner[index] = np.int32(t)
            inner |= {name: value for (name, _), value in zip(carried, now, strict=True)}
            now = self.run(line.body, inner)
        values |= dict(zip(line.results, now, strict=True))

    # -- whole numbers -----------------------------------------------------------

    def arith_constant(self, text):
        value = re.match(r"arith\.constant (?:dense<)?(-?\w+)", text)[1]
        shape, kind = _type(text)
        number = {"true": 1, "false": 0}.get(value) if value in ("true", "false") else int(value)
        return np.full(shape, number, kind)

    def arith_addi(self, text, a, b):
        return _exact(text, a, b, np.add)

    def arith_subi(self, text, a, b):
        return _exact(text, a, b, np.subtract)

    def arith_muli(self, text, a, b):
        return _exact(text, a, b, np.multiply)

    def arith_andi(self, text, a, b):
        return a & b

    def arith_ori(self, text, a, b):
        return a | b

    def arith_xori(self, text, a, b):
        return a ^ b

    def arith_divsi(self, text, a, b):
        if np.any(b == 0):
            raise Undefined(text)
        return (np.sign(a) * np.sign(b) * (abs(a) // abs(b))).astype(a.dtype)

    def arith_remsi(self, text, a, b):
        return (a - b * self.arith_divsi(text, a, b)).astype(a.dtype)

    def arith_shli(self, text, a, b):
        moved = a << _amount(text, a, b)
        if np.any(moved >> b != a):
            raise Undefined(f"bits lost: {text}")
        return moved

    def arith_shrsi(self, text, a, b):
        return a >> _amount(text, a, b)

    def arith_cmpi(self, text, a, b):
        return COMPARE[re.match(r"arith\.cmpi (\w+),", text)[1]](a, b)

    def arith_extsi(self, text, a):
        return np.asarray(a).astype(_type(text)[1])

    arith_extui = arith_extsi  # of i1 alone

    def arith_trunci(self, text, a):
        small = np.asarray(a).astype(_type(text)[1])
        if np.any(small != a):
            raise Undefined(f"bits lost: {text}")
        return small

    def arith_maxsi(self, text, a, b):
        return np.maximum(a, b)

    def arith_minsi(self, text, a, b):
        return np.minimum(a, b)

    def arith_select(self, text, which, a, b):
        return np.where(which, a, b)

    def math_absi(self, text, a):
        if np.any(a == np.iinfo(a.dtype).min):
            raise Undefined(text)
        return abs(a)

    def tt_mulhiui(self, text, a, b):
        assert a.dtype == b.dtype == np.int32
        product = a.view(np.uint32).astype(np.uint64) * b.view(np.uint32).astype(np.uint64)
        return (product >> np.uint64(32)).astype(np.uint32).view(np.int32)

    def tt_bitcast(self, text, a):
        assert _type(text)[1] == a.dtype
        return a

    # -- shapes --------------------------------------------------------------------

    def tt_splat(self, text, a):
        shape, _ = _type(text)
        if isinstance(a, Pointer):
            return Pointer(a.memory, np.broadcast_to(a.at, shape))
        return np.broadcast_to(a, shape)

    tt_broadcast = tt_splat

    def tt_expand_dims(self, text, a):
        axis = int(re.search(r"axis = (\d)", text)[1])
        if isinstance(a, Pointer):
            return Pointer(a.memory, np.expand_dims(a.at, axis))
        return np.expand_dims(a, axis)

    def tt_make_range(self, text):
        end, start = (int(re.search(rf"{what} = (\d+)", text)[1]) for what in ("end", "start"))
        return np.arange(start, end, dtype=np.int32)

    def tt_reduce(self, text, a):
        axis = int(re.search(r"axis = (\d)", text)[1])
        total = a.sum(axis=axis, dtype=object)
        small = np.asarray(total).astype(a.dtype)
        if np.any(small != total):
            raise Undefined(f"overflow: {text}")
        return small

    # -- memory --------------------------------------------------------------------

    def tt_get_program_id(self, text):
        return np.int32(self.program)

    def tt_addptr(self, text, pointer, offset):
        return Pointer(pointer.memory, pointer.at + np.asarray(offset, np.int64))

    def tt_load(self, text, pointer, mask=True, other=None):
        at, where = np.broadcast_arrays(pointer.at, mask)
        _inside(text, pointer, at[where])
        assert other is not None or where.all()
        found = pointer.memory[np.where(where, at, 0)]
        return found if other is None else np.where(where, found, other).astype(found.dtype)

    def tt_store(self, text, pointer, value, mask=True):
        at, where, given = np.broadcast_arrays(pointer.at, mask, value)
        _inside(text, pointer, at[where])
        if len(np.unique(at[where])) < at[where].size:
            raise Undefined(f"two lanes store to one address: {text}")
        assert given.dtype == pointer.memory.dtype, text
        pointer.memory[at[where]] = given[where]

    def tt_atomic_rmw(self, text, pointer, value, mask):
        assert text.startswith("tt.atomic_rmw add") and mask
        pointer.memory[pointer.at] = self.arith_addi(text, pointer.memory[pointer.at], value)

    def tt_return(self, text):
        pass


def execute(lines: list[Line], arguments: dict[str, np.ndarray | int], programs: int) -> None:
    """Run all programs of a grid on flat arrays, which are written in place, and numbers."""
    for program in range(programs):
        values = {f"%{name}": given(value) for name, value in arguments.items()}
        Machine(program).run(lines, values)


def given(value: np.ndarray | int) -> Any:
    """Return an argument as the function meets it."""
    return Pointer(value, np.int64(0)) if isinstance(value, np.ndarray) else np.int32(value)


def _type(text: str) -> tuple[tuple[int, ...], Any]:
    """Return shape and type of what an operation makes: what is written last."""
    last = re.split(r" : | -> | to ", text)[-1]
    tensor = re.match(r"tensor<((?:\d+x)+)(.*)>$", last)
    kind = tensor[2] if tensor else last
    shape = tuple(int(n) for n in tensor[1].split("x")[:-1]) if tensor else ()
    return shape, NUMBER.get(kind)


def _exact(text: str, a: Any, b: Any, operation: np.ufunc) -> Any:
    """Return a sum, difference or product; an error where it leaves its bits."""
    assert a.dtype == b.dtype and a.dtype != np.bool_, text
    with np.errstate(over="ignore"):
        found = operation(a, b)
    exact = operation(np.asarray(a, np.float64), np.asarray(b, np.float64))
    # of 64 bits only the size is looked at: float64 knows it well enough
    if np.any(np.abs(exact) >= 2.0 ** (8 * a.dtype.itemsize - 1)):
        raise Undefined(f"overflow: {text}")
    return found


def _amount(text: str, a: Any, b: Any) -> Any:
    if np.any(b < 0) or np.any(b >= 8 * a.dtype.itemsize):
        raise Undefined(f"a shift by the width: {text}")
    return b


def _inside(text: str, pointer: Pointer, at: np.ndarray) -> None:
    if at.size and (at.min() < 0 or at.max() >= pointer.memory.size):
        raise Undefined(f"outside of the tensor: {text}")
