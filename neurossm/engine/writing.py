"""How an implementation of a node writes a flat program: memory, places in it, instructions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.engine.aligned import CACHE_LINE, aligned
from neurossm.engine.walk import Instruction


@dataclass
class Tape:
    """A flat array while it grows; what is put on it begins at a cache line."""

    dtype: type
    parts: list[tuple[int, NDArray[Any]]] = field(default_factory=list)
    size: int = 0

    def put(self, *arrays: ArrayLike) -> int:
        """Return where these arrays stand, one behind the other without gaps."""
        line = CACHE_LINE // np.dtype(self.dtype).itemsize
        at = -(-self.size // line) * line
        values = np.concatenate([np.ravel(array) for array in arrays])
        self.parts.append((at, values))
        self.size = at + values.size
        return at

    def room(self, size: int) -> int:
        """Return where so many zeros stand."""
        return self.put(np.zeros(size))

    def memory(self) -> NDArray[Any]:
        """Return the array."""
        made = aligned((max(self.size, 1),), self.dtype)
        made[...] = 0
        for at, values in self.parts:
            made[at : at + values.size] = values
        return made


@dataclass(frozen=True)
class Place:
    """Where an array stands: in ``small``, ``whole`` or ``real``, from where on, its shape."""

    memory: str
    at: int
    shape: tuple[int, ...]

    def part(self, index: int) -> Place:
        """Return where the part with this index on the first axis stands."""
        shape = self.shape[1:]
        return Place(self.memory, self.at + index * math.prod(shape), shape)


@dataclass(frozen=True)
class Kept:
    """Where a part of a state stands, and what makes integers ``(S, ...)`` of it."""

    place: Place
    part: Callable[[NDArray[Any]], NDArray[Any]]


class Writer(Protocol):
    """A program while it is written; `neurossm.engine.flat` has the one that exists."""

    samples: int
    small: Tape
    whole: Tape
    real: Tape
    states: dict[str, Kept]

    def emit(
        self, op: Instruction, name: str, u: int, y: int, *parameters: int, v: int = 0
    ) -> None:  # fmt: skip
        """Append an instruction of a node."""

    def by_steps(
        self, name: str, run: Callable[..., None], operands: list[int], y: int
    ) -> None:  # fmt: skip
        """Cut the program: here a node runs by its own steps, or by one half of them."""

    def room(self, memory: str, shape: tuple[int, ...]) -> Place:
        """Return where zeros of this shape stand, in ``small``, ``whole`` or ``real``."""

    def state(
        self, name: str, part: str, place: Place,
        made: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray,
    ) -> None:  # fmt: skip
        """Say where a part of a node's state stands, and what makes ``(S, ...)`` of it."""
