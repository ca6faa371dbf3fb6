"""The worker's side: holds the graph, runs a shard, and returns its results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from distributed import Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin
from numpy.typing import NDArray

from neurossm.engine import run
from neurossm.environment import version
from neurossm.errors import TargetError
from neurossm.graph import Graph
from neurossm.metrics.answers import answers
from neurossm.store import load, save
from neurossm.temporary import temporary_folder
from neurossm.trace import Counts
from neurossm_converters.backends.dask.options import Part


@dataclass(frozen=True, eq=False)
class ShardResult:
    """What is left of a shard of S samples.

    Either answers ``(S, K)`` or ``(S, T, K)``, or values and states; and counters.
    """

    counts: Mapping[str, Counts]
    answers: NDArray[np.float64] | None
    values: Mapping[str, NDArray[Any]]
    states: Mapping[str, NDArray[Any]]


class GraphOnWorkers(WorkerPlugin):
    """The graph, as the bytes of its file; a worker that starts late gets it from the scheduler."""

    def __init__(self, graph: Graph) -> None:
        with temporary_folder("graph") as temporary, temporary.filling():
            path = temporary.path / "graph.nssm"
            save(path, graph)
            self._file = path.read_bytes()
        self._version = version("neurossm")

    def setup(self, worker: Worker) -> None:
        """Refuse a worker with another neurossm: it may compute other bits."""
        if (found := version("neurossm")) != self._version:
            raise TargetError(
                f"Dask worker {worker.address}",
                expected=f"neurossm {self._version}",
                got=found,
                remedy="install the same release on every machine",
            )

    @cached_property
    def graph(self) -> Graph:
        """The graph, read and checked once a worker, where its first shard runs."""
        with temporary_folder("graph") as temporary:
            path = temporary.path / "graph.nssm"
            with temporary.filling():
                path.write_bytes(self._file)
            return load(path)


def run_shard(
    plugin: str,
    engine: str,
    inputs: Part,
    lengths: NDArray[np.int64] | None,
    record: tuple[str, ...] | None,
) -> ShardResult:
    """Run one shard on the worker that this is called on, with one thread.

    Parameters
    ----------
    plugin
        Name of the `GraphOnWorkers`.
    inputs, lengths
        Integers ``(S, T, C)``; steps of each sequence ``(S,)``, None: all have T.
    record
        Names of the nodes whose values to send back; None: answers alone.
    """
    held = get_worker().plugins[plugin]
    assert isinstance(held, GraphOnWorkers)
    graph = held.graph
    how = f"{engine}:threads=1" if engine == "fast" else engine
    trace = run(graph, inputs, how, "outputs" if record is None else record, lengths=lengths)
    counts = dict(trace.counts)
    if record is None:
        return ShardResult(counts, answers(graph, trace), {}, {})
    return ShardResult(counts, None, dict(trace.values), dict(trace.states))
