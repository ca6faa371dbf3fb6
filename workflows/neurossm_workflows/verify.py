"""Replays golden vectors: every value of every node, and the final states."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurossm.arguments import file_path
from neurossm.comparison import compare
from neurossm.engine import execute
from neurossm.errors import FormatError, InputError
from neurossm.executors import choose
from neurossm.store import load, load_golden, missing_golden
from neurossm.trace import Trace
from neurossm_workflows.quantize import Quantized

if TYPE_CHECKING:
    from neurossm.executors import Engine
    from neurossm.graph import Graph
    from neurossm.store import Golden


@dataclass(frozen=True)
class Verified:
    """What became of golden vectors.

    Attributes
    ----------
    engine
        What ran, as typed after ``--engine``.
    nodes, of_nodes
        Nodes that were compared, of how many: an executor may show its outputs only.
    vectors, compared, mismatches
        Golden vectors, values, and how many differ.
    first
        Where the first one is; empty: none.
    """

    engine: str
    nodes: int
    of_nodes: int
    vectors: int
    compared: int
    mismatches: int
    first: str

    @property
    def passed(self) -> bool:
        """Whether everything is equal."""
        return not self.mismatches

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {"engine": self.engine, "nodes": self.nodes, "vectors": self.vectors,
                "values_compared": self.compared, "mismatches": self.mismatches,
                "first": self.first or None}  # fmt: skip


def verify(graph: Quantized | str | Path, engine: str | Engine = "fast") -> Verified:
    """Replay golden vectors and compare every value of every node.

    Parameters
    ----------
    graph
        The file of an integer graph with golden vectors, or what `quantize` returned.
    engine
        Executor with its options, as `neurossm.run` takes it.

    Raises
    ------
    InputError
        For an engine of real numbers, or a graph without vectors.
    FormatError
        If a vector has other states than the graph.

    Examples
    --------
    >>> neurossm.verify("m.int.nssm", engine="lava").passed
    True
    """
    chosen = choose(engine, "--engine")
    if not chosen.executor.exact:
        raise InputError("--engine", expected="an executor of integers, such as fast",
                         got=f"{str(chosen)!r}, of real numbers")  # fmt: skip
    if isinstance(graph, Quantized):
        return replay(graph.graph, graph.golden, chosen, "the graph")
    path = file_path("graph", graph)
    loaded = load(path)
    vectors = load_golden(path, loaded)
    if not vectors:
        raise missing_golden(Path(graph), loaded)
    return replay(loaded, vectors, chosen, str(graph))


def replay(graph: Graph, vectors: Sequence[Golden], engine: Engine, where: str) -> Verified:
    """Run golden vectors, padded to the longest, in one run; compare values and final states.

    Raises
    ------
    FormatError
        If a vector has other states than the graph.
    """
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
    return Verified(str(engine), len(result.rows), len(graph.nodes), len(vectors), compared,
                    mismatches, first)  # fmt: skip
