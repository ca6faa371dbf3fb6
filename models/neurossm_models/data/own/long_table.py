"""Long tables: a row for each step of each sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, InputError
from neurossm_models.data.own.ragged import numbers, numbers_of, padded
from neurossm_models.data.own.source import WHOLE, OwnSource, Part

if TYPE_CHECKING:
    from neurossm_models.data.own.cells import Table

TIME, STEP = "time", "step"
EVEN = 1e-3  # part of a step that times may be off
DIGITS = 9  # of a step: differences of times have rounding errors behind them


def read_long(
    table: Table, samples: Sequence[str], labels: Sequence[str], groups: Sequence[str]
) -> OwnSource:
    """Return the source of a table with a column of samples.

    Parameters
    ----------
    table
        The cells.
    samples, labels, groups
        What these columns may be called.

    Raises
    ------
    FormatError
        For a cell that is no number, a step that is there twice, a group that changes.
    InputError
        For times that are not evenly spaced.
    """
    sample, label, group = (table.column(names) for names in (samples, labels, groups))
    clock = table.column((TIME, STEP))
    known = (sample, label, group, clock)
    channels = [index for index in range(len(table.header)) if index not in known]
    if not channels:
        raise FormatError(str(table.path), expected="columns of values", got="none")
    names = table.texts(sample)
    assert names is not None
    values = np.stack([_numbers(table, index) for index in channels], axis=1)
    times = None if clock is None else _numbers(table, clock)
    order, starts, dt = _sorted(table, names, times, clock)
    pieces = np.split(order, starts[1:])
    inputs, lengths = padded(str(table.path), [values[piece] for piece in pieces])
    texts, group_names = table.texts(label), table.texts(group)
    part = Part(
        inputs,
        None if texts is None else _labels([texts[piece] for piece in pieces]),
        lengths,
        None if group_names is None else _groups(table, [group_names[piece] for piece in pieces]),
    )
    return OwnSource(
        table.path.name, str(table.path), {WHOLE: part}, dt=dt, provenance=str(table.path),
        channel_names=tuple(table.header[index] for index in channels),
    )  # fmt: skip


def _numbers(table: Table, column: int) -> NDArray[np.float64]:
    cells = [row[column] for row in table.rows]
    try:
        found = numbers(cells)
    except ValueError:
        found = np.array([numbers_of(table.where(row), [cell], column + 1)[0]
                          for row, cell in enumerate(cells)])  # fmt: skip
    gaps = np.flatnonzero(~np.isfinite(found))
    if len(gaps):
        row = int(gaps[0])
        where = f"{table.where(row)}, column {column + 1}"
        raise FormatError(where, expected="a finite number", got=repr(cells[row]),
                          remedy="fill gaps, as by interpolation")  # fmt: skip
    return found


def _sorted(
    table: Table, names: NDArray[np.str_], times: NDArray[np.float64] | None, clock: int | None
) -> tuple[NDArray[np.int64], NDArray[np.int64], float | None]:
    """Return rows by sample, in the order the samples appear, and by time; starts; the step."""
    _, first, own = np.unique(names, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))[own]
    keys = (np.arange(len(names)) if times is None else times, rank)
    order = np.lexsort(keys)
    starts = np.flatnonzero(np.diff(rank[order], prepend=-1))
    if times is None or clock is None:
        return order, starts, None
    steps = np.delete(np.diff(times[order]), starts[1:] - 1)
    if not len(steps):
        return order, starts, None
    if np.any(steps <= 0):
        bad = np.setdiff1d(np.arange(1, len(order)), starts)[int(np.argmin(steps))]
        where = table.where(int(order[bad]))
        raise FormatError(where, expected=f"each {table.header[clock]} of a sample once",
                          got=f"{times[order[bad]]:g} twice")  # fmt: skip
    usual = float(np.median(steps))
    if np.any(np.abs(steps - usual) > EVEN * usual):
        got = f"{steps.min():g} to {steps.max():g}"
        raise InputError(
            f"data {str(table.path)!r}", expected=f"even distances of {table.header[clock]}",
            got=got, remedy="resample to even steps, or leave the column out: rows in order",
        )  # fmt: skip
    if table.header[clock] != TIME:
        return order, starts, None
    return order, starts, float(f"{usual:.{DIGITS}g}")


def _labels(pieces: list[NDArray[np.str_]]) -> NDArray[np.str_]:
    """Return a label a sample where none changes, else one a step, padded with none."""
    if all(np.all(piece == piece[0]) for piece in pieces):
        return np.array([piece[0] for piece in pieces])
    longest = max(len(piece) for piece in pieces)
    width = max(piece.dtype.itemsize for piece in pieces) // 4
    found = np.full((len(pieces), longest), "", dtype=f"U{max(width, 1)}")
    for row, piece in zip(found, pieces, strict=True):
        row[: len(piece)] = piece
    return found


def _groups(table: Table, pieces: list[NDArray[np.str_]]) -> NDArray[np.str_]:
    for index, piece in enumerate(pieces):
        if np.any(piece != piece[0]):
            raise FormatError(f"{table.path}: sample {index}", expected="one group", got="several")
    return np.array([piece[0] for piece in pieces])
