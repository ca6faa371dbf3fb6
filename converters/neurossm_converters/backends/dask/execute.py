"""Runs samples on an integer graph over a Dask cluster.

Samples do not know of each other and counters are whole numbers, so a run that is cut into shards
is the run itself, bit-exactly.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.executors import Inputs, Progress, Run, Source
from neurossm.extras import explained
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.trace import Trace, joined_traces
from neurossm_converters.backends.dask.options import DaskOptions, Part, shard_size


def stream(
    graph: Graph, source: Source, options: DaskOptions, progress: Progress
) -> Generator[tuple[slice, Run], None, None]:
    """Run many samples on a graph with one `Input`; yield answers and counters of each shard.

    Inputs are read when they are sent, a few shards at a time.

    Raises
    ------
    InputError, RangeError
        As `neurossm.engine.run`, of a shard.
    TargetError
        If Dask is missing; if the cluster does not answer, has no workers, or loses a shard again
        and again.
    """
    return _runs(
        graph, source.__getitem__, source.shape[:2], source.lengths, None, options, progress
    )


def run(
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    options: DaskOptions,
    progress: Progress,
    lengths: Lengths | None,
) -> Run:
    """Run samples with the values of nodes, see `neurossm.executors`; raises as `stream`."""
    samples, steps = next(iter(inputs.values())).shape[:2]

    def read(part: slice) -> Part:
        return {name: array[part] for name, array in inputs.items()}

    size = (samples, steps)
    runs = [one for _, one in _runs(graph, read, size, lengths, record, options, progress)]
    trace = joined_traces([one.trace for one in runs])
    return Run(trace, sum(one.seconds for one in runs), runs[0].startup_seconds, runs[-1].notes)


def _runs(
    graph: Graph,
    read: Callable[[slice], Part],
    size: tuple[int, int],
    lengths: Lengths | None,
    record: tuple[str, ...] | None,
    options: DaskOptions,
    progress: Progress,
) -> Generator[tuple[slice, Run], None, None]:
    """Yield the shards in the order of samples; the time of each is that since the one before."""
    with explained():
        import distributed  # noqa: F401

        from neurossm_converters.backends.dask.cluster import connected, graph_sent
        from neurossm_converters.backends.dask.shards import Shards

    (samples, steps), began = size, time.perf_counter()
    with connected(options) as client, graph_sent(client, graph) as plugin:
        kept = graph.outputs if record is None else record
        workers = len(client.nthreads())
        shard = options.shard or shard_size(
            graph, read(slice(0, 1)), steps, samples, workers, kept
        )  # fmt: skip
        parts = [slice(i, min(i + shard, samples)) for i in range(0, samples, shard)]
        shards = Shards(client, options.address, plugin, options.engine, read, lengths, record)
        waiting, ended = list(parts), {}
        since = time.perf_counter()
        startup = since - began
        for part, result in shards.results(parts):
            ended[part.start] = result
            progress(part.stop - part.start)
            while waiting and waiting[0].start in ended:
                part = waiting.pop(0)
                result, now = ended.pop(part.start), time.perf_counter()
                own = None if lengths is None else lengths[part]
                values = {name: _padded(array, steps) for name, array in result.values.items()}
                trace = Trace("dask", values, part.stop - part.start, steps, result.states,
                              result.counts, lengths=own)  # fmt: skip
                notes = {"ran on": "Dask", "address": options.address,
                         "workers": len(client.nthreads()), "shards": len(parts)}  # fmt: skip
                found = None if result.answers is None else _padded(result.answers, steps)
                yield part, Run(trace, now - since, startup, notes, found)
                since, startup = now, 0.0


def _padded(found: NDArray[Any], steps: int) -> NDArray[Any]:
    """Return what there is at every step as long as the inputs; the padding did not travel."""
    if found.ndim < 3 or found.shape[1] == steps:
        return found
    return np.pad(found, ((0, 0), (0, steps - found.shape[1]), (0, 0)))
