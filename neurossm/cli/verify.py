"""``neurossm verify``: replays the golden vectors that a file carries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.cli.console import Console, JsonOption
from neurossm.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm.trace import Trace


def verify(
    graph: Annotated[Path, typer.Argument(help="An integer .nssm file.")],
    engine: Annotated[str, typer.Option(help="reference | fast | lava")] = "fast",
    json: JsonOption = False,
) -> int:
    """Replay the golden vectors of a file and compare every value of every node."""
    import numpy as np

    from neurossm.store import load, load_golden
    from neurossm.trace import Trace, compare

    console = Console(json)
    loaded = load(graph)
    vectors = load_golden(graph, loaded)
    if not vectors:
        raise InputError(f"{graph}", expected="golden vectors", got="none",
                         remedy="write the file with 'neurossm quantize'")  # fmt: skip
    compared, mismatches, first = 0, 0, ""
    for index, vector in enumerate(vectors):
        inputs = {name: array[None] for name, array in vector.inputs.items()}
        trace = run_integers(loaded, inputs, engine)
        expected = {name: array[None] for name, array in vector.values.items()}
        wanted = Trace("golden", expected, 1, vector.steps)
        result = compare(wanted, trace, loaded.order)
        compared += result.compared
        mismatches += result.mismatches
        for name, state in vector.states.items():
            compared += state.size
            mismatches += int(np.count_nonzero(state != trace.states[name][0]))
        if result.first and not first:
            first = f"vector {index}, {result.first}"
    console.document(
        {"engine": engine, "nodes": len(loaded.nodes), "vectors": len(vectors),
         "values_compared": compared, "mismatches": mismatches, "first": first or None}
    )  # fmt: skip
    console.say(
        f"{engine}: {compared:,} values of {len(loaded.nodes)} nodes compared with"
        f" {len(vectors)} golden vectors, {mismatches} mismatches"
    )
    if first:
        console.say(f"first mismatch (expected against got): {first}")
    return 1 if mismatches else 0


def run_integers(graph: Graph, inputs: dict[str, NDArray[np.int64]], engine: str) -> Trace:
    """Run an integer engine on inputs by name, every node recorded."""
    if engine == "lava":
        from neurossm_converters.lava_backend import run as run_lava

        return run_lava(graph, inputs)
    if engine not in ("reference", "fast"):
        raise InputError("--engine", expected="reference | fast | lava", got=repr(engine))
    from neurossm.engine import run

    return run(graph, inputs, engine)
