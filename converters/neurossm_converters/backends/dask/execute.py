"""Runs a data set on an integer graph over a Dask cluster.

Samples do not know of each other and counters are whole numbers, so a run that is cut into shards
is the run itself, bit for bit.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm import contract
from neurossm.errors import InputError
from neurossm.extras import explained
from neurossm.graph import Graph
from neurossm.lengths import checked_lengths
from neurossm.trace import Counts, Trace
from neurossm_converters.backends.dask.options import DaskOptions, Inputs, shard_size

ENGINES = ("fast", "reference")
Receiver = Callable[[slice, NDArray[np.float64]], None]


@dataclass(frozen=True, eq=False)
class DaskRun:
    """A finished run.

    Attributes
    ----------
    trace
        Counters of all samples; no values were kept.
    answers
        Of each sequence, ``(B, K)`` or ``(B, T, K)``, see `neurossm.metrics.answers`; None where
        somebody received them.
    seconds
        From the first shard sent to the last result; the workers load the graph in that time.
    workers, shards
        Workers at the end, and shards.
    """

    trace: Trace
    answers: NDArray[np.float64] | None
    seconds: float
    workers: int
    shards: int


def run(
    graph: Graph,
    inputs: NDArray[np.integer] | Inputs,
    lengths: NDArray[np.integer] | None = None,
    engine: str = "fast",
    options: DaskOptions | None = None,
    progress: Callable[[int], None] | None = None,
    receive: Receiver | None = None,
) -> DaskRun:
    """Run all sequences of a data set on an integer graph with one `Input`.

    Parameters
    ----------
    inputs
        Integers ``(B, T, C)``: an array, or what reads a slice of samples when it is sent.
    lengths
        Steps of each sequence, ``(B,)``, 1 to T; None: all have T. What comes behind is neither run
        nor counted, and the answer is the one of the last step.
    engine
        ``fast`` or ``reference``, one thread a shard.
    progress
        Called with the number of samples done since the last call.
    receive
        Called with a slice of samples and their answers, in the order of samples; then none are
        kept.

    Raises
    ------
    InputError, GraphError, RangeError
        As `neurossm.engine.run`; and for the float engine, whose sums depend on the shards.
    TargetError
        If Dask is missing; if the cluster does not answer, has no workers, or loses a shard again
        and again.
    """
    if engine not in ENGINES:
        raise InputError(
            "--engine with --dask",
            expected=" | ".join(ENGINES),
            got=repr(engine),
            remedy="only integers are the same bits however the samples are cut",
        )
    with explained():
        import distributed  # noqa: F401

        from neurossm_converters.backends.dask.cluster import connected, graph_sent
        from neurossm_converters.backends.dask.shards import Shards

    contract.require(graph)
    own = checked_lengths(lengths, *inputs.shape[:2])
    options = options or DaskOptions()
    with connected(options) as client, graph_sent(client, graph) as plugin:
        size = options.shard or shard_size(graph, inputs, len(client.nthreads()))
        parts = [slice(i, min(i + size, len(inputs))) for i in range(0, len(inputs), size)]
        shards = Shards(client, options.address, plugin, engine, inputs, own)
        answers: dict[int, NDArray[np.float64]] = {}
        waiting = list(parts)
        totals = {node: Counts() for node in graph.nodes}
        started = time.perf_counter()
        for part, result in shards.results(parts):
            answers[part.start] = _padded(result.answers, inputs.shape[1])
            while receive and waiting and waiting[0].start in answers:
                receive(waiting[0], answers.pop(waiting.pop(0).start))
            totals = {node: totals[node] + result.counts[node] for node in totals}
            if progress:
                progress(part.stop - part.start)
        return DaskRun(
            trace=Trace(engine, {}, len(inputs), inputs.shape[1], counts=totals, lengths=own),
            answers=None if receive else np.concatenate([answers[p.start] for p in parts]),
            seconds=time.perf_counter() - started,
            workers=len(client.nthreads()),
            shards=len(parts),
        )


def _padded(found: NDArray[np.float64], steps: int) -> NDArray[np.float64]:
    """Return answers at every step as long as the inputs; the padding did not travel."""
    if found.ndim < 3 or found.shape[1] == steps:
        return found
    return np.pad(found, ((0, 0), (0, steps - found.shape[1]), (0, 0)))
