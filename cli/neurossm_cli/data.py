"""``neurossm data``: data sets, where they lie, and fetching them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from neurossm_cli.presentation.console import DATA, Console, DataDirOption, JsonOption
from neurossm_cli.presentation.paths import READS_DATA, Commands

Kind = Literal[
    "classification", "multilabel", "regression",
    "step-classification", "step-regression", "next-step",
]  # fmt: skip

app = Commands(help="Data: what there is, what a file is taken for.", rich_markup_mode=None)


@app.command("list")
def list_(data_dir: DataDirOption = "", json: JsonOption = False) -> None:
    """List the data sets and where they were found."""
    from neurossm_models.data import registry

    console, entries = Console(json), registry(data_dir or None)
    console.document({"data": [asdict(entry) for entry in entries]})
    console.table(
        ("name", "task", "size", "found in", "licence"),
        [(e.name, e.task, e.size, e.found or "not found", e.licence) for e in entries],
    )


@app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="Name of a data set: mnist.")],
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Fetch a data set and verify its checksums."""
    from neurossm_models.data import fetch as fetch_files

    console = Console(json)
    folder = fetch_files(name, data_dir or None)
    console.document({"name": name, "folder": str(folder)})
    console.say(f"{name}: complete, checksums verified, in {folder}")


@app.command()
def show(
    data: Annotated[str, typer.Argument(metavar="DATA", help=DATA.help), READS_DATA],
    task: Annotated[
        Kind | None,
        typer.Option(help="What is asked of it, where its labels could be of two tasks."),
    ] = None,
    samples: Annotated[int, typer.Option(min=0, help="First samples to list.")] = 5,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Say what data are taken for: task, parts, channels, lengths, classes, scale; first samples.

    What is learned comes from the training part alone, as `neurossm train` learns it.
    """
    from neurossm_workflows.showing import shown_data, shown_document

    console = Console(json)
    found = shown_data(data, task or "", samples, data_dir or None)
    console.document(shown_document(found))
    for line in found.lines():
        console.say(line)
    if found.rows:
        scaling = found.facts.scaling
        units = ", to the nearest unit" if scaling is not None and not scaling.is_identity else ""
        console.table(found.columns, found.rows, title=f"First samples of {found.listed!r}{units}")
