"""A confusion matrix as SVG: `confusion_svg`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neurossm.report.markup import element, text

_LARGEST, _SMALLEST = 40.0, 17.0  # pixels of a cell
_SIZE = 440.0  # of all cells, where they fit
_CHARACTER = 6.6  # pixels, 11 px type
_LONGEST = 18  # characters of a class name
_MOST_COUNTED = 20  # classes; of more, cells are too small for counts
# text on blue is dark up to here and light from `_LIGHT` on; no shade lies between, where neither
# could be read; on orange dark text can be read on any shade
_DARK, _LIGHT = 0.5, 0.82


def confusion_svg(confusion: NDArray[np.int64], names: Sequence[str]) -> str:
    """Return a heat map: a row for each true class, a column for each predicted one.

    The color of a cell is its share of the row; the diagonal (right) is blue, everything else
    orange, so that rare confusions show beside frequent right predictions. Cells hold counts where
    there are at most 20 classes; every cell has them as its tooltip.

    Parameters
    ----------
    confusion
        True class by predicted class, ``(K, K)``.
    names
        Of the classes, K.
    """
    number = len(names)
    cell = min(_LARGEST, max(_SMALLEST, _SIZE / number))
    shown = [_short(name) for name in names]
    label = _CHARACTER * max(map(len, shown)) + 8
    upright = _CHARACTER * max(map(len, shown)) <= cell - 2
    left, top = label + 20, 22 + (16 if upright else label)
    side = number * cell
    support = np.maximum(confusion.sum(axis=1), 1)
    parts = [
        element("text", "Predicted class", class_="axis", x=left + side / 2, y=12,
                text_anchor="middle"),
        element("text", "True class", class_="axis", text_anchor="middle",
                transform=f"translate(11 {top + side / 2:g}) rotate(-90)"),
    ]  # fmt: skip
    for k, name in enumerate(shown):
        middle = (k + 0.5) * cell
        parts.append(
            element("text", text(name), class_="name", x=left - 6, y=top + middle + 4,
                    text_anchor="end")
        )  # fmt: skip
        place = (
            {"x": left + middle, "y": top - 6, "text_anchor": "middle"}
            if upright
            else {"transform": f"translate({left + middle + 4:g} {top - 6:g}) rotate(-90)"}
        )
        parts.append(element("text", text(name), class_="name", **place))
    for row in range(number):
        for column in range(number):
            count = int(confusion[row, column])
            share = count / int(support[row])
            about = f"{names[row]} predicted as {names[column]}: {count:,} ({share:.1%})"
            parts.append(
                _cell(left + column * cell, top + row * cell, cell, count, share,
                      right=row == column, counted=number <= _MOST_COUNTED, about=about)
            )  # fmt: skip
    parts.append(element("rect", class_="frame", x=left, y=top, width=side, height=side))
    title = f"Confusion matrix of {number} classes, {int(confusion.sum()):,} predictions"
    width, height = left + side + 4, top + side + 4
    return element(
        "svg", element("title", text(title)), *parts, class_="chart heat", width=width,
        height=height, viewBox=f"0 0 {width:g} {height:g}", role="img",
    )  # fmt: skip


def _cell(
    x: float, y: float, size: float, count: int, share: float, *, right: bool, counted: bool,
    about: str,
) -> str:  # fmt: skip
    kind = "right" if right else "wrong"
    shade = _shade(share) if right else math.sqrt(share)
    drawn = element("title", text(about)) + element(
        "rect", class_=f"cell {kind}", x=x, y=y, width=size, height=size,
        fill_opacity=f"{shade:.3f}",
    )  # fmt: skip
    if count and counted:
        style = "on" if right and shade >= _LIGHT else "count"
        drawn += element("text", _brief(count), class_=style, x=x + size / 2, y=y + size / 2 + 4,
                         text_anchor="middle")  # fmt: skip
    return element("g", drawn)


def _shade(share: float) -> float:
    """Return the opacity of a share of a row; its square root, so that one in a hundred shows."""
    if share >= 0.5:
        return _LIGHT + (1 - _LIGHT) * (share - 0.5) / 0.5
    return _DARK * math.sqrt(share / 0.5)


def _brief(count: int) -> str:
    """Return a count in at most four characters."""
    if count < 10_000:
        return str(count)
    return f"{count / 1000:.0f}k" if count < 999_500 else f"{count / 1e6:.0f}M"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"
