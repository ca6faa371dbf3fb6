"""The section of the report about how good the answers are: scores, confusion or a scatter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.report.charts import nice_step, tick_marks
from neurossm.report.document import Answers, Report
from neurossm.report.markup import element, table, text
from neurossm.report.units import count, percent

MOST_CLASSES = 20  # of a matrix that can be taken in; of more, the pairs that are confused most
PAIRS = 20
_LEFT, _WIDE, _HIGH = 0.5, 99.0, 320.0  # per cent of the width, and pixels


def answers(report: Report) -> str:
    """Return scores, and which class is taken for which or what number for what; else empty."""
    found = report.answers
    if found is None:
        return ""
    said = [f"Integer graph: {found.integer}, on {count(found.count)} answers"
            + (f" of {found.data}" if found.data else "") + ", measured."]  # fmt: skip
    if found.float_graph:
        said.append(f"Float graph, on the same: {found.float_graph}.")
    parts = [element("p", text(" ".join(said)))]
    if found.confusion is not None:
        parts.append(_confusion(found, found.confusion))
    if found.points is not None and len(found.points):
        parts.append(_scatter(found.points))
    return element("section", element("h2", "Answers"), *parts)


def _confusion(found: Answers, matrix: NDArray[np.int64]) -> str:
    names = [text(found.class_names[k] if k < len(found.class_names) else str(k))
             for k in range(len(matrix))]  # fmt: skip
    if len(matrix) > MOST_CLASSES:
        return _most_confused(matrix, names)
    rows = [
        (name, *(count(int(n)) if n else "" for n in row), _share(row, k))
        for k, (name, row) in enumerate(zip(names, matrix, strict=True))
    ]
    caption = "Right class (row) against answered class (column), and the share that is right."
    return table(("Class", *names, "right"), rows, caption, range(1, len(matrix) + 2))


def _most_confused(matrix: NDArray[np.int64], names: list[str]) -> str:
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    places = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS]
    pairs = [np.unravel_index(place, wrong.shape) for place in places]
    rows = [
        (names[right], names[answered], count(int(wrong[right, answered])))
        for right, answered in pairs
        if wrong[right, answered]
    ]
    if not rows:
        return ""
    caption = f"The pairs that are confused most, of {len(matrix)} classes."
    return table(("Right class", "Answered class", "Answers"), rows, caption, (2,))


def _share(row: NDArray[np.int64], own: int) -> str:
    total = int(row.sum())
    return percent(row[own] / total) if total else ""


def _round_range(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return round ends that hold all numbers, and the round step between them."""
    low, high = float(points.min()), float(points.max())
    step = nice_step((high - low) or abs(high) or 1.0)
    first, last = low // step, -(-high // step)
    return first * step, max(last, first + 1) * step, step


def _scatter(points: NDArray[np.float64]) -> str:
    """Return right numbers (across) against answers (upward), over one range of both."""
    low, high, step = _round_range(points)
    span = high - low

    def across(value: float) -> float:
        return _LEFT + (value - low) / span * _WIDE

    def down(value: float) -> float:
        return _HIGH - (value - low) / span * (_HIGH - 6)

    marks = [
        element("circle", class_="point", cx=f"{across(x):.3f}%", cy=down(y), r=2.5)
        for x, y in points.tolist()
    ]
    line = element("line", class_="rule", x1=f"{_LEFT}%", x2=f"{_LEFT + _WIDE}%", y1=down(low),
                   y2=down(high))  # fmt: skip
    values = [low + k * step for k in range(round(span / step) + 1)]
    ticks = [(f"{round(value / step) * step:.4g}", across(value)) for value in values]
    drawing = element(
        "svg", element("title", "Right numbers against answers"), tick_marks(ticks, _HIGH), line,
        *marks, class_="chart", width="100%", height=_HIGH + 34, role="img",
    )  # fmt: skip
    caption = (
        f"Right number (across) against answer (upward, from {low:.4g} to {high:.4g}); on the line"
        f" they are equal. The first {count(len(points))} numbers."
    )
    return element("figure", drawing, element("figcaption", text(caption)))
