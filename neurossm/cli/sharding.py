"""Running a graph on a large labeled data set over a Dask cluster, as ``run --dask`` does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neurossm.cli.console import Console
from neurossm.cli.executing import Execution, share_right
from neurossm.cli.made_for import check_task

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_converters.dask_backend import DaskOptions
    from neurossm_models.data import Dataset


@dataclass(frozen=True)
class ShardedExecution(Execution):
    """A finished run on labeled data over a cluster; its trace holds counters and no values."""

    address: str
    workers: int
    shards: int


def execute_on_dask(
    graph: Graph, data: Dataset, engine: str, options: DaskOptions, console: Console
) -> ShardedExecution:
    """Run all sequences of a data set over a cluster; raises as `dask_backend.run`."""
    from neurossm_converters.dask_backend import run

    check_task(graph, data, console)
    console.note(f"Dask: {options.address}")
    with console.progress(f"{engine} engine on Dask", len(data)) as progress:
        done = run(graph, data.inputs, data.lengths, engine, options, progress)
    return ShardedExecution(
        trace=done.trace,
        accuracy=share_right(np.argmax(done.answers, axis=1), data),
        seconds=done.seconds,
        address=options.address,
        workers=done.workers,
        shards=done.shards,
    )
