"""``neurossm run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm.cli.console import Console, DataDirOption, JsonOption


def run(
    graph: Annotated[Path, typer.Argument(help="An .nssm file.")],
    data: Annotated[str, typer.Option(help="NAME:SPLIT[:N], such as mnist:test:100.")],
    engine: Annotated[
        str, typer.Option(help="reference | fast | lava (integers) or float.")
    ] = "fast",
    trace: Annotated[
        Path | None, typer.Option(help="Write the values of every node to this file.")
    ] = None,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Run a graph on labeled data and print its accuracy."""
    from neurossm.cli.executing import execute, load_data
    from neurossm.store import load, save_trace

    console = Console(json)
    loaded = load(graph)
    result = execute(
        loaded, load_data(data, data_dir), engine, "all" if trace else "outputs", console
    )
    if trace:
        save_trace(trace, result.trace)
    console.document(
        {"engine": engine, "samples": result.trace.samples, "steps": result.trace.steps,
         "accuracy": result.accuracy, "seconds": result.seconds,
         "steps_per_second": result.steps_per_second,
         "saturations": result.trace.saturations(), "trace": str(trace) if trace else None}
    )  # fmt: skip
    console.say(
        f"{engine}: accuracy {result.accuracy:.2%} on {result.trace.samples} samples,"
        f" {result.steps_per_second:,.0f} steps/s ({result.seconds:.2f} s),"
        f" {result.trace.saturations()} saturations"
    )
    if trace:
        console.say(f"trace: {trace}")
