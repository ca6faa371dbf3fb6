"""Tables as lines of text in which nothing is ever cut, however narrow the terminal is.

A table that is too wide folds its columns of prose, then is cut into parts below each other, each
with the key columns; one that is too wide even then becomes a block of lines a row. Key columns,
which people type again, numbers and short texts are never folded.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import zip_longest

from neurossm.errors import one_line

GAP = 2  # spaces between columns
NARROWEST = 20  # characters, below which prose is not folded
SHORT = 20  # characters of texts that are no prose: an interval, a format
MOST_PARTS = 3  # of a table that is cut


def cell(value: object) -> str:
    """Return a value as a table shows it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}"
    return one_line(str(value))


class Head(str):
    """A line that names columns."""


def lay_out(
    columns: Sequence[str], rows: Sequence[Sequence[object]], width: int | None, keys: int = 1
) -> list[str]:
    """Return a table as lines, numbers to the right; those that name columns are `Head`.

    Parameters
    ----------
    columns
        Their names.
    rows
        A value for each column.
    width
        Characters of a line that the reader can see; None: any number, a line a row.
    keys
        How many columns, from the left, name a row. They stand whole on one line, and again in
        each part of a table that is cut.
    """
    cells = [[cell(value) for value in row] for row in rows]
    numeric = [
        bool(rows) and all(isinstance(row[k], int | float) for row in rows)
        for k in range(len(columns))
    ]
    texts = list(zip(columns, *cells, strict=True))
    every = tuple(range(len(columns)))
    widths = [max(map(len, column)) for column in texts]
    if width is None:
        return _part(texts, every, widths, numeric)
    least = [_least(column, k < keys or numeric[k]) for k, column in enumerate(texts)]
    parts = _parts(least, width, keys)
    if len(parts) > MOST_PARTS or any(_taken(least, part) > width for part in parts):
        return _blocks(columns, cells, width, keys)
    lines: list[str] = []
    for part in parts:
        shown = list(widths)
        found = _filled(texts, part, keys)
        _narrow(found, shown, least, part, width)
        lines += [*([""] * bool(lines)), *_part(found, part, shown, numeric)]
    return lines


def _filled(
    texts: Sequence[Sequence[str]], part: Sequence[int], keys: int
) -> Sequence[Sequence[str]]:
    """Return the columns without the rows that have nothing in this part, if it is not all."""
    if len(part) == len(texts):
        return texts
    rows = list(zip(*texts, strict=True))
    kept = [row for row in rows if any(row[k] for k in part[keys:])]
    return list(zip(*kept, strict=True))


def _least(column: Sequence[str], whole: bool) -> int:
    """Return the narrowest that a column may become; its name folds between words."""
    name, *found = column
    widest = max(map(len, found), default=0)
    if not whole and widest > SHORT:
        widest = max(NARROWEST, *map(_longest_word, found))
    return max(widest, _longest_word(name))


def _parts(least: Sequence[int], width: int, keys: int) -> list[tuple[int, ...]]:
    """Return which columns stand beside each other: the keys, and as many as there is room for."""
    named, parts = tuple(range(keys)), list[tuple[int, ...]]()
    for k in range(keys, len(least)):
        if parts and _taken(least, (*parts[-1], k)) <= width:
            parts[-1] += (k,)
        else:
            parts.append((*named, k))
    return parts or [named]


def _taken(widths: Sequence[int], part: Sequence[int]) -> int:
    return sum(widths[k] for k in part) + GAP * (len(part) - 1)


def _narrow(
    texts: Sequence[Sequence[str]], widths: list[int], least: Sequence[int], part: Sequence[int],
    width: int,
) -> None:  # fmt: skip
    """Take from the widest columns that may be folded until all fit."""
    while _taken(widths, part) > width:
        widest = max((k for k in part if widths[k] > least[k]), key=lambda k: widths[k])
        widths[widest] -= 1
    for k in part:  # folded between words, a column may be narrower than it has room for
        widths[k] = max(len(line) for text in texts[k] for line in folded(text, widths[k]))


def _part(
    texts: Sequence[Sequence[str]], part: Sequence[int], widths: Sequence[int],
    numeric: Sequence[bool],
) -> list[str]:  # fmt: skip
    """Return some columns as lines."""
    shown, right = [widths[k] for k in part], [numeric[k] for k in part]
    head, *rows = zip(*(texts[k] for k in part), strict=True)
    lines: list[str] = [Head(line) for line in _lines(head, shown, right)]
    return lines + [line for row in rows for line in _lines(row, shown, right)]


def _lines(row: Sequence[str], widths: Sequence[int], numeric: Sequence[bool]) -> list[str]:
    cells = [folded(text, width) for text, width in zip(row, widths, strict=True)]
    lines = []
    for parts in zip_longest(*cells, fillvalue=""):
        shown = [
            part.rjust(width) if right else part.ljust(width)
            for part, width, right in zip(parts, widths, numeric, strict=True)
        ]
        lines.append((" " * GAP).join(shown).rstrip())
    return lines


def _blocks(
    columns: Sequence[str], cells: Sequence[Sequence[str]], width: int, keys: int
) -> list[str]:
    lines: list[str] = [Head(" ".join(name for name in columns[:keys] if name))]
    for row in cells:
        lines.append(" ".join(text for text in row[:keys] if text))
        for name, text in zip(columns[keys:], row[keys:], strict=True):
            if text:
                lines += [f"  {line}" for line in folded(f"{name}: {text}", max(width - 2, 1))]
    return lines


def fold_facts(rows: Iterable[tuple[str, str]], width: int) -> list[str]:
    """Return names with what they are as lines, the texts below each other."""
    rows = list(rows)
    column = max((len(name) for name, _ in rows), default=0) + GAP
    lines = []
    for name, text in rows:
        first, *more = folded(one_line(text), max(width - column, NARROWEST))
        lines.append(f"{name.ljust(column)}{first}")
        lines += [" " * column + line for line in more]
    return lines


def fold_item(text: str, width: int) -> list[str]:
    """Return a sentence, or an indented item of a list, as lines; those of an item hang."""
    indent = len(text) - len(text.lstrip(" "))
    hang = " " * (indent + GAP if indent else 0)
    first, *more = folded(text, width)
    if more and hang:
        more = folded(" ".join(more), max(width - len(hang), NARROWEST))
    return [first, *(hang + line for line in more)]


def _longest_word(text: str) -> int:
    """Return the letters of the longest word: a path or an address is never broken."""
    return max(map(len, text.split()), default=0)


def folded(text: str, width: int) -> list[str]:
    """Return a text as lines of at most `width` characters, broken between words alone."""
    if len(text) <= width:
        return [text]
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False) or [""]
