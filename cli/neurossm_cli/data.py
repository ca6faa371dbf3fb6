"""``neurossm data``: data sets, where they are found, fetching them; what a file is read as."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from neurossm_cli.presentation import completing
from neurossm_cli.presentation.choices import FETCHED, TASKS, choice
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.help import Group
from neurossm_cli.presentation.options import DATA_HELP, DATA_NAMES, DataDirOption
from neurossm_cli.presentation.paths import READS_DATA, Commands

OLD = "licence"  # the key of earlier releases

app = Commands(
    help=f"List and fetch data sets; see what a file is read as.\n\n{DATA_NAMES}",
    rich_markup_mode=None,
    cls=Group,
)


@app.command("list")
def list_(data_dir: DataDirOption = "", json: JsonOption = False) -> None:
    """List the data sets that come with neurossm, and where they are."""
    from neurossm_models.data import registry

    console, entries = Console(json), registry(data_dir or None)
    console.document({"data": [{**asdict(entry), OLD: entry.license} for entry in entries]})
    console.table(
        ("", "name", "task", "size", "license", "found in"),
        [("ok" if e.found else "--", e.name, e.task, e.size, e.license, e.found or "")
         for e in entries],
        keys=2,
    )  # fmt: skip
    console.say("ok: found here; --: not. 'neurossm data fetch mnist' downloads mnist.")


@app.command()
def fetch(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help=f"Data set: {', '.join(FETCHED)}.",
            autocompletion=lambda incomplete: [n for n in FETCHED if n.startswith(incomplete)],
        ),
    ],
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Download a data set and verify its checksums."""
    from neurossm_models.data import fetch as fetch_files

    console = Console(json)
    folder = fetch_files(name, data_dir or None)
    console.document({"name": name, "folder": str(folder)})
    console.say(f"{name}: complete, checksums verified, in {folder}")


@app.command()
def show(
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help=DATA_HELP[0].upper() + DATA_HELP[1:],
            autocompletion=completing.data,
        ),
        READS_DATA,
    ],
    task: Annotated[
        str | None,
        choice(TASKS, "What is to be learned, where the labels fit two tasks: {}.", metavar="TASK"),
    ] = None,
    samples: Annotated[
        int, typer.Option(metavar="N", min=0, help="Samples to list, the first ones.")
    ] = 5,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Show what data are read as: task, channels, lengths, classes.

    All of it is learned from the training part alone, as 'neurossm train' learns it.
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
