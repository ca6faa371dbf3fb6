"""Options of a run on Dask: the cluster, and how samples are split into shards."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import whole
from neurossm.engine.cores import check_count
from neurossm.errors import InputError
from neurossm.graph import Graph

LOCAL = "local"
ADDRESS = re.compile(r"((tcp|tls|ws|wss)://)?(\[[0-9a-fA-F:.]+\]|[\w.-]+):\d{1,5}")
LARGEST_SHARD, MOST_SAMPLES = 64, 4096  # samples of a shard: by itself, and when asked for
SHARDS_A_WORKER = 4  # at least, where there are samples enough: what is lost with one is little
BYTES_SENT, BYTES_RECORDED = 4 * 2**20, 64 * 2**20  # of a shard

# of some samples: of a graph's one `Input`, or by name
Part = NDArray[np.integer[Any]] | Mapping[str, NDArray[np.integer[Any]]]


@dataclass(frozen=True)
class DaskOptions:
    """Options of ``dask``.

    Parameters
    ----------
    address
        ``local``: a cluster of processes of this machine, made for the run and bound to its own
        interface. Else the address of a scheduler, ``tcp://host:8786``.
    workers
        Processes of a local cluster, one thread each, at most 16 a core; 0: one for each core of
        this process.
    shard
        Most samples of a shard, at most 4096; 0: chosen by `shard_size`.
    engine
        What runs on the workers. Only integers are bit-identical however the samples are cut, so
        ``float`` is none of them.
    """

    address: str = LOCAL
    workers: int = 0
    shard: int = 0
    engine: Literal["fast", "reference"] = "fast"

    def __post_init__(self) -> None:
        if self.address != LOCAL and not ADDRESS.fullmatch(self.address):
            expected = "'local' or a scheduler, tcp://host:8786"
            raise InputError("address", expected=expected, got=repr(self.address))
        whole("shard", self.shard, 0, MOST_SAMPLES)
        if self.address != LOCAL and self.workers:
            raise InputError(
                "workers", problem=f"they require address=local, not address={self.address}",
                remedy="a running cluster brings its own workers",
            )  # fmt: skip
        check_count("workers", self.workers)


def shard_size(
    graph: Graph, one: Part, steps: int, samples: int, workers: int, kept: tuple[str, ...]
) -> int:
    """Return samples a shard: bounded in memory, and several shards for each worker.

    Parameters
    ----------
    one
        Inputs of one sample.
    steps, samples
        T, and how many samples there are.
    kept
        Names of the nodes whose values a worker records.
    """
    arrays = one.values() if isinstance(one, Mapping) else (one,)
    channels = sum(graph.nodes[name].out_channels for name in kept)
    sent = sum(array.nbytes for array in arrays)
    fitting: int = min(BYTES_SENT // sent, BYTES_RECORDED // max(1, 8 * channels * steps))
    several = samples // (SHARDS_A_WORKER * workers)
    return max(1, min(LARGEST_SHARD, fitting, several))
