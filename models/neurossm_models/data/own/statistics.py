"""One pass over values: mean, deviation and range of each channel, at the steps that count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.own.values import check_finite, inside, pieces
from neurossm_models.data.rows import Rows

Reals = NDArray[np.float64]
LARGEST = 1e300  # of a sum of squares


@dataclass(frozen=True, eq=False)
class Statistics:
    """Of values ``(n, L, F)``, a channel each.

    Attributes
    ----------
    count
        Values of a channel.
    mean, std, low, high
        ``(F,)``; the deviation is that of the values, not an estimate of others'.
    whole
        Whether all values are whole numbers.
    """

    count: int
    mean: Reals
    std: Reals
    low: Reals
    high: Reals
    whole: bool

    def pooled(self) -> Statistics:
        """Return the same of all channels as if they were one, ``(1,)``."""
        mean = self.mean.mean()
        variance = float(np.mean(self.std**2 + (self.mean - mean) ** 2))
        one = np.ones(1)
        return Statistics(self.count * len(self.mean), mean * one, np.sqrt(variance) * one,
                          self.low.min() * one, self.high.max() * one, self.whole)  # fmt: skip


def statistics_of(
    where: str,
    rows: NDArray[Any] | Rows,
    positions: NDArray[np.int64],
    lengths: NDArray[np.int64] | None = None,
) -> Statistics:
    """Return the statistics of some samples, chunk by chunk.

    Chunks are merged as Chan, Golub and LeVeque do (1979): sums of squares about the mean of each
    chunk, in float64.

    Raises
    ------
    FormatError
        For a value that is not finite at a step that counts.
    """
    channels = rows.shape[-1]
    count, whole = 0, True
    mean, squares = np.zeros(channels), np.zeros(channels)
    low, high = np.full(channels, np.inf), np.full(channels, -np.inf)
    for some, values in pieces(rows, positions):
        real = values.dtype.kind == "f"
        flat = _counting(where, values, some, lengths)
        whole = whole and (not real or bool(np.all(flat == np.trunc(flat))))
        size = len(flat)
        with np.errstate(over="ignore", invalid="ignore"):
            own = flat.mean(axis=0, dtype=np.float64)
            spread = np.square(flat - own).sum(axis=0)
            shift, total = own - mean, count + size
            squares += spread + shift**2 * (count * size / total)
        if not np.all(squares < LARGEST):
            got = f"{float(np.abs(flat).max()):g}"
            raise FormatError(f"{where}: inputs", expected="numbers that can be squared", got=got,
                              remedy="give values in another unit")  # fmt: skip
        mean += shift * (size / total)
        low = np.minimum(low, flat.min(axis=0))
        high = np.maximum(high, flat.max(axis=0))
        count = total
    if np.any((squares == 0) & (low < high)):
        got = f"{float(np.abs(high[squares == 0]).max()):g}"
        raise FormatError(f"{where}: inputs", expected="numbers that can be squared", got=got,
                          remedy="give values in another unit")  # fmt: skip
    return Statistics(count, mean, np.sqrt(squares / count), low, high, whole)


def _counting(
    where: str,
    values: NDArray[Any],
    positions: NDArray[np.int64],
    lengths: NDArray[np.int64] | None,
) -> NDArray[Any]:
    """Return the values at the steps that count, ``(k, F)``."""
    channels = values.shape[-1]
    counts = inside(None if lengths is None else lengths[positions], values.shape[1])
    if counts is None:
        check_finite(where, values, positions)
        return values.reshape(-1, channels)
    if values.dtype.kind == "f":
        check_finite(where, np.where(counts[:, :, None], values, 0), positions)
    return values[counts]
