"""Where sequences of unlike lengths end: batches are padded, and padding is part of no result."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.errors import InputError

Lengths = NDArray[np.int64]


def checked_lengths(lengths: ArrayLike | None, samples: int, steps: int) -> Lengths | None:
    """Return the steps of each sequence, ``(B,)``; None where all are as long as the arrays.

    Raises
    ------
    InputError
        If they are not integers, one for each sample, from 1 to `steps`.
    """
    if lengths is None:
        return None
    given = np.asarray(lengths)
    expected = f"{samples} integers from 1 to {steps}, one for each sample"
    if given.shape != (samples,) or not np.issubdtype(given.dtype, np.integer):
        raise InputError("lengths", expected=expected, got=f"{given.dtype}, shape {given.shape}")
    if given.min() < 1 or given.max() > steps:
        raise InputError("lengths", expected=expected, got=f"{given.min()} to {given.max()}")
    if np.all(given == steps):
        return None
    own = given.astype(np.int64)
    own.flags.writeable = False
    return own


def inside(lengths: Lengths | None, samples: int, steps: int) -> NDArray[np.bool_]:
    """Return which steps of ``(B, T, C)`` are no padding, ``(B, T, 1)``."""
    if lengths is None:
        return np.ones((samples, steps, 1), dtype=bool)
    return np.asarray((np.arange(steps) < lengths[:, None])[:, :, None])


def without_padding(values: NDArray[Any], lengths: Lengths | None) -> NDArray[Any]:
    """Return the real steps of ``(B, T, ...)``, one sequence after the other: ``(steps, ...)``.

    Sums over them have the same last digit however the sequences were padded.
    """
    samples, steps = values.shape[:2]
    if lengths is None:
        return values.reshape(samples * steps, *values.shape[2:])
    return np.asarray(values[inside(lengths, samples, steps)[:, :, 0]])


def parts(
    lengths: Lengths | None, samples: int, steps: int, most: int
) -> list[tuple[slice | NDArray[np.int64], int, int]]:
    """Return sets of at most so many samples of one length: which, how many, and that length.

    In the order of samples where all are equally long; else the shortest sequences first.
    """
    if lengths is None:
        starts = range(0, samples, most)
        return [(slice(i, min(i + most, samples)), min(most, samples - i), steps) for i in starts]
    order = np.argsort(lengths, kind="stable")
    found: list[tuple[slice | NDArray[np.int64], int, int]] = []
    for length in np.unique(lengths):
        same = order[lengths[order] == length]
        chunks = [same[i : i + most] for i in range(0, len(same), most)]
        found += [(chunk, len(chunk), int(length)) for chunk in chunks]
    return found
