"""Tables as lines of text in which nothing is ever cut, however narrow the terminal is.

A table that is too wide folds its columns of prose; one that is too wide even then becomes a block
of lines a row. Key columns, which people type again, and numbers are never folded.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import zip_longest

from neurossm.errors import one_line

GAP = 2  # spaces between columns
NARROWEST = 14  # characters, below which prose is not folded


def cell(value: object) -> str:
    """Return a value as a table shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return one_line(str(value))


def lay_out(
    columns: Sequence[str], rows: Sequence[Sequence[object]], width: int | None, keys: int = 1
) -> list[str]:
    """Return a table as lines, the first one its head; numbers to the right.

    Parameters
    ----------
    columns
        Their names.
    rows
        A value for each column.
    width
        Characters of a line that the reader can see; None: any number, a line a row.
    keys
        How many columns, from the left, name a row. They stand whole on one line.
    """
    numeric = [
        bool(rows) and all(isinstance(row[k], int | float) for row in rows)
        for k in range(len(columns))
    ]
    cells = [[cell(value) for value in row] for row in rows]
    texts = list(zip(columns, *cells, strict=True))
    widths = [max(map(len, column)) for column in texts]
    if width is not None:
        fixed = [k < keys or numeric[k] for k in range(len(columns))]
        least = [
            w if stays else max(min(w, NARROWEST), max(map(_longest_word, column)))
            for w, stays, column in zip(widths, fixed, texts, strict=True)
        ]
        room = width - GAP * (len(columns) - 1)
        if sum(least) > room:
            return _blocks(columns, cells, width, keys)
        _narrow(widths, least, room)
    return [line for row in (list(columns), *cells) for line in _lines(row, widths, numeric)]


def _narrow(widths: list[int], least: Sequence[int], room: int) -> None:
    """Take from the widest columns that may be folded until all fit."""
    while sum(widths) > room:
        wide = [k for k in range(len(widths)) if widths[k] > least[k]]
        widest = max(wide, key=lambda k: widths[k])
        widths[widest] -= 1


def _lines(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    folded = [_folded(text, width) for text, width in zip(row, widths, strict=True)]
    lines = []
    for parts in zip_longest(*folded, fillvalue=""):
        shown = [
            part.rjust(width) if right else part.ljust(width)
            for part, width, right in zip(parts, widths, numeric, strict=True)
        ]
        lines.append((" " * GAP).join(shown).rstrip())
    return lines


def _blocks(
    columns: Sequence[str], cells: Sequence[Sequence[str]], width: int, keys: int
) -> list[str]:
    lines = [" ".join(name for name in columns[:keys] if name)]
    for row in cells:
        lines.append(" ".join(text for text in row[:keys] if text))
        for name, text in zip(columns[keys:], row[keys:], strict=True):
            if text:
                lines += [f"  {line}" for line in _folded(f"{name}: {text}", max(width - 2, 1))]
    return lines


def _longest_word(text: str) -> int:
    """Return the letters of the longest word: a path or an address is never broken."""
    return max(map(len, text.split()), default=0)


def _folded(text: str, width: int) -> list[str]:
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False) or [""]
