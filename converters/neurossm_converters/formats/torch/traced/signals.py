"""The contents of a tensor in the forward pass: channels of nodes, at every step or at one.

A tensor has axes of batch, time and features. Features are rows; each row is a sum of channels of
nodes with factors, and a constant: so much of a network between its nodes (scaling, adding,
selecting, concatenating) needs no node of its own until somebody needs the values.

Shape letters: ``F`` features of a tensor, all feature axes together; ``C`` channels of a node.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Index = NDArray[np.int64]
Atom = str | int  # "b" batch, "t" time, or the size of a feature axis
Dim = tuple[Atom, ...]  # what one axis of a tensor runs over; () has size 1


class Unfollowed(Exception):
    """An operation that cannot be expressed: what was expected, what came, what to do."""

    def __init__(self, expected: str, got: str, remedy: str = "") -> None:
        super().__init__(expected, got, remedy)
        self.expected, self.got, self.remedy = expected, got, remedy


@dataclass(frozen=True)
class Term:
    """Row i is ``gain[i]`` times channel ``index[i]`` of a node; both ``(F,)``."""

    source: str
    index: Index
    gain: Reals


@dataclass(frozen=True)
class Rows:
    """F values at a step: sums of terms, and a constant ``(F,)``."""

    terms: tuple[Term, ...]
    bias: Reals

    @property
    def size(self) -> int:
        """F."""
        return len(self.bias)

    @property
    def is_constant(self) -> bool:
        """True where no node has a part in it."""
        return not self.terms

    @cached_property
    def key(self) -> bytes:
        """The same for equal rows."""
        digest = blake2b(digest_size=16)
        for term in self.terms:
            digest.update(term.source.encode() + b"\0" + term.index.tobytes())
            digest.update(term.gain.tobytes())
        digest.update(self.bias.tobytes())
        return digest.digest()

    def select(self, rows: Index) -> Rows:
        """Return some of the rows, in the order given."""
        terms = (Term(t.source, t.index[rows], t.gain[rows]) for t in self.terms)
        return _without_nothing(tuple(terms), self.bias[rows])

    def scaled(self, gain: Reals | float, offset: Reals | float = 0.0) -> Rows:
        """Return ``gain rows + offset``."""
        terms = (Term(t.source, t.index, t.gain * gain) for t in self.terms)
        return _without_nothing(tuple(terms), self.bias * gain + offset)

    def plus(self, other: Rows) -> Rows:
        """Return the sum."""
        return _without_nothing(_merged((*self.terms, *other.terms)), self.bias + other.bias)


def _without_nothing(terms: tuple[Term, ...], bias: Reals) -> Rows:
    return Rows(tuple(t for t in terms if np.any(t.gain != 0)), np.asarray(bias, np.float64))


def _merged(terms: Sequence[Term]) -> tuple[Term, ...]:
    """Join terms that take the same channels of one node, or that fill each other's empty rows."""
    found: list[Term] = []
    for term in terms:
        for place, other in enumerate(found):
            shared = (term.gain != 0) & (other.gain != 0)
            if other.source == term.source and np.all((term.index == other.index) | ~shared):
                index = np.where(other.gain != 0, other.index, term.index)
                found[place] = Term(term.source, index, other.gain + term.gain)
                break
        else:
            found.append(term)
    return tuple(found)


def concatenated(parts: Sequence[Rows]) -> Rows:
    """Return rows one behind the other."""
    sizes = [part.size for part in parts]
    starts, total = np.cumsum([0, *sizes]), sum(sizes)
    terms = []
    for part, start in zip(parts, starts, strict=False):
        for term in part.terms:
            index, gain = np.zeros(total, np.int64), np.zeros(total)
            index[start : start + part.size] = term.index
            gain[start : start + part.size] = term.gain
            terms.append(Term(term.source, index, gain))
    return _without_nothing(_merged(terms), np.concatenate([part.bias for part in parts]))


