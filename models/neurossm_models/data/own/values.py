"""Checks raw values: finite inside sequences, zero in the padding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.rows import Index, Rows, positions_of

CHUNK = 2**21  # values that are looked at in one piece


class Valid(Rows):
    """Values of others; what stands behind a sequence is replaced, what is not finite refused.

    Parameters
    ----------
    rows
        Values ``(n, L, F)``.
    lengths
        Steps of each sequence that count, ``(n,)``; None: all.
    rest
        What a channel is behind them, ``(F,)``.
    where
        What errors call the data.
    """

    def __init__(
        self,
        rows: NDArray[Any] | Rows,
        lengths: NDArray[np.int64] | None,
        rest: NDArray[np.float64],
        where: str,
    ) -> None:
        self._rows, self._lengths, self._rest, self._where = rows, lengths, rest, where

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``."""
        n, steps, channels = self._rows.shape
        return n, steps, channels

    def __getitem__(self, index: Index) -> NDArray[Any]:
        positions = positions_of(index, len(self))
        values = np.asarray(self._rows[index])
        if self._lengths is not None and self._lengths.ndim == 1:
            behind = np.arange(values.shape[1]) >= self._lengths[positions][:, None]
            if np.any(behind):
                if values.dtype.kind != "f" and np.any(self._rest):
                    values = values.astype(np.float64)  # an offset may be no whole number
                values = np.where(behind[:, :, None], self._rest.astype(values.dtype), values)
        check_finite(self._where, values, positions)
        return values


def check_finite(where: str, values: NDArray[Any], positions: NDArray[np.int64]) -> None:
    """Raise `FormatError` that names the first value ``(k, L, F)`` that is not finite."""
    if values.dtype.kind != "f" or np.isfinite(values.sum(dtype=np.float64)):
        return
    wrong = np.argwhere(~np.isfinite(values))
    if len(wrong):
        sample, step, channel = (int(number) for number in wrong[0])
        raise FormatError(
            f"{where}: sample {positions[sample]}, step {step}, channel {channel} (from 0)",
            expected="a finite number", got=f"{values[sample, step, channel]}",
            remedy="fill gaps; padding is marked by lengths",
        )  # fmt: skip


def pieces(
    rows: NDArray[Any] | Rows, positions: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Yield positions and values ``(k, L, F)`` of some samples, so many at a time as fit."""
    _, steps, channels = rows.shape
    size = max(1, CHUNK // (steps * channels))
    for first in range(0, len(positions), size):
        some = positions[first : first + size]
        yield some, np.asarray(rows[some])


def inside(lengths: NDArray[np.int64] | None, steps: int) -> NDArray[np.bool_] | None:
    """Return which steps count, ``(n, L)``; None: all of them."""
    if lengths is None:
        return None
    own = lengths if lengths.ndim == 1 else lengths.max(axis=1)
    return np.asarray(np.arange(steps) < own[:, None])
