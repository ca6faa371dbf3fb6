"""``neurossm verify``: replays the golden vectors that a file carries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation.console import ENGINE, Console, JsonOption
from neurossm_cli.presentation.paths import READS


def verify(
    graph: Annotated[Path, typer.Argument(help="An integer .nssm file."), READS],
    engine: Annotated[str, ENGINE] = "fast",
    json: JsonOption = False,
) -> int:
    """Replay the golden vectors of a file and compare every value of every node."""
    from neurossm_workflows.verify import verify as replay_file

    console = Console(json)
    found = replay_file(graph, engine)
    console.document(found.as_json())
    readable = f" of {found.of_nodes}, all that can be read there,"
    console.say(
        f"{found.engine}: {found.compared:,} values of {found.nodes} nodes"
        f"{readable if found.nodes < found.of_nodes else ''} compared with"
        f" {found.vectors} golden vectors, {found.mismatches} mismatches"
    )
    if found.first:
        console.say(f"first mismatch (expected against got): {found.first}")
    return 0 if found.passed else 1
