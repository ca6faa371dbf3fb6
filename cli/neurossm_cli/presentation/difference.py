"""What `diff` found, as a table for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from neurossm_cli.presentation.console import Console
from neurossm_workflows.verdict import verdict

if TYPE_CHECKING:
    from neurossm.comparison import NodeDifference
    from neurossm_workflows.diff import Difference


LESS = (0, 2, 3, 4, 5, 8)  # columns of the narrow table, float against integer
PER_LAYER = (
    "per-layer error: of the float node on the activations that the integer node received,"
    " relative to the range or the spikes of the channel that uses most of its tolerance"
    " (above 100%: over it); all other columns: end to end"
)


def print_difference(console: Console, found: Difference, details: bool) -> None:
    """Print a row for each node, and which is the first over the tolerance.

    Without `details`, a float and an integer network have fewer columns, which fit into 80
    characters, and saturations are a sum.
    """
    columns = ["node", "range", "mean error", "largest error"]
    columns += (
        ["equal values"]
        if found.check is None
        else ["per-layer error", "of tolerance", "channel", "spikes", "lost or gained"]
    )
    rows = [_row(found, row) for row in found.compared.rows]
    kept = range(len(rows[0])) if details or found.check is None else LESS
    columns.append("saturations")
    console.table([columns[at] for at in kept], [[row[at] for at in kept] for row in rows])
    console.say()
    over = found.over
    first, limit = found.compared.first, found.tolerance
    names = ("left", "right") if found.check is None else ("float", "integer")
    if found.check is not None:
        console.say(PER_LAYER if details else _in_short(found))
        for finding in found.check.findings:
            console.say(f"over the tolerance: {finding}")
        console.say(verdict(found.check))
    else:
        console.say(f"first divergence: {first}" if first else "no divergence")
        compared = found.compared
        console.say(f"{compared.compared:,} values of {len(compared.rows)} nodes compared,"
                    f" {compared.mismatches:,} mismatches")  # fmt: skip
    for name, scores in zip(names, found.scores, strict=True):
        if scores is not None:
            console.say(f"{name}: {scores.text()}")
    if over:
        console.say(f"first over tolerance ({limit:g}): {over[0]}"
                    + (f", and {len(over) - 1} more" if over[1:] else ""))  # fmt: skip
    elif first:
        exact = found.check is None
        console.say(f"no node is over the tolerance ({limit:g})" if exact else _allowed(limit))


def _in_short(found: Difference) -> str:
    both = (*found.left_counts.values(), *found.right_counts.values())
    clipped = sum(counts.saturations for counts in both)
    return (f"per-layer error: float node on the integer node's input; other columns: end to end."
            f" Saturations: {clipped:,}. All columns: --details")  # fmt: skip


def _row(found: Difference, row: NodeDifference) -> tuple[object, ...]:
    cells: tuple[object, ...] = (row.node, row.range_left, row.mean, row.largest)
    if found.check is None:
        return (*cells, _share(row.agreement, row.mismatches), _saturations(found, row.node))
    error, end = found.check.per_layer[row.node], found.check.end_to_end[row.node]
    channel = error.worst(found.check.tolerance)
    share = float(error.shares[channel]) if not error.exact else 0.0
    shown = "exact" if error.exact and not error.unequal.any() else _percent(share)
    if error.exact and error.unequal.any():
        shown = f"{int(error.unequal.sum()):,} differ"
    counts = f"{end.expected.sum():,.0f} -> {end.found.sum():,.0f}" if end.spikes else ""
    return (
        *cells,
        shown,
        "" if error.exact else _percent(float(error.excess(found.check.tolerance)[channel])),
        "" if shown == "exact" else str(channel),
        counts,
        _percent(end.moved) if end.spikes else "",
        _saturations(found, row.node),
    )


def _allowed(limit: float) -> str:
    from neurossm.metrics.per_layer import COMPARED, MIXED

    return (
        f"no node is over its tolerance: {limit:g} of a node's range (--tolerance), and of a"
        f" channel's own {COMPARED[0] * limit:g} where a neuron compares it with its threshold,"
        f" {MIXED[0] * limit:g} where it is mixed with others"
    )


def _percent(share: float) -> str:
    return f"{share:.2%}" if math.isfinite(share) else "all"


def _share(agreement: float, mismatches: int) -> str:
    # never rounded up to all
    return "all" if not mismatches else f"{min(agreement, 0.9999):.2%}"


def _saturations(found: Difference, node: str) -> str:
    sides = (found.left_counts.get(node), found.right_counts.get(node))
    return " / ".join(f"{side.saturations:,}" for side in sides if side is not None)
