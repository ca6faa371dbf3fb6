"""A graph as SVG: `graph_svg`. One file by itself, or a figure of the report."""

from __future__ import annotations

from itertools import pairwise

from neurossm.graph import Graph
from neurossm.nodes import Node, Role
from neurossm.report.layout import BOX_HEIGHT, BOX_WIDTH, Layout, Line, lay_out
from neurossm.report.markup import element, text

_LEGEND = 26.0
_CORNER = 7.0
_NAME_CHARACTER, _FORMAT_CHARACTER = 8.8, 7.6  # pixels

_KINDS = {Role.INPUT: "edge", Role.OUTPUT: "edge", Role.SYNAPSES: "synapse", Role.SPIKING: "spike"}

_STYLE = """
.ns-graph{font:12px system-ui,-apple-system,"Segoe UI",Roboto,sans-serif;
--ink:#1b2733;--soft:#566575;--box:#fff;--rim:#c3ccd6;--line:#7b8896;
--synapse:#2b6cb0;--state:#6b46c1;--spike:#c2410c;--plain:#0f766e;--edge:#64748b}
@media screen and (prefers-color-scheme:dark){.ns-graph{
--ink:#e6ebf0;--soft:#a3b0bd;--box:#1d252e;--rim:#3b4855;--line:#8593a1;
--synapse:#63a4ea;--state:#a78bfa;--spike:#fb923c;--plain:#2dd4bf;--edge:#94a3b8}}
.ns-graph .box{fill:var(--box);stroke:var(--rim)}
.ns-graph text{fill:var(--soft)}
.ns-graph .name{fill:var(--ink);font-weight:600;font-size:13px}
.ns-graph .line{fill:none;stroke:var(--line);stroke-width:1.5}
.ns-graph .tip{fill:var(--line)}
.ns-graph .line.spikes{stroke:var(--spike);stroke-dasharray:1.5 4;stroke-linecap:round;
stroke-width:2.2}
.ns-graph .tip.spikes{fill:var(--spike)}
.ns-graph .synapse{fill:var(--synapse)}.ns-graph .state{fill:var(--state)}
.ns-graph .spike{fill:var(--spike)}.ns-graph .plain{fill:var(--plain)}
.ns-graph .edge{fill:var(--edge)}
"""


def graph_svg(graph: Graph) -> str:
    """Return a drawing of the graph, top to bottom, as one self-contained SVG.

    Each box has the node's name, type, shape and the format of its activations; lines of spikes
    are dotted.
    Colors follow the reader's light or dark scheme.
    """
    layout = lay_out(graph)
    height = layout.height + _LEGEND
    title = f"Graph of {len(graph.nodes)} nodes and {len(graph.edges)} edges"
    lines = [_line(line, _sends_spikes(graph, line.edge[0])) for line in layout.lines]
    boxes = [_box(name, graph.nodes[name], layout) for name in graph.order]
    return element(
        "svg",
        element("title", text(title), id="ns-graph-title"),
        element("style", _STYLE),
        element("g", *lines),
        element("g", *boxes),
        _legend(layout.height),
        xmlns="http://www.w3.org/2000/svg",
        class_="ns-graph",
        viewBox=f"0 0 {layout.width:g} {height:g}",
        width=layout.width,
        height=height,
        role="img",
        aria_labelledby="ns-graph-title",
    )


def _box(name: str, node: Node, layout: Layout) -> str:
    box = layout.boxes[name]
    kind = _KINDS.get(node.role, "state" if node.states else "plain")
    fmt = str(node.out) if node.out is not None else "float"
    full = f"{name}: {type(node).__name__}, {node.extent}, {fmt}"
    second = f"{node.title} · {node.extent}"
    return element(
        "g",
        element("title", text(f"{full}; {node.note}" if node.note else full)),
        element("rect", class_="box", width=BOX_WIDTH, height=BOX_HEIGHT, rx=6),
        element("rect", class_=kind, width=5, height=BOX_HEIGHT - 12, x=0, y=6, rx=2),
        element("text", text(_short(name, _room(fmt))), class_="name", x=14, y=18),
        element("text", text(fmt), x=BOX_WIDTH - 10, y=18, text_anchor="end"),
        element("text", text(second), x=14, y=35),
        transform=f"translate({box.x:g} {box.y:g})",
    )


def _room(fmt: str) -> int:
    """Return characters of a name that fit beside a format, in the widest of the usual fonts."""
    return int((BOX_WIDTH - 14 - 10 - 8 - _FORMAT_CHARACTER * len(fmt)) / _NAME_CHARACTER)


def _short(name: str, most: int) -> str:
    if len(name) <= most:
        return name
    # the end of a dotted name tells most; a part of it is shown whole, or not at all
    tail = name[1 - most :]
    whole = tail[tail.find(".") + 1 :]
    return "…" + (whole if len(whole) > most // 2 else tail)


def _line(line: Line, spikes: bool) -> str:
    style = " spikes" if spikes else ""
    end = line.points[-1]
    return element(
        "g",
        element("path", class_=f"line{style}", d=_side(line) if line.in_lane else _down(line)),
        element("path", class_=f"tip{style}", d=_tip(end, sideways=line.in_lane)),
    )


def _down(line: Line) -> str:
    """Return a path downward, by curves where it changes its column; it ends at the tip's base."""
    points = [*line.points[:-1], (line.points[-1][0], line.points[-1][1] - 6)]
    path = f"M{points[0][0]:g} {points[0][1]:g}"
    for (x0, y0), (x1, y1) in pairwise(points):
        half = (y0 + y1) / 2
        straight = abs(x0 - x1) < 0.5
        path += f"V{y1:g}" if straight else f"C{x0:g} {half:g} {x1:g} {half:g} {x1:g} {y1:g}"
    return path


def _side(line: Line) -> str:
    (x0, y0), (lane, _), _, (x1, y1) = line.points
    r = _CORNER
    return (
        f"M{x0:g} {y0:g}H{lane - r:g}q{r:g} 0 {r:g} {r:g}V{y1 - r:g}q0 {r:g} {-r:g} {r:g}"
        f"H{x1 + 6:g}"
    )


def _tip(end: tuple[float, float], *, sideways: bool) -> str:
    x, y = end
    if sideways:
        return f"M{x:g} {y:g}l8 -4v8z"
    return f"M{x:g} {y:g}l-4 -8h8z"


def _legend(top: float) -> str:
    y = top + _LEGEND / 2
    return element(
        "g",
        element("path", class_="line", d=f"M10 {y:g}h26"),
        element("text", "graded activations", x=42, y=y + 4),
        element("path", class_="line spikes", d=f"M176 {y:g}h26"),
        element("text", "spikes", x=208, y=y + 4),
    )


def _sends_spikes(graph: Graph, name: str) -> bool:
    out = graph.nodes[name].out
    return out is not None and out.is_spike
