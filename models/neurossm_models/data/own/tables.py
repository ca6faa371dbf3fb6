"""Comma-separated files, wide (a sequence a row) or long (a step a row).

Cells are separated by a semicolon or tab that both of the first two lines have, else by the one of
``, ; TAB`` that the first line has most of. A first line with a cell that is no number is a header.

Wide: the column headed ``label``, or else ``class``, ``target`` or ``y`` (not beside ``x``), is the
label; ``group`` or ``subject`` is the group. Without such a heading a first or last column of texts
is the label; else there are none. Empty cells at the end of a row are padding.

Long: there is a column ``sample``. ``time`` (seconds, evenly spaced) or ``step`` orders the steps
of a sample; the rest are channels, but for ``label`` and ``group`` as above. A label that changes
within a sample is one at every step.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, InputError
from neurossm_models.data.own.cells import AXIS, Table
from neurossm_models.data.own.long_table import read_long
from neurossm_models.data.own.ragged import numbers, numbers_of, padded, text_lines, without_end
from neurossm_models.data.own.source import WHOLE, OwnSource, Part

LABELS = ("label", "class", "target", AXIS)
GROUPS = ("group", "subject")
SAMPLES = ("sample",)
_REMEDY = "add a first line that names the columns, with one called label"
_SEPARATED = "separate cells by a comma, a semicolon or a tab"
_QUOTED = re.compile(r'"[^"]*"')
_DECIMAL_COMMA = re.compile(r"[-+]?[0-9]+,[0-9]+(?:[eE][-+]?[0-9]+)?")


def read(path: Path) -> OwnSource:
    """Return the source of a ``.csv`` file.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        For a cell that is no number, with line and column, and rows that do not fit.
    """
    table = _table(path)
    if table.column(SAMPLES) is not None:
        return read_long(table, SAMPLES, LABELS, GROUPS)
    label, group = table.column(LABELS), table.column(GROUPS)
    if label is None:
        label = _column_of_texts(table, group)
    channels = [index for index in range(len(table.rows[0])) if index not in (label, group)]
    if not channels:
        raise FormatError(str(path), expected="columns of values", got="none", remedy=_SEPARATED)
    sequences = []
    for row, cells in enumerate(table.rows):
        values = _row(table.where(row), cells, channels)
        if not len(values):
            raise FormatError(table.where(row), expected="values", got="none")
        gaps = np.flatnonzero(np.isnan(values))
        if len(gaps):
            where = f"{table.where(row)}, column {channels[int(gaps[0])] + 1}"
            raise FormatError(
                where, expected="a number", got=repr(cells[channels[int(gaps[0])]]),
                remedy="fill gaps; only cells at the end of a row may be empty",
            )  # fmt: skip
        sequences.append(values[:, None])
    inputs, lengths = padded(str(path), sequences)
    part = Part(inputs, table.texts(label), lengths, table.texts(group))
    return OwnSource(path.name, str(path), {WHOLE: part}, provenance=str(path))


def _row(where: str, cells: list[str], channels: list[int]) -> NDArray[np.float64]:
    try:
        found = numbers([cells[index] for index in channels])
    except ValueError:
        found = np.array([numbers_of(where, [cells[index]], index + 1)[0] for index in channels])
    return without_end(found)


def _table(path: Path) -> Table:
    every = text_lines(path, "a .csv file")
    numbered = [(number, line) for number, line in every if line.strip()]
    if not numbered:
        raise FormatError(str(path), expected="rows", got="an empty file")
    delimiter = _delimiter([line for _, line in numbered[:2]])
    try:
        rows = list(csv.reader((line for _, line in numbered), delimiter=delimiter))
    except csv.Error as error:
        raise FormatError(str(path), expected="cells", got=str(error)) from None
    if len(rows) != len(numbered):
        raise FormatError(str(path), expected="cells of one line", got="a cell over several lines")
    _check_decimals(path, delimiter, rows[:2], [number for number, _ in numbered])
    header = [cell.strip().lower() for cell in rows[0]]
    if len(rows) == 1 and not any(is_number(cell) for cell in rows[0]):
        raise FormatError(str(path), expected="a row of values", got="one line without a number")
    named = len(rows) > 1 and _is_header(rows[0], rows[1])
    if named and not header[0]:
        raise FormatError(
            f"{path}: line 1", problem="the first column has no name: an index that pandas wrote?",
            remedy="leave it out, in pandas by to_csv(..., index=False), or give it a name",
        )  # fmt: skip
    rows, lines = rows[named:], [number for number, _ in numbered][named:]
    width = len(rows[0])
    for cells, number in zip(rows, lines, strict=True):
        if len(cells) != width or (named and len(cells) != len(header)):
            wanted = len(header) if named else width
            raise FormatError(f"{path}: line {number}", expected=f"{wanted} cells",
                              got=str(len(cells)))  # fmt: skip
    return Table(path, header if named else [], rows, lines)


def _is_header(first: list[str], second: list[str]) -> bool:
    """Tell whether a row names the columns: a text stands where the next row has a number."""
    pairs = zip(first, second, strict=False)
    return any(a.strip() and not is_number(a) and is_number(b) for a, b in pairs)


def _delimiter(first: list[str]) -> str:
    """Return what separates cells: a semicolon or tab of which both first lines have as many.

    A comma beside them is that of decimals (or of a text).
    """
    bare = [_QUOTED.sub("", line) for line in first]
    apart = max(";\t", key=bare[0].count)
    if bare[0].count(apart) and len({line.count(apart) for line in bare}) == 1:
        return apart
    return max(",;\t", key=first[0].count)


def _check_decimals(path: Path, delimiter: str, rows: list[list[str]], lines: list[int]) -> None:
    """Refuse decimal commas by name: `1,5` is no cell that any other reader here knows."""
    if delimiter == ",":
        return
    for cells, number in zip(rows, lines, strict=False):
        for column, cell in enumerate(cells, start=1):
            if _DECIMAL_COMMA.fullmatch(cell.strip()):
                raise FormatError(f"{path}: line {number}, column {column}", expected="a number",
                                  got=repr(cell), remedy="write decimal points: 1.5")  # fmt: skip


def is_number(cell: str) -> bool:
    """Tell whether a cell is a number."""
    try:
        numbers([cell])
    except ValueError:
        return False
    return True


def _column_of_texts(table: Table, group: int | None) -> int | None:
    """Return the first or last column if it holds texts; refuse both."""
    last = len(table.rows[0]) - 1
    found = [index for index in dict.fromkeys((0, last)) if index != group
             and not any(is_number(row[index]) for row in table.rows[:1])
             and table.rows[0][index].strip()]  # fmt: skip
    if len(found) == 2:
        raise InputError(f"data {str(table.path)!r}", expected="one column of labels",
                         got="texts in the first and the last column", remedy=_REMEDY)  # fmt: skip
    return found[0] if found else None
