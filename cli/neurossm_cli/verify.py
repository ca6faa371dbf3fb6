"""``neurossm verify``: replays the golden vectors that a file carries."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import FormatError, InputError
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.paths import READS

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm.store import Golden
    from neurossm.trace import Trace


def verify(
    graph: Annotated[Path, typer.Argument(help="An integer .nssm file."), READS],
    engine: Annotated[str, typer.Option(help="reference | fast | lava")] = "fast",
    json: JsonOption = False,
) -> int:
    """Replay the golden vectors of a file and compare every value of every node."""
    from neurossm.store import load, load_golden, missing_golden

    console = Console(json)
    loaded = load(graph)
    vectors = load_golden(graph, loaded)
    if not vectors:
        raise missing_golden(graph, loaded)
    compared, mismatches, first = 0, 0, ""
    for index, vector in enumerate(vectors):
        result = replay(loaded, vector, engine, f"{graph}: golden vector {index}")
        compared += result[0]
        mismatches += result[1]
        if result[2] and not first:
            first = f"vector {index}, {result[2]}"
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


def replay(graph: Graph, vector: Golden, engine: str, where: str) -> tuple[int, int, str]:
    """Run one golden vector; return values compared, mismatches and where the first one is."""
    import numpy as np

    from neurossm.comparison import compare
    from neurossm.trace import Trace

    inputs = {name: array[None] for name, array in vector.inputs.items()}
    trace = run_integers(graph, inputs, engine)
    expected = {name: array[None] for name, array in vector.values.items()}
    result = compare(Trace("golden", expected, 1, vector.steps), trace, graph.order)
    compared, mismatches = result.compared, result.mismatches
    first = str(result.first) if result.first else ""
    shapes = {name: state.shape[1:] for name, state in trace.states.items()}
    golden_shapes = {name: state.shape for name, state in vector.states.items()}
    if golden_shapes != shapes:
        raise FormatError(f"{where} states", expected=str(shapes), got=str(golden_shapes))
    for name, state in vector.states.items():
        differ = int(np.count_nonzero(state != trace.states[name][0]))
        compared += state.size
        mismatches += differ
        if differ and not first:
            first = f"state {name!r} after the last step"
    return compared, mismatches, first


def run_integers(graph: Graph, inputs: dict[str, NDArray[np.int64]], engine: str) -> Trace:
    """Run an integer engine on inputs by name, every node recorded."""
    if engine == "lava":
        from neurossm_converters.backends.lava import run as run_lava

        return run_lava(graph, inputs)
    if engine not in ("reference", "fast"):
        raise InputError("--engine", expected="reference | fast | lava", got=repr(engine))
    from neurossm.engine import run

    return run(graph, inputs, engine)
