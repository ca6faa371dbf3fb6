"""A file of columns as cells of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError

AXIS = "y"  # beside x it is a channel


@dataclass(frozen=True)
class Table:
    """A file as cells.

    Attributes
    ----------
    path
        Of the file.
    header
        Names of the columns in lower case; empty where it has none.
    rows, lines
        Cells of each row, and the line that it stands in.
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    lines: list[int]

    def column(self, names: Sequence[str]) -> int | None:
        """Return which column has the first of these names that is there, None if none is."""
        for name in names:
            if self.header.count(name) > 1:
                got = str(self.header.count(name))
                raise FormatError(f"{self.path}: line 1", expected=f"one column {name}", got=got)
            if name in self.header and not (name == AXIS and "x" in self.header):
                return self.header.index(name)
        return None

    def texts(self, column: int | None) -> NDArray[np.str_] | None:
        """Return the cells of a column."""
        if column is None:
            return None
        return np.array([row[column].strip() for row in self.rows], dtype=str)

    def where(self, row: int) -> str:
        """Return how errors call a row."""
        return f"{self.path}: line {self.lines[row]}"
