"""``neurossm verify``: replays the golden vectors that a file carries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import FormatError, InputError
from neurossm_cli.console import ENGINE, Console, JsonOption
from neurossm_cli.paths import READS

if TYPE_CHECKING:
    from neurossm.executors import Engine
    from neurossm.graph import Graph
    from neurossm.store import Golden


@dataclass(frozen=True)
class Verified:
    """What became of golden vectors: nodes and values compared, mismatches, where the first is."""

    nodes: int
    compared: int
    mismatches: int
    first: str


def verify(
    graph: Annotated[Path, typer.Argument(help="An integer .nssm file."), READS],
    engine: Annotated[str, ENGINE] = "fast",
    json: JsonOption = False,
) -> int:
    """Replay the golden vectors of a file and compare every value of every node."""
    from neurossm.executors import choose
    from neurossm.store import load, load_golden, missing_golden

    console = Console(json)
    chosen = choose(engine, "--engine")
    if not chosen.executor.exact:
        raise InputError("--engine", expected="an executor of integers, such as fast",
                         got=f"{str(chosen)!r}, of real numbers")  # fmt: skip
    loaded = load(graph)
    vectors = load_golden(graph, loaded)
    if not vectors:
        raise missing_golden(graph, loaded)
    found = replay(loaded, vectors, chosen, str(graph))
    nodes = len(loaded.nodes)
    console.document(
        {"engine": str(chosen), "nodes": found.nodes, "vectors": len(vectors),
         "values_compared": found.compared, "mismatches": found.mismatches,
         "first": found.first or None}
    )  # fmt: skip
    readable = "" if found.nodes == nodes else f" of {nodes}, all that can be read there,"
    console.say(
        f"{chosen}: {found.compared:,} values of {found.nodes} nodes{readable} compared with"
        f" {len(vectors)} golden vectors, {found.mismatches} mismatches"
    )
    if found.first:
        console.say(f"first mismatch (expected against got): {found.first}")
    return 1 if found.mismatches else 0


def replay(graph: Graph, vectors: Sequence[Golden], engine: Engine, where: str) -> Verified:
    """Run golden vectors, padded to the longest, in one run; compare values and final states.

    Raises
    ------
    FormatError
        If a vector has other states than the graph.
    """
    import numpy as np

    from neurossm.comparison import compare
    from neurossm.engine import execute
    from neurossm.trace import Trace

    ends = np.array([vector.steps for vector in vectors])
    size = (len(vectors), int(ends.max()))

    def padded(part: str, names: Sequence[str]) -> dict[str, np.ndarray]:
        whole = {}
        for name in names:
            arrays = [getattr(vector, part)[name] for vector in vectors]
            whole[name] = np.zeros((*size, arrays[0].shape[1]), np.int64)
            for row, array in zip(whole[name], arrays, strict=True):
                row[: len(array)] = array
        return whole

    trace = execute(graph, padded("inputs", graph.inputs), engine, lengths=ends).trace
    golden = Trace("golden", padded("values", graph.order), *size, lengths=ends)
    result, first = compare(golden, trace, graph.order), ""
    if one := result.first:
        first = (f"vector {one.sample}, {one.node!r}, step {one.step}, channel {one.channel}:"
                 f" {one.left:g} against {one.right:g}")  # fmt: skip
    compared, mismatches = result.compared, result.mismatches
    shapes = {name: state.shape[1:] for name, state in trace.states.items()}
    everything = engine.executor.inside
    for index, vector in enumerate(vectors):
        found = {
            name: state.shape
            for name, state in vector.states.items()
            if everything or name in shapes
        }
        if found != shapes:
            raise FormatError(f"{where}: golden vector {index} states", expected=str(shapes),
                              got=str(found))  # fmt: skip
        for name, states in trace.states.items():
            row = index - len(vectors) + len(states)
            if row < 0:
                continue  # a chip is asked once, at the end: for the last vector's
            differ = int(np.count_nonzero(vector.states[name] != states[row]))
            compared, mismatches = compared + states[row].size, mismatches + differ
            if differ and not first:
                first = f"vector {index}, state {name!r} after the last step"
    return Verified(len(result.rows), compared, mismatches, first)
