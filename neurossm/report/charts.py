"""Bars and points of the report as SVG.

Places are percentages of the width: a narrow page loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.energy import Interval
from neurossm.report.markup import element, text
from neurossm.report.units import si, si_range

_LEFT, _RIGHT = 0.5, 99.5  # percent of the width
_ROW, _HEAD, _AXIS = 40.0, 30.0, 34.0
_SCATTER = 320.0


@dataclass(frozen=True)
class Bar:
    """One row of a chart: a label, the interval and the color class of its bar."""

    label: str
    interval: Interval
    style: str


@dataclass(frozen=True)
class BarGroup:
    """Rows under one heading; empty: none."""

    heading: str
    bars: tuple[Bar, ...]


def interval_chart(groups: Sequence[BarGroup], title: str, unit: str) -> str:
    """Return intervals as horizontal bars over a logarithmic axis with SI prefixes.

    An end at 0 has no place on such an axis: its bar begins at the left rim, with an arrow.
    """
    ends = [e for g in groups for b in g.bars for e in (b.interval.low, b.interval.high) if e > 0]
    low, high = (min(ends), max(ends)) if ends else (1.0, 10.0)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    top = 0.0
    rows: list[str] = []
    for group in groups:
        if group.heading:
            at = {"x": f"{_LEFT}%", "y": top + 20}
            rows.append(element("text", text(group.heading), class_="group", **at))
            top += _HEAD
        for bar in group.bars:
            rows.append(_interval_row(bar, top, first, last, unit))
            top += _ROW
    decades = [10.0**power for power in range(first, last + 1)]
    ticks = [(_decade(value, unit), _log_place(value, first, last)) for value in decades]
    axis = tick_marks(ticks, top)
    return _figure(axis, rows, top + _AXIS, title)


def rate_chart(rates: Iterable[tuple[str, float]], title: str, axis_label: str) -> str:
    """Return one bar a row from 0 over a linear axis."""
    found = list(rates)
    largest = max((rate for _, rate in found), default=0.0)
    step = nice_step(largest or 1.0)
    end = step * max(1, math.ceil(largest / step - 1e-9))
    rows = []
    for index, (label, rate) in enumerate(found):
        top = index * _ROW
        width = rate / end * (_RIGHT - _LEFT)
        rows.append(_labels(label, f"{rate:.4f}", top))
        rows.append(_rect("rate", _LEFT, width, top))
    top = len(found) * _ROW
    span = (_RIGHT - _LEFT) / end
    ticks = [(f"{i * step:g}", _LEFT + i * step * span) for i in range(_steps(end, step))]
    under = element("text", text(axis_label), x="50%", y=top + 44, text_anchor="middle")
    return _figure(tick_marks(ticks, top), [*rows, under], top + _AXIS + 16, title)


def _interval_row(bar: Bar, top: float, first: int, last: int, unit: str) -> str:
    left = _log_place(bar.interval.low, first, last) if bar.interval.low > 0 else _LEFT
    right = _log_place(bar.interval.high, first, last) if bar.interval.high > 0 else _LEFT
    width = max(right - left, 0.4)  # a single value still shows
    labels = _labels(bar.label, si_range(bar.interval, unit), top)
    parts = [labels, _rect(bar.style, left, width, top)]
    if bar.interval.low <= 0:
        arrow = element("path", d="M0 6l7 -5v10z", class_=f"bar {bar.style}")
        parts.append(
            element("svg", arrow, x="0", y=top + 21, width=8, height=12, overflow="visible")
        )
    return "".join(parts)


def _labels(label: str, value: str, top: float) -> str:
    return element("text", text(label), class_="label", x=f"{_LEFT}%", y=top + 16) + element(
        "text", text(value), class_="value", x=f"{_RIGHT}%", y=top + 16, text_anchor="end"
    )


def _rect(style: str, left: float, width: float, top: float) -> str:
    return element(
        "rect", class_=f"bar {style}", x=f"{left:.3f}%", y=top + 22, width=f"{width:.3f}%",
        height=10, rx=2,
    )  # fmt: skip


def tick_marks(ticks: Sequence[tuple[str, float]], top: float) -> str:
    """Return an axis at height `top`, with grid lines above it; ticks are (label, percent)."""
    ends = {"x1": f"{_LEFT}%", "x2": f"{_RIGHT}%", "y1": top + 4, "y2": top + 4}
    parts = [element("line", class_="rule", **ends)]
    for index, (label, place) in enumerate(ticks):
        at = f"{place:.3f}%"
        anchor = "start" if index == 0 else "end" if index == len(ticks) - 1 else "middle"
        parts.append(element("line", class_="grid", x1=at, x2=at, y1=0, y2=top + 4))
        parts.append(element("line", class_="rule", x1=at, x2=at, y1=top + 4, y2=top + 9))
        parts.append(
            element("text", text(label), class_="tick", x=at, y=top + 24, text_anchor=anchor)
        )
    return "".join(parts)


def _figure(axis: str, rows: Iterable[str], height: float, title: str) -> str:
    return element(
        "svg",
        element("title", text(title)),
        axis,
        *rows,
        class_="chart",
        width="100%",
        height=height,
        role="img",
    )


def _decade(value: float, unit: str) -> str:
    number, prefixed = si(value, unit).split(" ", 1)
    return f"{float(number):g} {prefixed}"


def _log_place(value: float, first: int, last: int) -> float:
    return _LEFT + (math.log10(value) - first) / (last - first) * (_RIGHT - _LEFT)


def scatter_chart(points: NDArray[np.float64]) -> str:
    """Return labels (across) against predictions (upward) ``(m, 2)``, over one range of both."""
    low, high, step = round_range(points)
    span = high - low

    def across(value: float) -> float:
        return _LEFT + (value - low) / span * (_RIGHT - _LEFT)

    def down(value: float) -> float:
        return _SCATTER - (value - low) / span * (_SCATTER - 6)

    marks = [
        element("circle", class_="point", cx=f"{across(x):.3f}%", cy=down(y), r=2.5)
        for x, y in points.tolist()
    ]
    line = element("line", class_="rule", x1=f"{_LEFT}%", x2=f"{_RIGHT}%", y1=down(low),
                   y2=down(high))  # fmt: skip
    values = [low + k * step for k in range(_steps(span, step))]
    ticks = [(f"{round(value / step) * step:.4g}", across(value)) for value in values]
    title = "Labels against predictions"
    return _figure(tick_marks(ticks, _SCATTER), [line, *marks], _SCATTER + _AXIS, title)


def round_range(points: NDArray[np.float64]) -> tuple[float, float, float]:
    """Return round ends that hold all numbers, and the round step between them."""
    low, high = float(points.min()), float(points.max())
    step = nice_step((high - low) or abs(high) or 1.0)
    first, last = low // step, -(-high // step)
    return first * step, max(last, first + 1) * step, step


def nice_step(largest: float) -> float:
    """Return 1, 2 or 5 times a power of ten, so that 2 to 6 steps reach the largest value."""
    power = 10.0 ** math.floor(math.log10(largest / 2))
    return next(s * power for s in (1, 2, 5, 10) if largest / (s * power) <= 5)


def _steps(end: float, step: float) -> int:
    return round(end / step) + 1
