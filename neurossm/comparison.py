"""Compares two traces: what is equal, and the first place where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm.lengths import without_padding
from neurossm.trace import Trace


@dataclass(frozen=True)
class Mismatch:
    """The first place where two traces part: node (in graph order), sample, step, channel."""

    node: str
    sample: int
    step: int
    channel: int
    left: float
    right: float

    def __str__(self) -> str:
        place = f"{self.node!r}, sample {self.sample}, step {self.step}, channel {self.channel}"
        return f"{place}: {self.left:g} against {self.right:g}"


@dataclass(frozen=True)
class NodeDifference:
    """One row of a comparison, in real units unless both traces are integers."""

    node: str
    compared: int
    mismatches: int
    largest: float
    mean: float
    range_left: float

    @property
    def agreement(self) -> float:
        """Share of values that are equal."""
        return 1 - self.mismatches / self.compared if self.compared else 1.0


@dataclass(frozen=True)
class Comparison:
    """What `compare` found.

    Attributes
    ----------
    rows
        One for each node that both traces hold, in graph order.
    first
        The first mismatch, earliest step first, then graph order; None where all values are equal.
    """

    rows: tuple[NodeDifference, ...]
    first: Mismatch | None

    @property
    def compared(self) -> int:
        """Values that were compared."""
        return sum(row.compared for row in self.rows)

    @property
    def mismatches(self) -> int:
        """Values that differ."""
        return sum(row.mismatches for row in self.rows)


def compare(
    left: Trace,
    right: Trace,
    order: tuple[str, ...],
    units: Mapping[str, float | NDArray[np.float64]] | None = None,
    left_units: Mapping[str, float | NDArray[np.float64]] | None = None,
) -> Comparison:
    """Compare two traces node by node, exactly.

    Parameters
    ----------
    left, right
        Traces of the same samples and steps; each sequence is compared to its own end.
    order
        Names of nodes in graph order; nodes that only one trace holds are passed over.
    units
        Real value of one unit of each node of `right`, where `left` is a float trace and `right`
        an integer one (see `units`).
    left_units
        The same for `left`, where both are integer traces of unlike formats.

    Raises
    ------
    InputError
        If the traces have no node in common, unlike shapes, or sequences of unlike lengths.

    Examples
    --------
    >>> both = [neurossm.run(graph, inputs, engine) for engine in ("fast", "reference")]
    >>> neurossm.compare(*both, graph.order).mismatches
    0
    """
    shared = [name for name in order if name in left.values and name in right.values]
    if not shared:
        raise InputError("comparison", expected="a node that both traces hold", got="none")
    rows, firsts, inside = [], [], left.inside
    for position, name in enumerate(shared):
        # every integer of a trace is exact in float64
        a, b = (np.asarray(trace.values[name], dtype=np.float64) for trace in (left, right))
        if a.shape != b.shape:
            raise InputError(f"trace of {name!r}", expected=f"shape {a.shape}", got=str(b.shape))
        _check_ends(left, right)
        a, b = a * inside, b * inside
        a = a * left_units[name] if left_units else a
        b = b * units[name] if units else b
        differs, distance = a != b, np.abs(a - b)
        rows.append(
            NodeDifference(
                name,
                compared := left.real_steps * a.shape[2],
                int(np.count_nonzero(differs)),
                float(distance.max(initial=0.0)),
                float(without_padding(distance, left.lengths).mean()) if compared else 0.0,
                float(np.abs(a).max(initial=0.0)),
            )
        )
        if np.any(differs):
            step = int(np.argmax(differs.any(axis=(0, 2))))
            sample, channel = (int(i) for i in np.argwhere(differs[:, step])[0])
            place = (sample, step, channel)
            mismatch = Mismatch(name, *place, float(a[place]), float(b[place]))
            firsts.append((step, position, mismatch))
    first = min(firsts, key=lambda item: item[:2])[2] if firsts else None
    return Comparison(tuple(rows), first)


def _check_ends(left: Trace, right: Trace) -> None:
    if not np.array_equal(left.ends, right.ends):
        sample = int(np.argmax(left.ends != right.ends))
        raise InputError(
            f"traces of sample {sample}", expected=f"{left.ends[sample]} steps in both",
            got=f"{right.ends[sample]}", remedy="run both on the same data",
        )  # fmt: skip


def joined(parts: Sequence[tuple[int, Comparison]]) -> Comparison:
    """Return the comparison of all samples from those of parts that hold the same nodes.

    Parameters
    ----------
    parts
        Pairs of a part's first sample and its comparison, in the order of samples.
    """
    rows, firsts = [], []
    for position, same in enumerate(zip(*(part.rows for _, part in parts), strict=True)):
        compared = sum(row.compared for row in same)
        rows.append(
            NodeDifference(
                same[0].node,
                compared,
                sum(row.mismatches for row in same),
                max(row.largest for row in same),
                sum(row.mean * row.compared for row in same) / compared if compared else 0.0,
                max(row.range_left for row in same),
            )
        )
        for start, part in parts:
            if part.first and part.first.node == same[0].node:
                moved = replace(part.first, sample=start + part.first.sample)
                firsts.append((moved.step, position, moved))
    first = min(firsts, key=lambda item: item[:2])[2] if firsts else None
    return Comparison(tuple(rows), first)
