"""``neurossm results``: measures published checkpoints and writes the table of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation import completing
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.options import DataDirOption
from neurossm_cli.presentation.paths import writes_into


def results(
    checkpoints: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME",
            help="Checkpoints of the folder (default: all).",
            autocompletion=completing.checkpoint,
        ),
    ] = None,
    limit: Annotated[
        int,
        typer.Option(metavar="N", help="Test sequences for the integer network; 0: all."),
    ] = 0,
    folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Folder of checkpoints, results.json and README.md (default: the package's).",
        ),
        writes_into("results.json", "README.md"),
    ] = None,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Measure published checkpoints and update the table of results."""
    from dataclasses import asdict

    from neurossm_models.train import CHECKPOINTS
    from neurossm_models.train.results import read_results, updated, write_results, write_table
    from neurossm_workflows.results import measure_checkpoint

    if limit < 0:
        raise InputError("--limit", expected="at least 0", got=str(limit))
    console, home = Console(json), folder or CHECKPOINTS
    names = checkpoints or sorted(path.parent.name for path in home.glob("*/test.json"))
    if not names:
        raise InputError(str(home), expected="published checkpoints", got="none")
    for name in names:
        measured = measure_checkpoint(home / name, limit, data_dir, console.listener)
        # At once: the next one may take an hour, or fail.
        found = updated(read_results(home / "results.json"), measured)
        write_results(home / "results.json", found)
        write_table(home / "README.md", found)
        console.say(
            f"{name}: float {measured.accuracy_float:.2%}, integer {measured.accuracy:.2%}"
            f" of {measured.test_sequences_int:,} test sequences"
        )
    console.document(
        {"results": [asdict(result) for result in read_results(home / "results.json")]}
    )
    console.say(f"{home / 'results.json'}: {len(names)} updated")
