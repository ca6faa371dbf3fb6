"""Residuals of a regression: what is left of the labels, by channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.report.charts import nice_step, tick_marks
from neurossm.report.markup import element, text

_HEIGHT, _TITLE, _GAP = 90.0, 22.0, 12.0
_MOST_BINS = 40


@dataclass(frozen=True)
class ResidualRow:
    """Errors of one output channel, in the units of the labels.

    Attributes
    ----------
    name
        Of the channel; ``all`` where there are several.
    count
        Predictions.
    bias
        Mean of prediction minus label.
    mae, rmse
        Mean absolute error; root of the mean squared error.
    r2
        1 - (sum of squared errors) / (sum of squares of the labels about their mean); None where
        the labels do not vary.
    """

    name: str
    count: int
    bias: float
    mae: float
    rmse: float
    r2: float | None


def residual_rows(
    points: NDArray[np.float64], channels: NDArray[np.int64] | None, names: tuple[str, ...] = ()
) -> list[ResidualRow]:
    """Return a row for each channel.

    Parameters
    ----------
    points
        Labels and predictions, ``(m, 2)``.
    channels
        Output channel of each point, ``(m,)``; None: all of one.
    names
        Of the channels; empty: numbers.
    """
    return [_row(name, part) for name, part in by_channel(points, channels, names)]


def by_channel(
    points: NDArray[np.float64], channels: NDArray[np.int64] | None, names: tuple[str, ...] = ()
) -> list[tuple[str, NDArray[np.float64]]]:
    """Return name and points ``(m, 2)`` of each channel that has any."""
    if channels is None:
        return [(names[0] if len(names) == 1 else "output", points)]
    return [
        (names[k] if k < len(names) else f"output {k}", points[channels == k])
        for k in np.unique(channels).tolist()
    ]


def _row(name: str, points: NDArray[np.float64]) -> ResidualRow:
    label, error = points[:, 0], points[:, 1] - points[:, 0]
    spread = float(((label - label.mean()) ** 2).sum())
    squares = float((error**2).sum())
    return ResidualRow(
        name, len(points), float(error.mean()), float(np.abs(error).mean()),
        (squares / len(points)) ** 0.5, 1 - squares / spread if spread > 0 else None,
    )  # fmt: skip


def residual_chart(
    points: NDArray[np.float64],
    channels: NDArray[np.int64] | None,
    names: tuple[str, ...] = (),
    most: int = 8,
) -> str:
    """Return histograms of prediction minus label over one axis, a panel for each channel.

    Of more than `most` channels the first are drawn.
    """
    parts, top = [], 0.0
    found = by_channel(points, channels, names)[:most]
    edges = bins(np.concatenate([part[:, 1] - part[:, 0] for _, part in found]))
    low, high = float(edges[0]), float(edges[-1])
    for name, part in found:
        heights = np.histogram(part[:, 1] - part[:, 0], edges)[0]
        label = f"{name}, {len(part):,} predictions"
        parts.append(element("text", text(label), class_="label", x="0.5%", y=top + 15))
        top += _TITLE
        tallest = max(int(heights.max()), 1)
        for k, height in enumerate(heights.tolist()):
            if height:
                about = f"{edges[k]:.4g} to {edges[k + 1]:.4g}: {height}"
                high_px = height / tallest * (_HEIGHT - 4)
                x = 0.5 + 99 * k / len(heights)
                parts.append(
                    element("rect", element("title", about),
                            class_="bar residual", x=f"{x:.3f}%", y=top + _HEIGHT - high_px,
                            width=f"{99 / len(heights) * 0.92:.3f}%", height=high_px)
                )  # fmt: skip
        top += _HEIGHT + _GAP
    zero = 0.5 + 99 * (0 - low) / (high - low)
    parts.append(
        element("line", class_="rule", x1=f"{zero:.3f}%", x2=f"{zero:.3f}%", y1=0, y2=top - _GAP)
    )
    step = nice_step(high - low)
    values = [k * step for k in range(round(low / step), round(high / step) + 1)]
    ticks = [(f"{value:.4g}", 0.5 + 99 * (value - low) / (high - low)) for value in values]
    axis = tick_marks(ticks, top - _GAP)
    under = element("text", "prediction minus label", x="50%", y=top + 32, text_anchor="middle")
    return element(
        "svg", element("title", "Residuals of the regression"), axis, *parts, under, class_="chart",
        width="100%", height=top + 40, role="img",
    )  # fmt: skip


def bins(errors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return round edges of bins, at most 40, that hold all errors and zero."""
    low, high = min(float(errors.min()), 0.0), max(float(errors.max()), 0.0)
    step = nice_step((high - low) or 1.0)
    first, last = int(low // step), int(-(-high // step))
    last = max(last, first + 1)
    each = max(1, _MOST_BINS // (last - first))
    return np.linspace(first * step, last * step, (last - first) * each + 1)
