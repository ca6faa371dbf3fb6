"""Inputs that are read on demand: files larger than memory, folders of recordings.

Shape letters: ``n`` samples, ``L`` steps, ``F`` channels.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from neurossm.fixed import Scaling

Index = slice | NDArray[np.int64]


class Rows(ABC):
    """Samples ``(n, L, F)`` of which an index of the first axis reads some, as an array.

    The whole becomes an array by `numpy.asarray`, which reads everything.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``; shorter sequences are padded to L."""

    @abstractmethod
    def __getitem__(self, index: Index) -> NDArray[Any]:
        """Return the samples of a slice, or of integers in any order, ``(k, L, F)``."""

    @property
    def ndim(self) -> int:
        """Three."""
        return 3

    def selected(self, positions: NDArray[np.int64]) -> Rows:
        """Return some of the samples, by their positions."""
        return Selected(self, positions)

    def first_steps(self, steps: int) -> Rows:
        """Return the samples without what stands behind the longest sequence."""
        return FirstSteps(self, steps)

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: DTypeLike = None, copy: bool | None = None) -> NDArray[Any]:
        found = self[:]
        return found if dtype is None else found.astype(dtype)


class Selected(Rows):
    """Some samples of others, by their positions."""

    def __init__(self, rows: Rows | NDArray[Any], positions: NDArray[np.int64]) -> None:
        self._rows, self._positions = rows, positions

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(k, L, F)``."""
        return (len(self._positions), *self._rows.shape[1:])

    def __getitem__(self, index: Index) -> NDArray[Any]:
        return self._rows[self._positions[index]]


class FirstSteps(Rows):
    """Others without what stands behind the longest sequence."""

    def __init__(self, rows: Rows | NDArray[Any], steps: int) -> None:
        self._rows, self._steps = rows, steps

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, steps, F)``."""
        n, _, channels = self._rows.shape
        return n, self._steps, channels

    def __getitem__(self, index: Index) -> NDArray[Any]:
        return self._rows[index][:, : self._steps]


class Integers(Rows):
    """Real values of others as integers, by a scaling."""

    def __init__(self, rows: Rows | NDArray[Any], scaling: Scaling) -> None:
        self._rows, self._scaling = rows, scaling

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``."""
        return self._rows.shape

    def __getitem__(self, index: Index) -> NDArray[np.int32]:
        return self._scaling.to_integers(self._rows[index])[0]

    def counted(self, index: Index) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
        """Return the samples of an index, and which of their values were clipped."""
        values = self._rows[index]
        integers, clipped = self._scaling.to_integers(values)
        beyond = self._scaling.beyond(values) if clipped else np.zeros(integers.shape, np.bool_)
        return integers, beyond

    def selected(self, positions: NDArray[np.int64]) -> Integers:
        """Return some of the samples, by their positions."""
        return Integers(Selected(self._rows, positions), self._scaling)

    def first_steps(self, steps: int) -> Integers:
        """Return the samples without what stands behind the longest sequence."""
        return Integers(FirstSteps(self._rows, steps), self._scaling)


def positions_of(index: Index | ArrayLike, samples: int) -> NDArray[np.int64]:
    """Return the positions that an index of the first axis names."""
    if isinstance(index, slice):
        return np.arange(samples)[index]
    return np.asarray(index, dtype=np.int64)