@dataclass(frozen=True)
class Signal:
    """A tensor that depends on the input.

    Attributes
    ----------
    dims
        What each axis runs over; feature axes in the order of the rows.
    rows
        The features.
    at
        The one step that it is of; None where it has a time axis.
    reduce
        How it is made of the rows at steps 0 to `at`: ``mean``, ``sum``, ``max``; empty where it is
        the rows at that step. Affine operations on a mean or sum act on the rows themselves.
    spikes
        True for the result of a comparison that nobody has turned into numbers yet.
    tokens
        True for whole numbers that are names.
    """

    dims: tuple[Dim, ...]
    rows: Rows
    at: int | None = None
    reduce: str = ""
    spikes: bool = False
    tokens: bool = False

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sizes of the feature axes."""
        return tuple(atom for dim in self.dims for atom in dim if isinstance(atom, int))

    @property
    def timed(self) -> bool:
        """True where it has a time axis."""
        return any("t" in dim for dim in self.dims)


def simplified(dims: Sequence[Dim]) -> tuple[Dim, ...]:
    """Return dims without features of size 1, neighbors within an axis joined."""
    found: list[Dim] = []
    for dim in dims:
        atoms: list[Atom] = []
        for atom in dim:
            if isinstance(atom, int) and atoms and isinstance(atoms[-1], int):
                atoms[-1] *= atom
            elif atom != 1:
                atoms.append(atom)
        found.append(tuple(atoms))
    return tuple(found)


def is_feature(dim: Dim) -> bool:
    """Tell whether an axis is of features, or of size 1."""
    return all(isinstance(atom, int) for atom in dim)


def width(dim: Dim) -> int:
    """Return how many features an axis runs over."""
    return math.prod(atom for atom in dim if isinstance(atom, int))


def size_of(dim: Dim, extent: dict[str, int]) -> int:
    """Return the size of an axis, given those of batch and time."""
    return math.prod(extent[atom] if isinstance(atom, str) else atom for atom in dim)


def feature_shape(dims: Sequence[Dim]) -> tuple[int, ...]:
    """Return for each axis how many features it runs over: 1 for batch and time."""
    return tuple(map(width, dims))


def permuted(signal: Signal, order: Sequence[int]) -> Signal:
    """Return it with its axes in another order."""
    dims = tuple(signal.dims[place] for place in order)
    ids = np.arange(signal.rows.size).reshape(feature_shape(signal.dims))
    rows = signal.rows.select(np.transpose(ids, order).reshape(-1))
    return replace(signal, dims=dims, rows=rows)


def reshaped(signal: Signal, shape: Sequence[int], extent: dict[str, int]) -> Signal:
    """Return it with other axes, elements in the same order.

    Raises
    ------
    Unfollowed
        If that would cut batch or time into pieces.
    """
    atoms = [atom for dim in signal.dims for atom in dim if atom != 1]
    dims: list[Dim] = []
    for size in shape:
        dim: list[Atom] = []
        left = size
        while left > 1:
            atom = atoms.pop(0) if atoms else 0
            whole = extent[atom] if isinstance(atom, str) else atom
            if whole and left % whole == 0:
                dim.append(atom)
                left //= whole
            elif isinstance(atom, int) and atom and atom % left == 0:
                dim.append(left)
                atoms.insert(0, atom // left)
                left = 1
            else:
                raise Unfollowed("batch and time as whole axes, or merged whole",
                                 f"a reshape to {tuple(shape)} that cuts them up",
                                 "keep axes of batch and time")  # fmt: skip
        dims.append(tuple(dim))
    return replace(signal, dims=simplified(dims))


def aligned(signals: Sequence[Signal], constants: Sequence[NDArray[np.generic]]) -> tuple[Dim, ...]:
    """Return the axes that these have together when they are broadcast.

    Raises
    ------
    Unfollowed
        If an axis of one is time (or batch) where that of another is something else.
    """
    count = max([len(s.dims) for s in signals] + [c.ndim for c in constants])
    padded = [((),) * (count - len(s.dims)) + s.dims for s in signals]
    dims: list[Dim] = []
    for place in range(count):
        there = {dims_of[place] for dims_of in padded} - {()}
        if len(there) > 1:
            raise Unfollowed("the same axis at the same place in both operands",
                             " and ".join(shown(dim) for dim in sorted(there, key=str)),
                             "transpose one of them")  # fmt: skip
        dim = there.pop() if there else ()
        sizes = {c.shape[place - count + c.ndim] for c in constants if c.ndim >= count - place}
        if not dim and max(sizes, default=1) > 1:
            dim = (max(sizes),)
        dims.append(dim)
    for atom, word in (("b", "batch"), ("t", "time")):
        if sum(atom in dim for dim in dims) > 1:
            raise Unfollowed("the same axis at the same place in both operands",
                             f"{word} at two places", "transpose one of them")  # fmt: skip
    return tuple(dims)


def spread(signal: Signal, dims: tuple[Dim, ...]) -> Rows:
    """Return the rows of a signal that is broadcast to these axes."""
    own = ((),) * (len(dims) - len(signal.dims)) + signal.dims
    ids = np.arange(signal.rows.size).reshape(feature_shape(own))
    rows = np.broadcast_to(ids, feature_shape(dims)).reshape(-1)
    return signal.rows if np.array_equal(rows, np.arange(signal.rows.size)) else (
        signal.rows.select(rows)
    )  # fmt: skip


def constant_rows(value: NDArray[np.generic], dims: tuple[Dim, ...]) -> Reals:
    """Return a constant that is broadcast to these axes, one number a feature ``(F,)``.

    Raises
    ------
    Unfollowed
        If it differs from step to step or from sample to sample.
    """
    found = np.asarray(value, dtype=np.float64)
    found = found.reshape((1,) * (len(dims) - found.ndim) + found.shape)
    shape = feature_shape(dims)
    for place, dim in enumerate(dims):
        if found.shape[place] == 1 or (is_feature(dim) and found.shape[place] == shape[place]):
            continue
        first = np.take(found, [0], axis=place)
        if not np.all(found == first) or (not is_feature(dim) and shape[place] > 1):
            kind = "sample" if "b" in dim else "step"
            raise Unfollowed(f"one number for every {kind}", f"a constant that differs by {kind}",
                             "put what depends on the step into the data, as an input")  # fmt: skip
        found = first
    return np.broadcast_to(found, shape).reshape(-1).astype(np.float64)


def shown(dim: Dim) -> str:
    """Return what an axis runs over in words."""
    words = {"b": "batch", "t": "time"}
    return " x ".join(words.get(str(atom), f"{atom} features") for atom in dim) or "size 1"


def letters(dims: Sequence[Dim]) -> str:
    """Return axes as letters, ``btf``."""
    return "".join("".join(a if isinstance(a, str) else "f" for a in dim) or "1" for dim in dims)
