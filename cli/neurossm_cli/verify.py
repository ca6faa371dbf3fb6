"""``neurossm verify``: replays the golden vectors that a file carries."""

from __future__ import annotations

from typing import Annotated

from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.options import ENGINE, IntegerGraph


def verify(
    graph: IntegerGraph,
    engine: Annotated[str, ENGINE] = "fast",
    json: JsonOption = False,
) -> int:
    """Replay the golden vectors of a file on any engine, bit by bit.

    Golden vectors are inputs with the values that every node must have at every time step; quantize
    writes them into the file. The exit status is 0 if all values are equal, else 1.
    """
    from neurossm_workflows.verify import verify as replay_file

    console = Console(json)
    found = replay_file(graph, engine)
    console.document(found.as_json())
    readable = f" of {found.of_nodes} (others cannot be read there)"
    console.say(
        f"{found.engine}: {plural(found.compared, 'value')} of {plural(found.nodes, 'node')}"
        f"{readable if found.nodes < found.of_nodes else ''} compared with"
        f" {plural(found.vectors, 'golden vector')},"
        f" {plural(found.mismatches, 'mismatch', 'mismatches')}"
    )
    if found.first:
        console.say(f"first mismatch (expected, got): {found.first}")
    return 0 if found.passed else 1
