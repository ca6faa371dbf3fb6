"""Running a graph on a large labeled data set over a Dask cluster, as ``run --dask`` does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm_cli.executing import Execution, Watcher
from neurossm_cli.presentation.console import Console
from neurossm_workflows.made_for import check_task
from neurossm_workflows.parts import note_clipped
from neurossm_workflows.scoring import scored, scorer_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_converters.backends.dask import DaskOptions
    from neurossm_models.data import Dataset


@dataclass(frozen=True)
class ShardedExecution(Execution):
    """A finished run on labeled data over a cluster; its trace holds counters and no values."""

    address: str
    workers: int
    shards: int


class Taken:
    """Inputs of a data set that are read shard by shard; says how many values were clipped."""

    def __init__(self, data: Dataset) -> None:
        self._data, self._clipped = data, {0: data.clipped}
        self.shape = data.shape

    def __len__(self) -> int:
        return len(self._data)

    def __getitem__(self, part: slice) -> NDArray[np.integer[Any]]:
        taken = self._data.take(part)
        if taken.clipped:  # a shard that is sent again counts once
            self._clipped[part.start + 1] = taken.clipped
        return taken.inputs

    @property
    def clipped(self) -> int:
        """Values of all shards that were clipped."""
        return sum(self._clipped.values())


def execute_on_dask(
    graph: Graph,
    data: Dataset,
    engine: str,
    options: DaskOptions,
    console: Console,
    watchers: Sequence[Watcher] = (),
) -> ShardedExecution:
    """Run all sequences of a data set over a cluster; raises as `dask_backend.run`."""
    from neurossm_converters.backends.dask import run

    data = data.trimmed()
    check_task(graph, data, console.listener, other_data=console.other_data)
    console.note(f"Dask: {options.address}")
    scorer, taken = scorer_of(graph, data), Taken(data)

    def receive(part: slice, found: NDArray[np.float64]) -> None:
        if scorer is None and not watchers:
            return
        # labels of the next step are made of the inputs: those are read again
        own = data.take(part) if watchers or data.kind == "next-step" else data.select(part)
        if scorer is not None:
            scorer.add(found, own.labels, own.lengths)
        for watch in watchers:
            watch(part.start, own, found)

    with console.progress(f"{engine} engine on Dask", len(data)) as progress:
        done = run(graph, taken, data.lengths, engine, options, progress, receive)
    note_clipped(console.listener, taken.clipped, data)
    return ShardedExecution(
        trace=done.trace,
        scores=scored(scorer),
        seconds=done.seconds,
        clipped=taken.clipped,
        address=options.address,
        workers=done.workers,
        shards=done.shards,
    )
