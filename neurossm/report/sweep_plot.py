"""Score and modeled energy against widths, drawn with matplotlib, and its numbers as CSV."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import mode
from typing import Any

from neurossm.errors import InputError
from neurossm.extras import explained
from neurossm.files import replacing
from neurossm.report.figures import csv_text
from neurossm.store import write_text

WIDTHS = ("poles", "weights", "state", "activations")
# Okabe and Ito's colors, which people who do not tell red from green tell apart; yellow is left
# out, as it cannot be seen on white
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
_MARKERS = "os^Dvp"
DATA_COLUMNS = (*WIDTHS, "score", "value", "energy_low_j", "energy_high_j")
_HEAD = ",".join(DATA_COLUMNS) + "\n"
Row = Mapping[str, Any]


@dataclass(frozen=True)
class Panel:
    """Part of a figure: rows over one width, with a line for each value of another."""

    title: str
    along: str
    line: str
    rows: Sequence[Row]


def draw_sweep(path: Path, rows: Sequence[Row], title: str) -> None:
    """Write the figure of a sweep.

    Of a whole grid the width of the most values is the horizontal axis, the next one the lines, and
    there is a column for each value of the others. Else there is a column for each width that
    varies, the others as most rows have them. Rows without a score are left out; a row of
    widths 0, the float graph, is a dashed line.

    Parameters
    ----------
    path
        ``.svg``, ``.png`` or ``.pdf``.
    rows
        With the widths, ``accuracy`` (or ``score`` and ``value``), ``energy_low_j`` and
        ``energy_high_j``.
    title
        Above it.

    Raises
    ------
    InputError
        If there is no row to draw, or no such kind of file.
    """
    check_plot(path)
    rows = [{**row, "shown": _shown(row)} for row in rows]
    found = [row for row in rows if row["shown"] is not None and row["poles"]]
    if not found:
        raise InputError("plot of a sweep", expected="a point that was measured", got="none")
    with explained():
        from matplotlib import rc_context
        from matplotlib.figure import Figure

    panels = _panels(found)
    figure = Figure(figsize=(2.2 + 2.9 * len(panels), 5.4), layout="constrained")
    axes = figure.subplots(2, len(panels), sharex="col", sharey="row", squeeze=False)
    floats = [row["shown"] for row in rows if not row["poles"] and row["shown"] is not None]
    for (above, below), panel in zip(axes.T, panels, strict=True):
        _scores(above, panel, floats)
        _energies(below, panel)
        above.set_title(panel.title)
        below.set_xlabel(f"{panel.along}, bits")
    score = found[0].get("score") or "accuracy"
    axes[0][0].set_ylabel("accuracy, %" if score == "accuracy" else score)
    if score == "accuracy":  # no tick above what there can be
        axes[0][0].set_ylim(*_within_percent(*axes[0][0].get_ylim()))
    axes[1][0].set_ylabel("modeled energy\nper inference, J")
    axes[0][-1].legend(fontsize="small")
    figure.suptitle(title)
    with replacing(path, "--plot") as unfinished, rc_context({"svg.fonttype": "none"}):
        figure.savefig(unfinished, format=path.suffix[1:])


def write_sweep_data(path: Path, rows: Sequence[Row]) -> None:
    """Write the numbers of a figure beside it, as ``NAME-data.csv``; as `draw_sweep`.

    Raises
    ------
    InputError
        If a file of that name is there that no sweep wrote.
    """
    write_text(data_file(path), _data([{**row, "shown": _shown(row)} for row in rows]), "--plot")


def data_file(path: Path) -> Path:
    """Return the name of the numbers beside a figure.

    Raises
    ------
    InputError
        If a file of that name is there that no sweep wrote.
    """
    data = path.with_name(f"{path.stem}-data.csv")
    try:
        head = data.read_text(encoding="utf-8")[: len(_HEAD)] if data.exists() else _HEAD
    except (OSError, ValueError):
        head = ""
    if head != _HEAD:
        raise InputError(f"--plot {data}", expected="a new file, or the numbers of a sweep",
                         got="another file", remedy="give the figure another name")  # fmt: skip
    return data


def _data(rows: Sequence[Row]) -> str:
    known = (row for row in rows if row["shown"] is not None)
    return _HEAD + csv_text(
        (*(row[name] for name in WIDTHS), row.get("score") or "accuracy, %", row["shown"],
         row["energy_low_j"], row["energy_high_j"])
        for row in known
    )  # fmt: skip


def _within_percent(low: float, high: float) -> tuple[float, float]:
    """Return the ends of an axis of percentages: it may show half a percent beyond 0 and 100."""
    return max(low, -0.5), min(high, 100.5)


def check_plot(path: Path) -> None:
    """Check the kind of file, that its numbers replace nothing, and matplotlib (`MissingExtra`)."""
    if path.suffix not in (".svg", ".png", ".pdf"):
        got = path.suffix or "none"
        raise InputError(str(path), expected="a name that ends in .svg, .png or .pdf", got=got)
    data_file(path)
    with explained():
        import matplotlib  # noqa: F401


def _panels(rows: Sequence[Row]) -> list[Panel]:
    values = {name: sorted({row[name] for row in rows}) for name in WIDTHS}
    varied = sorted((n for n in WIDTHS if len(values[n]) > 1), key=lambda n: -len(values[n]))
    if math.prod(len(found) for found in values.values()) != len(rows):
        usual = {name: mode(row[name] for row in rows) for name in WIDTHS}
        return [
            Panel("", name, next(n for n in WIDTHS if n != name), [
                row for row in rows if all(row[n] == usual[n] for n in WIDTHS if n != name)
            ])
            for name in varied
        ]  # fmt: skip
    along, line, *others = (*varied, *(n for n in WIDTHS if n not in varied))
    shown = [name for name in others if name in varied]
    return [
        Panel(
            ", ".join(f"{name} {of_panel[name]} bits" for name in shown), along, line,
            [row for row in rows if all(row[n] == v for n, v in of_panel.items())],
        )
        for of_panel in (
            dict(zip(others, each, strict=True)) for each in product(*(values[n] for n in others))
        )
    ]  # fmt: skip


def _shown(row: Row) -> float | None:
    """Return what is drawn of a row: an accuracy in percent, another score as it is."""
    if row["accuracy"] is not None:
        return 100 * float(row["accuracy"])
    value = row.get("value")
    return None if value is None else float(value)


def _scores(axis: Any, panel: Panel, floats: list[float]) -> None:
    for index, value in enumerate(sorted({row[panel.line] for row in panel.rows})):
        own = sorted(
            (row[panel.along], row["shown"]) for row in panel.rows if row[panel.line] == value
        )
        label = f"{panel.line} {value} bits"
        look = {"color": COLORS[index % 6], "marker": _MARKERS[index % 6]}
        axis.plot(*zip(*own, strict=True), linestyle="-", label=label, **look)
    for value in floats:
        axis.axhline(value, color="black", linestyle="--", linewidth=1, label="float")
    axis.set_xticks(sorted({row[panel.along] for row in panel.rows}))
    axis.grid(alpha=0.3)


def _energies(axis: Any, panel: Panel) -> None:
    values = sorted({row[panel.line] for row in panel.rows})
    for index, value in enumerate(values):
        own = [row for row in panel.rows
               if row[panel.line] == value and row["energy_low_j"] is not None]  # fmt: skip
        # side by side, or equal intervals would hide each other
        places = [row[panel.along] + 0.25 * (index - (len(values) - 1) / 2) for row in own]
        ends = [[row[end] for row in own] for end in ("energy_low_j", "energy_high_j")]
        axis.vlines(places, *ends, color=COLORS[index % 6], linewidth=4)
    axis.set_yscale("log")
    axis.grid(alpha=0.3)
