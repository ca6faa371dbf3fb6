"""Where boxes and lines of a graph go: layers by longest path, long edges in lanes aside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from neurossm.graph import Edge, Graph

BOX_WIDTH, BOX_HEIGHT = 214.0, 44.0
COLUMN, RANK = BOX_WIDTH + 18.0, BOX_HEIGHT + 26.0
MARGIN, LANE = 8.0, 16.0
_LONGEST_INSIDE = 3  # ranks that an edge may span between the boxes; longer ones take a lane
_PORT = 16.0  # between lines that arrive at one box

Point = tuple[float, float]
Bend = tuple[Edge, int]  # where an edge passes through a rank that it only crosses


@dataclass(frozen=True)
class Box:
    """A node's rectangle: upper left corner."""

    x: float
    y: float

    @property
    def center(self) -> float:
        """Horizontal center."""
        return self.x + BOX_WIDTH / 2


@dataclass(frozen=True)
class Line:
    """An edge: points from source to target; in a lane it leaves and arrives at the right side."""

    edge: Edge
    points: tuple[Point, ...]
    in_lane: bool


@dataclass(frozen=True)
class Layout:
    """A drawing of a graph in pixels."""

    boxes: Mapping[str, Box]
    lines: tuple[Line, ...]
    width: float
    height: float


def lay_out(graph: Graph) -> Layout:
    """Return where to draw each node and edge, from top to bottom."""
    ranks = ranks_of(graph)
    inside = [e for e in graph.edges if ranks[e[1]] - ranks[e[0]] <= _LONGEST_INSIDE]
    outside = [e for e in graph.edges if ranks[e[1]] - ranks[e[0]] > _LONGEST_INSIDE]
    rows, bends = _rows(graph, ranks, inside)
    most = max(len(row) for row in rows)
    center = MARGIN + most * COLUMN / 2
    x: dict[str | Bend, float] = {
        item: center + (index - len(row) / 2) * COLUMN + (COLUMN - BOX_WIDTH) / 2
        for row in rows
        for index, item in enumerate(row)
    }
    boxes = {name: Box(x[name], MARGIN + ranks[name] * RANK) for name in graph.nodes}
    lines = [_between(edge, bends[edge], boxes, x, inside) for edge in inside]
    right = MARGIN + most * COLUMN
    lanes = _lanes(outside, ranks)
    lines += [_at_side(edge, boxes, right + LANE * lanes[edge]) for edge in outside]
    width = right + LANE * (max(lanes.values()) + 1 if lanes else 0) + MARGIN
    return Layout(boxes, tuple(lines), width, 2 * MARGIN + len(rows) * RANK - (RANK - BOX_HEIGHT))


def ranks_of(graph: Graph) -> dict[str, int]:
    """Return for each node the length of the longest path from an input, or a late node, to it."""
    ranks: dict[str, int] = {}
    for name in graph.order:
        known = (source for source in graph.sources[name] if source in ranks)  # a loop leads back
        ranks[name] = max((ranks[source] + 1 for source in known), default=0)
    return ranks


def _rows(
    graph: Graph, ranks: Mapping[str, int], edges: list[Edge]
) -> tuple[list[list[str | Bend]], dict[Edge, list[Bend]]]:
    rows: list[list[str | Bend]] = [[] for _ in range(max(ranks.values()) + 1)]
    for name in graph.order:
        rows[ranks[name]].append(name)
    bends = {
        edge: [(edge, rank) for rank in range(ranks[edge[0]] + 1, ranks[edge[1]])] for edge in edges
    }
    above: dict[str | Bend, list[str | Bend]] = {}
    below: dict[str | Bend, list[str | Bend]] = {}
    for edge, path in bends.items():
        for bend in path:
            rows[bend[1]].append(bend)
        chain: list[str | Bend] = [edge[0], *path, edge[1]]
        for upper, lower in pairwise(chain):
            above.setdefault(lower, []).append(upper)
            below.setdefault(upper, []).append(lower)
    for _ in range(4):
        _sweep(rows, above)
        _sweep(rows[::-1], below)
    _sweep(rows, above)
    return rows, bends


def _sweep(rows: list[list[str | Bend]], neighbors: Mapping[str | Bend, list[str | Bend]]) -> None:
    """Order each row by the mean place of its neighbors in the row before (barycenters)."""
    place: dict[str | Bend, float] = {}
    for row in rows:
        own = {item: (index + 0.5) / len(row) for index, item in enumerate(row)}
        wish = dict(own)
        for item in row:
            known = [place[other] for other in neighbors.get(item, []) if other in place]
            if known:
                wish[item] = sum(known) / len(known)
        row.sort(key=lambda item: (wish[item], own[item]))  # used at once
        place |= {item: (index + 0.5) / len(row) for index, item in enumerate(row)}


def _between(
    edge: Edge,
    path: list[Bend],
    boxes: Mapping[str, Box],
    x: Mapping[str | Bend, float],
    edges: list[Edge],
) -> Line:
    source, target = boxes[edge[0]], boxes[edge[1]]
    start = source.center + _port(edge[1], [e[1] for e in edges if e[0] == edge[0]], boxes)
    end = target.center + _port(edge[0], [e[0] for e in edges if e[1] == edge[1]], boxes)
    points = [(start, source.y + BOX_HEIGHT)]
    for bend in path:
        middle = x[bend] + BOX_WIDTH / 2
        top = MARGIN + bend[1] * RANK
        points += [(middle, top), (middle, top + BOX_HEIGHT)]
    return Line(edge, (*points, (end, target.y)), in_lane=False)


def _port(name: str, others: list[str], boxes: Mapping[str, Box]) -> float:
    """Return how far from the center a line meets a box, so that several keep apart."""
    ordered = sorted(others, key=lambda other: boxes[other].x)
    return (ordered.index(name) - (len(ordered) - 1) / 2) * _PORT


def _at_side(edge: Edge, boxes: Mapping[str, Box], lane: float) -> Line:
    source, target = boxes[edge[0]], boxes[edge[1]]
    leave, arrive = source.y + 0.7 * BOX_HEIGHT, target.y + 0.3 * BOX_HEIGHT
    points = (
        (source.x + BOX_WIDTH, leave),
        (lane, leave),
        (lane, arrive),
        (target.x + BOX_WIDTH, arrive),
    )
    return Line(edge, points, in_lane=True)


def _lanes(edges: list[Edge], ranks: Mapping[str, int]) -> dict[Edge, int]:
    """Give each long edge the first lane that is free over its ranks, short ones first."""
    taken: list[list[tuple[int, int]]] = []
    lanes = {}
    for edge in sorted(edges, key=lambda e: (ranks[e[1]] - ranks[e[0]], ranks[e[0]])):
        start, end = ranks[edge[0]], ranks[edge[1]]
        free = (
            index
            for index, spans in enumerate(taken)
            if all(end <= other[0] or other[1] <= start for other in spans)
        )
        lane = next(free, len(taken))
        if lane == len(taken):
            taken.append([])
        taken[lane].append((start, end))
        lanes[edge] = lane
    return lanes
