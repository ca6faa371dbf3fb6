"""Chips with their cores as SVG, colored by load: `cores_svg`."""

from __future__ import annotations

from collections.abc import Sequence

from neurossm.hardware import Hardware
from neurossm.placement import Core, Placement
from neurossm.placement.summary import Row, summary
from neurossm.report.markup import element, text

_CELL_W, _CELL_H, _GAP, _ROUTER_GAP = 44.0, 30.0, 2.0, 8.0
_MARGIN, _HEAD, _LINE = 14.0, 26.0, 18.0
_LEGEND_COLUMN = 300.0
_MOST_CHIPS = 24  # more are drawn as one square each
_SQUARE = 40.0

_STYLE = """
.ns-chips{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
--ink:#1b2733;--soft:#566575;--rim:#c3ccd6;--die:#f4f6f8;--load:#2b6cb0;--on:#fff;--halo:#ffffffd0}
@media screen and (prefers-color-scheme:dark){.ns-chips{
--ink:#e6ebf0;--soft:#a3b0bd;--rim:#3b4855;--die:#151b22;--load:#63a4ea;--on:#0d1319;
--halo:#0d1319b0}}
.ns-chips text{fill:var(--soft)}
.ns-chips .head{fill:var(--ink);font-weight:600;font-size:13px}
.ns-chips .die{fill:var(--die);stroke:var(--rim)}
.ns-chips .free{fill:none;stroke:var(--rim);stroke-dasharray:2 3}
.ns-chips .rim{fill:none;stroke:var(--load)}
.ns-chips .load{fill:var(--load)}
.ns-chips .which{fill:var(--ink);font-weight:600;font-size:11px;text-anchor:middle;
paint-order:stroke;stroke:var(--halo);stroke-width:2px}
.ns-chips .part{fill:var(--ink);font-size:9px;text-anchor:middle;
paint-order:stroke;stroke:var(--halo);stroke-width:2px}
"""


def cores_svg(placement: Placement, hardware: Hardware) -> str:
    """Return a drawing of the chips in use, their cores colored by load, as one SVG by itself.

    A cell is a core: the number of its population in the list below, and its load. Colors follow
    the reader's light or dark scheme, and no number is told by color alone. More than 24 chips are
    drawn as one square each. Where on the mesh the usable cores lie is not published, so their
    order is the drawing's own.

    Raises
    ------
    TargetError
        If the chip's file does not say how large its mesh is.
    """
    columns, rows, each = (
        int(hardware.require("limits", key).high)
        for key in ("mesh_columns", "mesh_rows", "cores_per_router")
    )
    table = summary(placement)
    mesh = _Mesh(columns, rows, each)
    many = placement.chips > _MOST_CHIPS
    width, height, body = _squares(placement) if many else _dies(placement, mesh, table)
    legend_height, legend = _legend(table, height, width)
    width = max(width, 2 * _MARGIN + 2 * _LEGEND_COLUMN)
    whole = height + legend_height + _MARGIN
    title = f"Placement on {hardware.title}"
    about = (
        f"{len(placement.cores)} cores on {placement.chips} chips, {placement.neurons} neurons;"
        f" fullest core {_part(placement.largest_load)} of its memory. Positions are schematic."
    )
    return element(
        "svg",
        element("title", text(title), id="ns-chips-title"),
        element("desc", text(about), id="ns-chips-about"),
        element("style", _STYLE),
        *body,
        *legend,
        xmlns="http://www.w3.org/2000/svg",
        class_="ns-chips",
        viewBox=f"0 0 {width:g} {whole:g}",
        width=width,
        height=whole,
        role="img",
        aria_labelledby="ns-chips-title ns-chips-about",
    )


