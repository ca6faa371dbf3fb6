"""Where two runs differ, node by node: two traces, or two graphs on the same data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.comparison import Comparison, NodeDifference, compare, joined
from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.metrics import answers
from neurossm.metrics.check import Check, Checker, samples_a_part
from neurossm.metrics.per_layer import TOLERANCE
from neurossm.store import describe, load_trace
from neurossm.trace import Counts, Trace, units
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import opened
from neurossm_workflows.made_for import data_for
from neurossm_workflows.parts import note_clipped
from neurossm_workflows.scoring import scored, scorer_for, scores_document
from neurossm_workflows.verdict import check_document

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset
    from neurossm_models.tasks import Scores


@dataclass(frozen=True)
class Difference:
    """A comparison with the counters of both runs; a check where one run was of real numbers.

    Attributes
    ----------
    compared
        Every node.
    left_counts, right_counts
        By node; empty where a run has none.
    check
        Of a float graph, on the left, and an integer one.
    scores
        Of both on labeled data.
    given
        Share of its range by which a node may be wrong; None: the default.
    """

    compared: Comparison
    left_counts: Mapping[str, Counts]
    right_counts: Mapping[str, Counts]
    check: Check | None = None
    scores: tuple[Scores | None, ...] = (None, None)
    given: float | None = None

    def __repr__(self) -> str:
        over = f"; over the tolerance: {', '.join(self.over[:3])}" if self.over else ""
        more = f" and {len(self.over) - 3} more" if len(self.over) > 3 else ""
        return (
            f"Difference: {self.compared.mismatches} of {self.compared.compared} values differ,"
            f" tolerance {self.tolerance:g}{over}{more}"
        )

    @property
    def exact(self) -> bool:
        """True where both runs are of one kind: without a tolerance they must be equal."""
        return self.check is None

    @property
    def tolerance(self) -> float:
        """The tolerance that holds."""
        return self.check.tolerance if self.check is not None else self.given or 0.0

    @property
    def over(self) -> tuple[str, ...]:
        """The nodes over the tolerance, the first to blame in front."""
        if self.check is not None:
            return self.check.over
        # written so that a nan is over
        over = [
            r.node for r in self.compared.rows if not r.largest <= self.tolerance * r.range_left
        ]
        first = self.compared.first
        if self.given is None and first:
            # a node that stands before it in the order may have diverged later
            over = [first.node, *(name for name in over if name != first.node)]
        return tuple(over)

    def as_json(self) -> dict[str, Any]:
        """Return everything that was found, as plain values."""
        compared = self.compared
        return {
            "exact": self.exact,
            "tolerance": self.tolerance,
            "values_compared": compared.compared,
            "mismatches": compared.mismatches,
            "first": str(compared.first) if compared.first else None,
            "over_tolerance": list(self.over),
            "scores": {
                side: scores_document(scores)
                for side, scores in zip(("left", "right"), self.scores, strict=True)
            },
            "check": check_document(self.check) if self.check is not None else None,
            "nodes": [self._node(row) for row in compared.rows],
        }

    def _node(self, row: NodeDifference) -> dict[str, Any]:
        left, right = self.left_counts.get(row.node), self.right_counts.get(row.node)
        values: dict[str, Any] = {
            **vars(row),
            "agreement": row.agreement,
            "saturations_left": left.saturations if left else None,
            "saturations_right": right.saturations if right else None,
        }
        if self.check is not None:
            values |= _checked_node(self.check, row.node)
        return values


def _checked_node(check: Check, node: str) -> dict[str, Any]:
    error, end = check.per_layer[node], check.end_to_end[node]
    worst = error.worst(check.tolerance)
    excess = float(error.excess(check.tolerance)[worst])
    per_layer = {
        "worst_channel": worst,
        "largest": float(error.largest[worst]),
        "mean": float(error.total[worst] / error.values),
        "range": float(error.range[worst]),
        "agreement": 1 - int(error.unequal.sum()) / (error.values * len(error.unequal)),
        "of_allowed": excess if math.isfinite(excess) else None,
    }
    if not error.spikes:
        return {"per_layer": per_layer}
    spikes = {"spikes_float": float(error.expected[worst]),
              "spikes_integer": float(error.found[worst])}  # fmt: skip
    return {
        "per_layer": per_layer | spikes,
        "spikes": {"float": float(end.expected.sum()), "integer": float(end.found.sum()),
                   "moved": end.moved},
    }  # fmt: skip


def diff(
    left: Graph | str | Path,
    right: Graph | str | Path,
    data: str | Dataset | NDArray[np.integer[Any]] = "",
    tolerance: float | None = None,
    *,
    data_dir: str = "",
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Difference:
    """Compare two traces, or two graphs on data, node by node.

    Parameters
    ----------
    left, right
        Two files of traces; or two graphs, or their files. Of a float and an integer graph, the
        float one is the left.
    data
        As of `data_for`, for two graphs.
    tolerance
        Largest error of a node as a share of its range; None: 0.1 between a float and an integer
        graph, else 0.
    data_dir, other_data, listener
        As of `data_for`.

    Raises
    ------
    InputError
        If one is a trace and the other a graph, one trace is of real numbers and the other of
        integers, data are missing or given for nothing, or the tolerance is no share.

    Examples
    --------
    >>> found = neurossm.diff("m.nssm", "m.int.nssm", "mnist:test:32")
    >>> found.over  # nodes
    ()
    """
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise InputError("--tolerance", expected="a share of the range, 0 or more",
                         got=str(tolerance))  # fmt: skip
    kinds = _kind(left), _kind(right)
    no_data = isinstance(data, str) and not data
    if kinds == ("trace", "trace"):
        if not no_data:
            raise InputError("--data", expected="nothing, for two traces", got=repr(data))
        return _traces(Path(str(left)), Path(str(right)), tolerance)
    if kinds != ("graph", "graph"):
        raise InputError(f"{left} and {right}", expected="two traces or two graphs",
                         got=f"a {kinds[0]} and a {kinds[1]}")  # fmt: skip
    if no_data:
        raise InputError("diff of two graphs", got="no data",
                         expected="--data NAME:SPLIT:N or PATH[:SPLIT[:N]] to run on")  # fmt: skip
    a, b = opened(left), opened(right)
    if b.is_integer < a.is_integer:
        a, b = b, a
    for graph in (a, b):  # it is loaded as the left one takes it
        data = data_for(graph, data, data_dir, labels=False, other_data=other_data,
                        listener=listener)  # fmt: skip
    return difference(a, b, data, tolerance, listener)  # type: ignore[arg-type]  # loaded now


def _kind(given: Graph | str | Path) -> str:
    return describe(Path(given)).kind if isinstance(given, str | Path) else "graph"


def _traces(left: Path, right: Path, tolerance: float | None) -> Difference:
    a, b = load_trace(left), load_trace(right)
    if _is_float(a) != _is_float(b):
        raise InputError(f"{left} and {right}", expected="two integer or two float traces",
                         got="one of each", remedy="compare the graphs instead")  # fmt: skip
    compared = compare(a, b, tuple(a.values))
    return Difference(compared, dict(a.counts), dict(b.counts), given=tolerance)


def difference(
    left: Graph,
    right: Graph,
    data: Dataset,
    tolerance: float | None = None,
    listener: Listener = QUIET,
) -> Difference:
    """Compare two graphs on loaded data; of a float and an integer graph, the float one is left."""
    engines = ["fast" if graph.is_integer else "float" for graph in (left, right)]
    checker = Checker(left, right) if engines == ["float", "fast"] else None
    # integers of unlike formats can be compared as real numbers only
    unlike = engines == ["fast", "fast"] and not same_units(units(left), units(right))
    of_right = units(right) if checker or unlike else None
    of_left = units(left) if unlike else None
    parts, left_counts, right_counts = [], [], []
    scorers = [scorer_for(graph, data) for graph in (left, right)]
    clipped = data.clipped
    data = data.trimmed()
    size = samples_a_part(right, data.shape[1])
    with listener.progress(" and ".join(engines), 2 * len(data)) as progress:
        for start in range(0, len(data), size):
            part = data.take(slice(start, start + size))
            a, b = (run(graph, part.inputs, engine, "all", progress, lengths=part.lengths)
                    for graph, engine in zip((left, right), engines, strict=True))  # fmt: skip
            parts.append((start, compare(a, b, left.order, of_right, of_left)))
            for graph, scorer, trace in zip((left, right), scorers, (a, b), strict=True):
                if scorer is not None:
                    scorer.add(answers(graph, trace), part.labels, part.lengths)
            clipped += part.clipped
            left_counts.append(a.counts)
            right_counts.append(b.counts)
            if checker:
                checker.add(a, b)
    limit = TOLERANCE if tolerance is None else tolerance
    found = checker.result(limit) if checker else None
    note_clipped(listener, clipped, data)
    scores = tuple(scored(scorer) for scorer in scorers)
    totals = _totals(left_counts), _totals(right_counts)
    return Difference(joined(parts), *totals, found, scores, tolerance)


def same_units(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Tell whether the activations of two graphs are in the same units, channel by channel."""
    return left.keys() == right.keys() and all(np.array_equal(left[n], right[n]) for n in left)


def _totals(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of each node's counts over the parts."""
    return {name: reduce(add, (part[name] for part in parts)) for name in parts[0]}


def _is_float(trace: Trace) -> bool:
    return any(value.dtype.kind == "f" for value in trace.values.values())
