"""``neurossm diff``: where two runs part, node by node."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.cli.console import Console, DataDirOption, JsonOption
from neurossm.errors import InputError

if TYPE_CHECKING:
    from neurossm.trace import Comparison, Trace


def diff(
    left: Annotated[Path, typer.Argument(help="A trace, or a graph.")],
    right: Annotated[Path, typer.Argument(help="Another trace, or another graph.")],
    data: Annotated[str, typer.Option(help="For two graphs: NAME:SPLIT:N to run them on.")] = "",
    tolerance: Annotated[
        float | None,
        typer.Option(help="Fail where a node's largest error exceeds this share of its range."),
    ] = None,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> int:
    """Compare two traces exactly, or two graphs on data; exit 1 where the check fails.

    Two traces, or two integer graphs, must be equal. A float and an integer graph are compared in
    real units, and fail only where --tolerance is given and exceeded.
    """
    from neurossm.store import describe

    console = Console(json)
    if tolerance is not None and not 0 <= tolerance < float("inf"):
        raise InputError("--tolerance", expected="a share of the range, 0 or more",
                         got=str(tolerance))  # fmt: skip
    kinds = describe(left).kind, describe(right).kind
    if kinds == ("trace", "trace"):
        if data:
            raise InputError("--data", expected="nothing, for two traces", got=repr(data))
        result, exact = _traces(left, right)
    elif kinds == ("graph", "graph"):
        result, exact = _graphs(left, right, data, data_dir, console)
    else:
        raise InputError(f"{left} and {right}", expected="two traces or two graphs",
                         got=f"a {kinds[0]} and a {kinds[1]}")  # fmt: skip
    over = [
        row.node
        for row in result.rows
        # written so that a nan is over
        if tolerance is not None and not row.largest <= tolerance * row.range_left
    ]
    console.document(
        {"exact": exact, "values_compared": result.compared, "mismatches": result.mismatches,
         "first": str(result.first) if result.first else None, "over_tolerance": over,
         "nodes": [vars(row) for row in result.rows]}
    )  # fmt: skip
    console.table(
        ("node", "values", "differ", "largest difference", "mean", "range"),
        [(r.node, r.compared, r.mismatches, r.largest, r.mean, r.range_left) for r in result.rows],
    )
    console.say(f"first divergence: {result.first}" if result.first else "no divergence")
    if over:
        console.say(f"over tolerance, first: {over[0]}")
    return 1 if over or (exact and result.mismatches) else 0


def _traces(left: Path, right: Path) -> tuple[Comparison, bool]:
    from neurossm.store import load_trace
    from neurossm.trace import compare

    a, b = load_trace(left), load_trace(right)
    if _is_float(a) != _is_float(b):
        raise InputError(f"{left} and {right}", expected="two integer or two float traces",
                         got="one of each", remedy="compare the graphs instead")  # fmt: skip
    return compare(a, b, tuple(a.values)), True


def _graphs(
    left: Path, right: Path, spec: str, data_dir: str, console: Console
) -> tuple[Comparison, bool]:
    from neurossm.cli.executing import check_size, check_task, load_data
    from neurossm.engine import run
    from neurossm.store import load
    from neurossm.trace import compare, units

    if not spec:
        raise InputError("diff of two graphs", expected="--data NAME:SPLIT:N to run them on",
                         got="no data")  # fmt: skip
    a, b = load(left), load(right)
    if b.is_integer < a.is_integer:
        a, b = b, a
    data = load_data(spec, data_dir)
    for graph in (a, b):
        check_task(graph, data)
    check_size(b, data, "all")
    engines = ["fast" if graph.is_integer else "float" for graph in (a, b)]
    traces = []
    for graph, engine in zip((a, b), engines, strict=True):
        with console.progress(f"{engine} engine", len(data)) as progress:
            traces.append(run(graph, data.inputs, engine, "all", progress))
    mixed = engines == ["float", "fast"]
    return compare(traces[0], traces[1], a.order, units(b) if mixed else None), not mixed


def _is_float(trace: Trace) -> bool:
    return any(value.dtype.kind == "f" for value in trace.values.values())
