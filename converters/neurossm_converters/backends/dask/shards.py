"""Sends shards to a cluster, a few at a time, and collects the results; none is lost.

A shard travels with its task and not as data of the cluster: Dask repeats a lost task, not lost
data. What it gives up (a task whose workers die one after the other) is sent again a few times.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from dataclasses import dataclass

import numpy as np
from distributed import Client, Future, KilledWorker, wait
from numpy.typing import NDArray

from neurossm.errors import TargetError
from neurossm_converters.backends.dask.cluster import no_workers
from neurossm_converters.backends.dask.options import Part
from neurossm_converters.backends.dask.worker import ShardResult, run_shard

IN_FLIGHT = 2  # shards a thread: one that runs, one that waits beside it
ATTEMPTS = 3
SECONDS_WITHOUT_WORKERS = 60


@dataclass(frozen=True, eq=False)
class Shards:
    """A data set on its way through a cluster.

    Attributes
    ----------
    client, address
        The cluster, and how the user called it.
    plugin
        Name of the graph on the workers.
    engine
        ``fast`` or ``reference``.
    read, lengths
        Gives the inputs of a slice of the samples; steps of each sequence ``(B,)``, None: all have
        T.
    record
        As of `run_shard`.
    """

    client: Client
    address: str
    plugin: str
    engine: str
    read: Callable[[slice], Part]
    lengths: NDArray[np.int64] | None
    record: tuple[str, ...] | None

    def results(self, parts: list[slice]) -> Iterator[tuple[slice, ShardResult]]:
        """Run parts of the samples; yield the result of each, in the order in which they end.

        Raises
        ------
        TargetError
            If the scheduler ends, there are no workers for long, or a part kills its workers.
        """
        waiting = deque((part, 1) for part in parts)
        running: dict[Future[ShardResult], tuple[slice, int]] = {}
        while waiting or running:
            room = IN_FLIGHT * max(1, sum(self.client.nthreads().values()))
            while waiting and len(running) < room:
                part, attempt = waiting.popleft()
                running[self._submit(part)] = part, attempt
            for future in self._ended(running):
                part, attempt = running.pop(future)
                try:
                    result = future.result()
                except KilledWorker:
                    if attempt == ATTEMPTS:
                        raise _deadly(part) from None
                    waiting.append((part, attempt + 1))
                except CancelledError:
                    raise self._gone() from None
                else:
                    yield part, result

    def _submit(self, part: slice) -> Future[ShardResult]:
        key = f"{self.plugin}-{part.start}-{secrets.token_hex(4)}"
        lengths = None if self.lengths is None else self.lengths[part]
        # no padding travels that the shard does not need
        inputs = _cut(self.read(part), None if lengths is None else int(lengths.max()))
        return self.client.submit(
            run_shard, self.plugin, self.engine, inputs, lengths, self.record, key=key
        )

    def _ended(self, running: Mapping[Future[ShardResult], object]) -> list[Future[ShardResult]]:
        """Wait until one or more have ended; give up where there is nobody to end them."""
        alone_since = None
        while not (ended := [future for future in running if future.done()]):
            try:
                with self.client.as_current():
                    wait(list(running), timeout=1, return_when="FIRST_COMPLETED")
            except TimeoutError:
                if self.client.status != "running":
                    raise self._gone() from None
                now = time.monotonic()
                alone_since = None if self.client.nthreads() else alone_since or now
                if alone_since and now - alone_since > SECONDS_WITHOUT_WORKERS:
                    raise no_workers(self.address, SECONDS_WITHOUT_WORKERS) from None
            except CancelledError:
                raise self._gone() from None
        return ended

    def _gone(self) -> TargetError:
        return TargetError(
            f"Dask at {self.address}",
            expected="a scheduler that stays",
            got="one that ended during the run",
        )


def _cut(inputs: Part, steps: int | None) -> Part:
    if isinstance(inputs, Mapping):
        return {name: array[:, :steps] for name, array in inputs.items()}
    return inputs[:, :steps]


def _deadly(part: slice) -> TargetError:
    return TargetError(
        f"samples {part.start} to {part.stop - 1}",
        expected="workers that survive them",
        got="one death after another",
        remedy="give the workers more memory",
    )
