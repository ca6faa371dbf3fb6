"""``neurossm diff``: where two runs part, node by node."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation.console import (
    GRAMMAR,
    Console,
    DataDirOption,
    JsonOption,
    OtherDataOption,
)
from neurossm_cli.presentation.difference import Difference, document, print_difference
from neurossm_cli.presentation.paths import READS, READS_DATA

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm.trace import Trace
    from neurossm_models.data import Dataset


def diff(
    left: Annotated[Path, typer.Argument(help="A trace, or a graph."), READS],
    right: Annotated[Path, typer.Argument(help="Another trace, or another graph."), READS],
    data: Annotated[
        str,
        typer.Option(help=f"For two graphs, what to run them on: {GRAMMAR}"),
        READS_DATA,
    ] = "",
    tolerance: Annotated[
        float | None,
        typer.Option(
            help="Share of its range by which a node may be wrong (default: 0.1 for a float and an"
            " integer graph, else 0)."
        ),
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> int:
    """Compare two traces, or two graphs on data; exit 1 where a node is over the tolerance.

    Two traces, or two graphs of one kind, must be equal, or with --tolerance no largest error may
    exceed that share of the node's range.

    Of a float and an integer graph, both are held against tolerances: each node by itself and the
    whole. Per layer, the float node runs on the messages that the integer node received; the
    largest error may not exceed --tolerance times the node's range, nor 2.5 times --tolerance of
    its own channel's where a neuron compares it with a threshold (7.5 times where it is mixed with
    others); the mean a tenth of the first. Neurons may lose or gain 2 spikes and half of
    --tolerance of them. Inputs, outputs and thresholds have to be exact. End to end, no neuron may
    lose or gain three quarters of its spikes, no layer a fifth, no output a fifth of its range in
    the mean, and predictions that are no near ties must stay.
    """
    from neurossm.store import describe

    console = Console(json, other_data)
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise InputError("--tolerance", expected="a share of the range, 0 or more",
                         got=str(tolerance))  # fmt: skip
    kinds = describe(left).kind, describe(right).kind
    if kinds == ("trace", "trace"):
        if data:
            raise InputError("--data", expected="nothing, for two traces", got=repr(data))
        found = _traces(left, right)
    elif kinds == ("graph", "graph"):
        found = _graphs(left, right, data, data_dir, console, tolerance)
    else:
        raise InputError(f"{left} and {right}", expected="two traces or two graphs",
                         got=f"a {kinds[0]} and a {kinds[1]}")  # fmt: skip
    over = found.over(tolerance)
    console.document(document(found, over, tolerance))
    print_difference(console, found, over, tolerance)
    return 1 if over else 0


def _traces(left: Path, right: Path) -> Difference:
    from neurossm.comparison import compare
    from neurossm.store import load_trace

    a, b = load_trace(left), load_trace(right)
    if _is_float(a) != _is_float(b):
        raise InputError(f"{left} and {right}", expected="two integer or two float traces",
                         got="one of each", remedy="compare the graphs instead")  # fmt: skip
    return Difference(compare(a, b, tuple(a.values)), dict(a.counts), dict(b.counts))


def _graphs(
    left: Path, right: Path, spec: str, data_dir: str, console: Console, tolerance: float | None
) -> Difference:
    from neurossm.store import load
    from neurossm_workflows.loading import load_data
    from neurossm_workflows.made_for import check_task

    if not spec:
        raise InputError("diff of two graphs", got="no data",
                         expected="--data NAME:SPLIT:N or PATH[:SPLIT[:N]] to run on")  # fmt: skip
    a, b = load(left), load(right)
    if b.is_integer < a.is_integer:
        a, b = b, a
    data = load_data(spec, data_dir, a)
    for graph in (a, b):
        check_task(graph, data, console, labels=False)
    return difference(a, b, data, console, tolerance)


def difference(
    left: Graph, right: Graph, data: Dataset, console: Console, tolerance: float | None = None
) -> Difference:
    """Compare two graphs on data; of a float and an integer graph, the float one is the left."""
    from neurossm.comparison import compare, joined
    from neurossm.engine import run
    from neurossm.metrics import answers
    from neurossm.metrics.check import Checker, samples_a_part
    from neurossm.metrics.per_layer import TOLERANCE
    from neurossm.trace import units
    from neurossm_cli.executing import note_clipped
    from neurossm_workflows.scoring import scored, scorer_for

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
    with console.progress(" and ".join(engines), 2 * len(data)) as progress:
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
    note_clipped(console, clipped, data)
    scores = tuple(scored(scorer) for scorer in scorers)
    totals = _totals(left_counts), _totals(right_counts)
    return Difference(joined(parts), *totals, found, scores)


def same_units(left: Mapping[str, Any], right: Mapping[str, Any]) -> bool:
    """Tell whether the messages of two graphs are in the same units, channel by channel."""
    import numpy as np

    return left.keys() == right.keys() and all(np.array_equal(left[n], right[n]) for n in left)


def _totals(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the sum of each node's counts over the parts."""
    return {name: reduce(add, (part[name] for part in parts)) for name in parts[0]}


def _is_float(trace: Trace) -> bool:
    return any(value.dtype.kind == "f" for value in trace.values.values())
