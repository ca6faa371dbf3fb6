"""``neurossm run``: a network on data, by any engine; how good its predictions are."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.options import (
    DATA,
    ENGINE,
    AnyGraph,
    DataDirOption,
    OtherDataOption,
)
from neurossm_cli.presentation.paths import READS_DATA, WRITES_OURS, WRITES_PREDICTIONS

if TYPE_CHECKING:
    from neurossm.trace import Trace


def run(
    graph: AnyGraph,
    data: Annotated[str, DATA, READS_DATA],
    engine: Annotated[str, ENGINE] = "fast",
    trace: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the values of every node at every step here."),
        WRITES_OURS,
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write the prediction for each sample, or each step, here, .csv or .npz.",
        ),
        WRITES_PREDICTIONS,
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> None:
    """Run a network on data: accuracy, speed, saturations.

    Data are streamed in batches: memory does not grow with the number of samples, unless --trace
    keeps the values of every node.

    --predictions writes a line per sample, or per step: its number, the prediction (the name of a
    class, or numbers in the units of the labels), the label, and the output for each class. Of more
    than 64 classes per step, such as tokens, a .csv has the output for the predicted class only;
    an .npz has all.
    """
    from neurossm.executors import choose
    from neurossm.store import load, save_trace
    from neurossm_workflows.evaluate import evaluate
    from neurossm_workflows.predicting import writer_of
    from neurossm_workflows.scoring import said, scores_document

    console = Console(json)
    chosen, loaded = choose(engine, "--engine"), load(graph)
    with writer_of(predictions, loaded) as watchers:
        result = evaluate(
            loaded, data, chosen, record="all" if trace else "outputs", watchers=watchers,
            data_dir=data_dir, other_data=other_data, listener=console.listener,
        )  # fmt: skip
    if trace:
        save_trace(trace, result.trace)
    console.document(
        {"engine": result.engine, "samples": result.trace.samples, "steps": result.trace.mean_steps,
         "accuracy": result.accuracy, "scores": scores_document(result.scores),
         "clipped_inputs": result.clipped, "seconds": result.seconds,
         "steps_per_second": result.steps_per_second, "startup_seconds": result.startup_seconds,
         "saturations": result.trace.saturations() if result.trace.counts else None,
         "counts": total_counts(result.trace),
         "trace": str(trace) if trace else None, "notes": dict(result.notes),
         "predictions": str(predictions) if predictions else None}
    )  # fmt: skip
    samples = result.trace.samples
    reached = said(result.scores, result.labeled, samples)
    console.say(
        f"{result.engine}: {reached} on {plural(samples, 'sample')},"
        f" {result.steps_per_second:,.0f} steps/s ({result.seconds:.2f} s)"
        # real numbers have no range, and some executors count nothing
        + (f", {plural(result.trace.saturations(), 'saturation')}" if result.trace.counts else "")
    )
    if "ran on" in result.notes:
        console.say(f"ran on: {result.notes['ran on']}")
    for what, file in (("trace", trace), ("predictions", predictions)):
        if file:
            console.say(f"{what}: {file}")


def total_counts(trace: Trace) -> dict[str, int] | None:
    """Return the counters of all nodes together; None where the executor has none."""
    from neurossm.trace import Counts

    return asdict(sum(trace.counts.values(), Counts())) if trace.counts else None
