"""A recorded sample as SVG: the input over time and a spike raster of each layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.graph import Graph
from neurossm.report.charts import tick_marks
from neurossm.report.markup import element, text
from neurossm.report.units import si
from neurossm.trace import Trace

_MOST_COLUMNS, _MOST_ROWS = 800, 128
_GAP, _TITLE, _CURVE = 14.0, 20.0, 80.0
_ROW = 2.0  # pixels of a channel
_SHADES = (0.25, 0.5, 0.75, 1.0)
_MOST_LINES = 4  # channels of an input that still read as curves


def raster_svg(graph: Graph, trace: Trace) -> str:
    """Return the first sample of a trace: each input as curves, each spiking node as a raster.

    Nodes that the trace did not record are left out. Where there are more than 800 steps or 128
    channels, neighbors share a cell that is darker the more of them spiked.
    """
    shown = [
        name
        for name in graph.order
        if name in trace.values and (_is_curve(graph, name) or _is_raster(graph, name))
    ]
    top = 0.0
    parts = []
    for name in shown:
        values = np.asarray(trace.values[name][0])
        title = f"{name}, {_channels(values)}"
        if _is_raster(graph, name):
            mean = np.count_nonzero(values) / values.size
            title += f", rate {mean:.3f}"
        parts.append(element("text", text(title), class_="label", x="0.5%", y=top + 14))
        top += _TITLE
        panel = _raster(values) if _is_raster(graph, name) else _curves(values)
        parts.append(_panel(panel, top))
        top += panel.height + _GAP
    axis = tick_marks(_time_ticks(trace.steps), top - _GAP)
    label = "time steps" if graph.dt is None else f"time steps of {si(graph.dt, 's')}"
    under = element("text", text(label), x="50%", y=top + 30, text_anchor="middle")
    title = element("title", text(f"Activity of one sample over {trace.steps} steps"))
    return element(
        "svg", title, *parts, axis, under, class_="chart raster", width="100%", height=top + 40,
        role="img",
    )  # fmt: skip


def has_raster(graph: Graph, trace: Trace) -> bool:
    """Tell whether the trace recorded a node that spikes."""
    return bool(spiking(graph, trace))


def spiking(graph: Graph, trace: Trace) -> list[str]:
    """Return the recorded nodes that spike, in graph order."""
    return [name for name in graph.order if name in trace.values and _is_raster(graph, name)]


def _is_raster(graph: Graph, name: str) -> bool:
    out = graph.nodes[name].out
    return out is not None and out.is_spike


def _is_curve(graph: Graph, name: str) -> bool:
    return name in graph.inputs and graph.nodes[name].out_channels <= _MOST_LINES


@dataclass(frozen=True)
class _Panel:
    """Paths in a grid of `columns` by `rows`, and how many pixels high it is drawn."""

    paths: str
    columns: int
    rows: int
    height: float


def _panel(panel: _Panel, top: float) -> str:
    place = {"x": "0.5%", "y": top, "width": "99%", "height": panel.height}
    view = f"0 0 {panel.columns} {panel.rows}"
    inner = element("svg", panel.paths, **place, viewBox=view, preserveAspectRatio="none")
    return element("rect", class_="frame", **place) + inner


def _raster(values: NDArray[np.generic]) -> _Panel:
    """Return paths of cells, one for each shade; channel 0 on top."""
    grid = _binned(np.asarray(values != 0, dtype=np.float64).T)
    rows, columns = grid.shape
    edges = (0.0, *_SHADES)
    paths = []
    for lower, shade in zip(edges, _SHADES, strict=False):
        cells = _runs((grid > lower) & (grid <= shade))
        if cells:
            paths.append(element("path", class_="spikes", d=cells, fill_opacity=shade))
    return _Panel("".join(paths) or element("g"), columns, rows, max(24.0, _ROW * rows))


def _binned(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return means over neighbors, so that at most 128 rows and 800 columns remain."""
    for axis, most in ((0, _MOST_ROWS), (1, _MOST_COLUMNS)):
        size = grid.shape[axis]
        starts = np.arange(0, size, -(-size // most))
        lengths = np.diff(np.append(starts, size))
        shape = (-1, 1) if axis == 0 else (1, -1)
        grid = np.add.reduceat(grid, starts, axis=axis) / lengths.reshape(shape)
    return grid


def _runs(mask: NDArray[np.bool_]) -> str:
    """Return a path of one rectangle for each run of neighbors in a row."""
    padded = np.pad(mask, ((0, 0), (1, 1))).astype(np.int8)
    change = np.diff(padded, axis=1)
    starts, ends = np.argwhere(change == 1), np.argwhere(change == -1)
    return "".join(
        f"M{x} {y}h{end - x}v1h{x - end}z" for (y, x), end in zip(starts, ends[:, 1], strict=True)
    )


def _curves(values: NDArray[np.generic]) -> _Panel:
    steps = len(values)
    real = np.asarray(values, dtype=np.float64)
    low, high = float(real.min()), float(real.max())
    scaled = 96 - 92 * (real - low) / ((high - low) or 1.0)
    keep = np.unique(np.linspace(0, steps - 1, min(steps, 2 * _MOST_COLUMNS)).astype(int))
    curves = (
        element(
            "polyline",
            class_="curve",
            points=" ".join(f"{t + 0.5:g},{scaled[t, channel]:.1f}" for t in keep),
        )
        for channel in range(real.shape[1])
    )
    return _Panel("".join(curves), steps, 100, _CURVE)


def _channels(values: NDArray[np.generic]) -> str:
    number = values.shape[1]
    return "1 channel" if number == 1 else f"{number} channels"


def _time_ticks(steps: int) -> list[tuple[str, float]]:
    places = np.unique(np.linspace(0, steps, 5).astype(int))
    return [(f"{step}", 0.5 + 99 * step / steps) for step in places]
