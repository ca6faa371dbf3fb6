"""Sequences of different lengths as one array; shared by the readers of text formats."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.copies import unreadable
from neurossm_models.data.own.source import require_file


def padded(
    where: str, sequences: Sequence[NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[np.int64] | None]:
    """Return sequences ``(L_i, F)`` as ``(n, L, F)`` padded with 0, and their lengths if unlike.

    Raises
    ------
    FormatError
        For none, an empty one, and unlike numbers of channels.
    """
    if not len(sequences):
        raise FormatError(where, expected="samples", got="none")
    channels = sequences[0].shape[1]
    for index, sequence in enumerate(sequences):
        if sequence.shape[1] != channels:
            raise FormatError(f"{where}: sample {index}", expected=f"{channels} channels",
                              got=str(sequence.shape[1]))  # fmt: skip
        if not len(sequence):
            raise FormatError(f"{where}: sample {index}", expected="steps", got="none")
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    if np.all(lengths == lengths[0]):
        return np.stack(sequences), None
    found = np.zeros((len(sequences), int(lengths.max()), channels), sequences[0].dtype)
    for row, sequence in zip(found, sequences, strict=True):
        row[: len(sequence)] = sequence
    return found, lengths


def text_lines(path: Path, kind: str) -> Iterator[tuple[int, str]]:
    """Yield number, from 1, and text of the lines of a file.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it is not UTF-8.
    """
    require_file(path, kind)
    try:
        with path.open(encoding="utf-8-sig", newline=None) as file:
            yield from enumerate((line.rstrip("\n") for line in file), start=1)
    except UnicodeDecodeError as error:
        got = f"byte {error.object[error.start]:#04x} at {error.start}"
        raise FormatError(str(path), expected=f"{kind} in UTF-8", got=got) from None
    except OSError as error:
        raise unreadable(path, error) from None


def numbers(cells: Sequence[str]) -> NDArray[np.float64]:
    """Return the numbers that cells are; `ValueError` where one is none, such as ``1_0``."""
    if any("_" in cell for cell in cells):  # which Python and NumPy allow among digits
        raise ValueError("an underscore")
    return np.array(cells, dtype=np.float64)


def numbers_of(where: str, cells: Sequence[str], first_column: int = 1) -> NDArray[np.float64]:
    """Return the numbers that cells are, nan where there is none (empty, ``?``, ``NaN``).

    Raises
    ------
    FormatError
        That names the column of the first cell that is no number.
    """
    try:
        return numbers(cells)
    except ValueError:
        found = []
        for column, cell in enumerate(cells, start=first_column):
            text = cell.strip()
            try:
                found.append(np.nan if text in ("", "?") else float(numbers([text])[0]))
            except ValueError:
                raise FormatError(f"{where}, column {column}", expected="a number",
                                  got=repr(cell)) from None  # fmt: skip
        return np.array(found)


def without_end(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a sequence ``(L,)`` or ``(L, F)`` without the nan at its end, which is padding."""
    there = ~np.isnan(values) if values.ndim == 1 else ~np.all(np.isnan(values), axis=1)
    found = np.flatnonzero(there)
    return values[: int(found[-1]) + 1] if len(found) else values[:0]
