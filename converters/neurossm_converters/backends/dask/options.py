"""Where and in which portions a data set runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm.graph import Graph

LOCAL = "local"
ADDRESS = re.compile(r"((tcp|tls|ws|wss)://)?(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}")
LARGEST_SHARD = 64  # samples
SHARDS_A_WORKER = 4  # at least, where there are samples enough: what is lost with one is little
BYTES_SENT, BYTES_RECORDED = 4 * 2**20, 64 * 2**20  # of a shard


@dataclass(frozen=True)
class DaskOptions:
    """Where to run.

    Attributes
    ----------
    address
        ``local``: a cluster of processes of this machine, made for the run and bound to its own
        interface. Else the address of a scheduler, ``tcp://host:8786``.
    workers
        Processes of a local cluster, one thread each; 0: one for each core of this process.
    shard
        Most samples of a shard; 0: chosen by `shard_size`.
    """

    address: str = LOCAL
    workers: int = 0
    shard: int = 0

    def __post_init__(self) -> None:
        if self.address != LOCAL and not ADDRESS.fullmatch(self.address):
            raise InputError(
                "--dask", expected="'local' or a scheduler, tcp://host:8786", got=repr(self.address)
            )
        if self.address != LOCAL and self.workers:
            raise InputError(
                "--workers",
                expected="--dask local",
                got=f"--dask {self.address}",
                remedy="a running cluster brings its own workers",
            )
        for name in ("workers", "shard"):
            if getattr(self, name) < 0:
                raise InputError(name, expected="0 or more", got=str(getattr(self, name)))


class Inputs(Protocol):
    """Inputs that are read when they are sent: a slice of samples ``(S, T, C)`` at a time."""

    @property
    def shape(self) -> tuple[int, ...]:
        """``(B, T, C)``."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> NDArray[np.integer]: ...


def shard_size(graph: Graph, inputs: NDArray[np.integer] | Inputs, workers: int) -> int:
    """Return samples a shard: bounded in memory, and several shards for each worker.

    Parameters
    ----------
    inputs
        ``(B, T, C)``.
    """
    channels = sum(graph.nodes[name].out_channels for name in graph.outputs)
    recorded = 8 * channels * inputs.shape[1]
    fitting: int = min(BYTES_SENT // inputs[:1].nbytes, BYTES_RECORDED // recorded)
    several = len(inputs) // (SHARDS_A_WORKER * workers)
    return max(1, min(LARGEST_SHARD, fitting, several))
