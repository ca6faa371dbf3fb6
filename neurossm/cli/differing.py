"""What `diff` found, as a table for people and a document for machines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neurossm.cli.console import Console

if TYPE_CHECKING:
    from neurossm.metrics.own_error import OwnError
    from neurossm.trace import Comparison, Counts, NodeDifference


@dataclass(frozen=True)
class Difference:
    """A comparison with the counters of both runs; own errors where one run was of real numbers."""

    compared: Comparison
    left_counts: Mapping[str, Counts]
    right_counts: Mapping[str, Counts]
    own: Mapping[str, OwnError] | None = None

    @property
    def exact(self) -> bool:
        """True where both runs are of one kind: without a tolerance they must be equal."""
        return self.own is None

    def tolerance(self, given: float | None) -> float:
        """Return the tolerance that holds."""
        from neurossm.metrics.own_error import TOLERANCE

        return given if given is not None else 0.0 if self.exact else TOLERANCE

    def over(self, given: float | None) -> tuple[str, ...]:
        """Return the nodes over the tolerance, in graph order; the first to diverge in front."""
        limit = self.tolerance(given)
        if self.own is not None:
            return tuple(name for name, error in self.own.items() if error.over(limit))
        # written so that a nan is over
        over = [r.node for r in self.compared.rows if not r.largest <= limit * r.range_left]
        first = self.compared.first
        if given is None and first:
            # a node that stands before it in the order may have diverged later
            over = [first.node, *(name for name in over if name != first.node)]
        return tuple(over)


def document(found: Difference, over: tuple[str, ...], given: float | None) -> dict[str, Any]:
    """Return everything that was found, as plain values."""
    compared = found.compared
    return {
        "exact": found.exact,
        "tolerance": found.tolerance(given),
        "values_compared": compared.compared,
        "mismatches": compared.mismatches,
        "first": str(compared.first) if compared.first else None,
        "over_tolerance": list(over),
        "nodes": [_node(found, row) for row in compared.rows],
    }


def print_difference(
    console: Console, found: Difference, over: tuple[str, ...], given: float | None
) -> None:
    """Print a row for each node, and which is the first over the tolerance."""
    columns = ["node", "range", "mean error", "largest error"]
    columns += ["equal"] if found.own is None else ["spikes equal", "own mean", "own largest",
                                                    "own spikes equal"]  # fmt: skip
    rows = [_row(found, row) for row in found.compared.rows]
    console.table((*columns, "saturations"), rows)
    console.say()
    first, limit = found.compared.first, found.tolerance(given)
    if found.own is not None:
        console.say("own: the float node on what the integer node received; errors in shares of"
                    " its range")  # fmt: skip
    else:
        console.say(f"first divergence: {first}" if first else "no divergence")
    if over:
        console.say(f"first over tolerance ({limit:g}): {over[0]}"
                    + (f", and {len(over) - 1} more" if over[1:] else ""))  # fmt: skip
    elif first:
        console.say(f"no node is over the tolerance ({limit:g})")


def _row(found: Difference, row: NodeDifference) -> tuple[object, ...]:
    cells: tuple[object, ...] = (row.node, row.range_left, row.mean, row.largest)
    equal = _share(row.agreement, row.mismatches)
    if found.own is None:
        return (*cells, equal, _saturations(found, row.node))
    own = found.own[row.node]
    scale, own_equal = own.range or 1.0, _share(1 - own.unequal / own.values, own.unequal)
    return (
        *cells,
        equal if own.spikes else "",
        f"{own.mean / scale:.3%}",
        f"{own.largest / scale:.2%}",
        own_equal if own.spikes else "",
        _saturations(found, row.node),
    )


def _share(agreement: float, mismatches: int) -> str:
    # never rounded up to all
    return "all" if not mismatches else f"{min(agreement, 0.9999):.2%}"


def _saturations(found: Difference, node: str) -> str:
    sides = (found.left_counts.get(node), found.right_counts.get(node))
    return " / ".join(f"{side.saturations:,}" for side in sides if side is not None)


def _node(found: Difference, row: NodeDifference) -> dict[str, Any]:
    left, right = found.left_counts.get(row.node), found.right_counts.get(row.node)
    values: dict[str, Any] = {
        **vars(row),
        "agreement": row.agreement,
        "saturations_left": left.saturations if left else None,
        "saturations_right": right.saturations if right else None,
    }
    if found.own is not None:
        own = found.own[row.node]
        values["own"] = {
            "largest": own.largest, "mean": own.mean, "range": own.range,
            "agreement": 1 - own.unequal / own.values,
        }  # fmt: skip
    return values
