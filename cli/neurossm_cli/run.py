"""``neurossm run``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation.console import (
    DATA,
    Console,
    DataDirOption,
    JsonOption,
    OtherDataOption,
)
from neurossm_cli.presentation.paths import READS, READS_DATA, WRITES

if TYPE_CHECKING:
    from neurossm.trace import Trace
    from neurossm_cli.executing import Execution
    from neurossm_converters.backends.dask import DaskOptions


def run(
    graph: Annotated[Path, typer.Argument(help="An .nssm file."), READS],
    data: Annotated[str, DATA, READS_DATA],
    engine: Annotated[
        str, typer.Option(help="reference | fast | lava (integers) or float.")
    ] = "fast",
    trace: Annotated[
        Path | None, typer.Option(help="Write the values of every node to this file."), WRITES
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.csv|FILE.npz",
            help="Write the answer to each sample (each step) here, with its label.",
        ),
        WRITES,
    ] = None,
    dask: Annotated[
        str,
        typer.Option(
            metavar="local|ADDRESS",
            help="Spread the samples over processes of this machine, or over a Dask cluster"
            " (tcp://host:8786); the same bits.",
        ),
    ] = "",
    workers: Annotated[
        int, typer.Option(min=0, help="Processes of --dask local (0: one for each core).")
    ] = 0,
    fuse: Annotated[
        str,
        typer.Option(
            metavar="none|stage|network",
            help="On Lava a process for each node, for the nodes between two layers of synapses, or"
            " for all; the same bits. By default the fastest.",
        ),
    ] = "",
    stacked: Annotated[
        int, typer.Option(min=0, help="On Lava samples side by side (0: up to 32).")
    ] = 0,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> None:
    """Run a graph on data and print how good its answers are, where the data have labels.

    Data are gone through part by part: memory does not grow with the number of samples, unless
    --trace keeps the values of every node. --predictions writes a line a sample, or a step: its
    number, what is answered (the name of a class, or numbers in the units of the labels), the
    label, and the output's value for each class; a line a step of more than 64 classes, such as
    tokens, has that of the answer only, and an .npz file has all.
    """
    from neurossm.store import load, save_trace
    from neurossm_cli.executing import execute, lava_options
    from neurossm_workflows.loading import load_data
    from neurossm_workflows.predicting import writer_of
    from neurossm_workflows.scoring import said, scores_document

    console = Console(json, other_data)
    options = dask_options(dask, workers, trace)
    loaded = load(graph)
    samples = load_data(data, data_dir, loaded, console.listener)
    lava = lava_options(engine, fuse, stacked, len(samples))
    with writer_of(predictions, loaded) as watchers:
        if options:
            from neurossm_cli.sharding import execute_on_dask

            result: Execution = execute_on_dask(loaded, samples, engine, options, console, watchers)
        else:
            record = "all" if trace else "outputs"
            result = execute(loaded, samples, engine, record, console, lava, watchers)
    if trace:
        save_trace(trace, result.trace)
    console.document(
        {"engine": engine, "samples": result.trace.samples, "steps": result.trace.mean_steps,
         "accuracy": result.accuracy, "scores": scores_document(result.scores),
         "clipped_inputs": result.clipped, "seconds": result.seconds,
         "steps_per_second": result.steps_per_second, "startup_seconds": result.startup_seconds,
         "saturations": result.trace.saturations(), "counts": total_counts(result.trace),
         "trace": str(trace) if trace else None, "dask": where_it_ran(result),
         "predictions": str(predictions) if predictions else None}
    )  # fmt: skip
    console.say(
        f"{engine}: {said(result.scores, samples)} on {result.trace.samples:,} samples,"
        f" {result.steps_per_second:,.0f} steps/s ({result.seconds:.2f} s)"
        # real numbers have no range
        + (f", {result.trace.saturations():,} saturations" if loaded.is_integer else "")
    )
    for what, file in (("trace", trace), ("predictions", predictions)):
        if file:
            console.say(f"{what}: {file}")


def dask_options(address: str, workers: int, trace: Path | None) -> DaskOptions | None:
    """Return where to run, None: in this process; refuse what goes with the other of the two."""
    if not address:
        if workers:
            raise InputError("--workers", expected="--dask local beside it", got="no --dask")
        return None
    if trace:
        raise InputError(
            "--trace",
            expected="a run in this process",
            got="--dask",
            remedy="a cluster sends back answers and counters, not every value",
        )
    from neurossm_converters.backends.dask import DaskOptions

    return DaskOptions(address, workers)


def total_counts(trace: Trace) -> dict[str, int] | None:
    """Return the counters of all nodes together; None where the executor has none."""
    from neurossm.trace import Counts

    return asdict(sum(trace.counts.values(), Counts())) if trace.counts else None


def where_it_ran(result: Execution) -> dict[str, str | int] | None:
    """Return address, workers and shards of a run on Dask; None for a run in this process."""
    from neurossm_cli.sharding import ShardedExecution

    if not isinstance(result, ShardedExecution):
        return None
    return {"address": result.address, "workers": result.workers, "shards": result.shards}
