"""What `diff` found, as a table for people."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from neurossm_cli.presentation.console import Console
from neurossm_workflows.verdict import verdict

if TYPE_CHECKING:
    from neurossm.comparison import NodeDifference
    from neurossm_workflows.diff import Difference


def print_difference(console: Console, found: Difference) -> None:
    """Print a row for each node, and which is the first over the tolerance."""
    columns = ["node", "range", "mean error", "largest error"]
    columns += (
        ["equal values"]
        if found.check is None
        else ["per-layer error", "of tolerance", "channel", "spikes", "lost or gained"]
    )
    rows = [_row(found, row) for row in found.compared.rows]
    console.table((*columns, "saturations"), rows)
    console.say()
    over = found.over
    first, limit = found.compared.first, found.tolerance
    names = ("left", "right") if found.check is None else ("float", "integer")
    if found.check is not None:
        console.say(
            "per-layer error: of the float node on the activations that the integer node received,"
            " relative to the range or the spikes of the channel that uses most of its tolerance"
            " (above 100%: over it); all other columns: end to end"
        )
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