class _Mesh:
    """Where the cores of a chip go: routers in rows, the cores of a router as a block."""

    def __init__(self, columns: int, rows: int, each: int) -> None:
        self.columns, self.rows, self.each = columns, rows, each
        self.wide = 2 if each > 1 else 1
        self.high = -(-each // self.wide)
        self.router_width = self.wide * (_CELL_W + _GAP) + _ROUTER_GAP
        self.router_height = self.high * (_CELL_H + _GAP) + _ROUTER_GAP

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of a die."""
        return (
            self.columns * self.router_width + _ROUTER_GAP,
            self.rows * self.router_height + _ROUTER_GAP,
        )

    def place(self, index: int) -> tuple[float, float]:
        """Return the upper left corner of a core on its die."""
        router, inside = divmod(index, self.each)
        row, column = divmod(router, self.columns)
        return (
            _ROUTER_GAP + column * self.router_width + inside % self.wide * (_CELL_W + _GAP),
            _ROUTER_GAP + row * self.router_height + inside // self.wide * (_CELL_H + _GAP),
        )


def _dies(
    placement: Placement, mesh: _Mesh, table: Sequence[Row]
) -> tuple[float, float, list[str]]:
    width, height = mesh.size
    number = {name: row.number for row in table for name in row.populations}
    by_chip: dict[int, list[Core]] = {chip: [] for chip in range(placement.chips)}
    for core in placement.cores:
        by_chip[core.chip].append(core)
    body = []
    for chip, cores in by_chip.items():
        top = _MARGIN + chip * (height + _HEAD)
        used = {core.index: core for core in cores}
        cells = [
            _cell(mesh.place(index), used.get(index), placement, number)
            for index in range(placement.budget.cores)
        ]
        share = f"chip {chip}: {len(cores)} of {placement.budget.cores} usable cores in use"
        body.append(
            element(
                "g",
                element("text", text(share), class_="head", x=0, y=14),
                element("rect", class_="die", x=0, y=20, width=width, height=height, rx=8),
                element("g", *cells, transform="translate(0 20)"),
                transform=f"translate({_MARGIN:g} {top:g})",
            )
        )
    bottom = _MARGIN + placement.chips * (height + _HEAD) + _MARGIN
    return width + 2 * _MARGIN, bottom, body


def _cell(
    corner: tuple[float, float], core: Core | None, placement: Placement, number: dict[str, int]
) -> str:
    x, y = corner
    size = {"x": x, "y": y, "width": _CELL_W, "height": _CELL_H, "rx": 3}
    if core is None:
        return element("rect", class_="free", **size)
    load = placement.load(core)
    held = "; ".join(f"{s.population} {s.first} to {s.stop - 1}" for s in core.slices)
    words = (
        f"neuron {core.neuron_words}, axon-in {core.axon_in_words},"
        f" synapse {core.synapse_words}, axon-map {core.axon_map_words} words"
    )
    numbers = sorted({number[s.population] for s in core.slices})
    shown = str(numbers[0]) + ("+" if len(numbers) > 1 else "")
    full = f"core {core.index}: {held}; load {load:.1%}; {words}"
    return element(
        "g",
        element("title", text(full)),
        element("rect", class_="load", fill_opacity=f"{0.08 + 0.92 * load:.3f}", **size),
        element("rect", class_="rim", **size),
        element("text", shown, class_="which", x=x + _CELL_W / 2, y=y + 13),
        element("text", text(_part(load)), class_="part", x=x + _CELL_W / 2, y=y + 24),
    )


def _squares(placement: Placement) -> tuple[float, float, list[str]]:
    across = max(1, min(32, round(placement.chips**0.5 * 1.6)))
    loads = [0.0] * placement.chips
    for core in placement.cores:
        loads[core.chip] += placement.load(core) / placement.budget.cores
    head = f"{placement.chips} chips; a square is a chip with its number and mean load"
    body = [element("text", text(head), class_="head", x=_MARGIN, y=_MARGIN + 10)]
    top = _MARGIN + _HEAD
    for chip, load in enumerate(loads):
        row, column = divmod(chip, across)
        x, y = _MARGIN + column * (_SQUARE + _GAP), top + row * (_SQUARE + _GAP)
        size = {"x": x, "y": y, "width": _SQUARE, "height": _SQUARE, "rx": 3}
        body.append(
            element(
                "g",
                element("title", text(f"chip {chip}: mean load of its cores {load:.1%}")),
                element("rect", class_="load", fill_opacity=f"{0.08 + 0.92 * load:.3f}", **size),
                element("rect", class_="rim", **size),
                element("text", str(chip), class_="which", x=x + _SQUARE / 2, y=y + 17),
                element("text", text(_part(load)), class_="part", x=x + _SQUARE / 2, y=y + 30),
            )
        )
    rows = -(-placement.chips // across)
    return (
        2 * _MARGIN + across * (_SQUARE + _GAP),
        top + _MARGIN + rows * (_SQUARE + _GAP),
        body,
    )


def _legend(table: Sequence[Row], top: float, width: float) -> tuple[float, list[str]]:
    columns = max(2, int((width - 2 * _MARGIN) // _LEGEND_COLUMN))
    lines = -(-len(table) // columns)
    head = "populations: number, name, cores, fullest core"
    shown = [element("text", head, class_="head", x=_MARGIN, y=top + _LINE)]
    for position, row in enumerate(table):
        column, line = divmod(position, lines)
        label = f"{row.number}  {_short(row.name)}: {_plural(row.cores)}, up to {_part(row.load)}"
        shown.append(
            element(
                "text",
                text(label),
                x=_MARGIN + column * _LEGEND_COLUMN,
                y=top + (line + 2) * _LINE,
            )
        )
    return (lines + 2) * _LINE, shown


def _plural(cores: int) -> str:
    return "1 core" if cores == 1 else f"{cores:,} cores"


def _short(name: str) -> str:
    return name if len(name) <= 26 else "…" + name[-25:]


def _part(load: float) -> str:
    """Return a load in whole percent; little is not nothing."""
    return "<1%" if 0 < load < 0.01 else f"{load:.0%}"
