"""``neurossm data``: data sets, where they lie, and fetching them."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from neurossm.cli.console import Console, DataDirOption, JsonOption
from neurossm.cli.paths import Commands

app = Commands(help="Data sets: list them, fetch them.", rich_markup_mode=None)


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
    name: Annotated[str, typer.Argument(help="Name of a data set, such as mnist.")],
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Fetch a data set and verify its checksums."""
    from neurossm_models.data import fetch as fetch_files

    console = Console(json)
    folder = fetch_files(name, data_dir or None)
    console.document({"name": name, "folder": str(folder)})
    console.say(f"{name}: complete, checksums verified, in {folder}")
