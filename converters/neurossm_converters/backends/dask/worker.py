"""What happens on a worker: it holds the graph, runs a shard and sends back what is left of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

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


@dataclass(frozen=True, eq=False)
class ShardResult:
    """What is left of a shard: answers ``(S, K)`` of its sequences, and counters."""

    answers: NDArray[np.float64]
    counts: Mapping[str, Counts]


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
    plugin: str, engine: str, inputs: NDArray[np.integer], lengths: NDArray[np.int64] | None
) -> ShardResult:
    """Run one shard on the worker that this is called on, with one thread.

    Parameters
    ----------
    plugin
        Name of the `GraphOnWorkers`.
    inputs, lengths
        Integers ``(S, T, C)``; steps of each sequence ``(S,)``, None: all have T.
    """
    held = get_worker().plugins[plugin]
    assert isinstance(held, GraphOnWorkers)
    graph = held.graph
    trace = run(graph, inputs, engine, "outputs", threads=1, lengths=lengths)
    return ShardResult(answers(graph, trace), dict(trace.counts))
