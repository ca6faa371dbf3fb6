"""Lava's CPU simulator as an executor: ``--engine lava``, ``--engine lava:batch=8``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

from neurossm.arguments import whole
from neurossm.executors import Executor, Inputs, Progress, Run
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm_converters.backends.lava.options import MOST_BATCH, LavaOptions

# samples that one Lava network runs together: bit-exact, 11 times less time per sample
# (docs/explanation/lava.md); on wider networks the states of more samples leave the cache
DEFAULT_BATCH = 32


@dataclass(frozen=True)
class Options:
    """Options of ``lava``; all give bit-identical results. See `LavaOptions` for what they mean.

    Parameters
    ----------
    batch
        Batch size: samples in one network, at most 1024; 0: all samples, up to 32.
    fuse, synapses, protocol, time_limit
        As of `LavaOptions`.
    """

    renamed: ClassVar[Mapping[str, str]] = MappingProxyType({"stacked": "batch"})

    batch: int = 0
    fuse: Literal["auto", "stage", "network"] = "auto"
    synapses: Literal["auto", "lava", "dense", "sparse", "own"] = "auto"
    protocol: Literal["async", "loihi"] = "async"
    time_limit: float = 60.0

    def __post_init__(self) -> None:
        whole("batch", self.batch, 0, MOST_BATCH)
        self.how(self.together)

    @property
    def together(self) -> int:
        """The batch size; Lava's own synapses take one sample."""
        return self.batch or (DEFAULT_BATCH if self.synapses in ("auto", "own") else 1)

    def how(self, samples: int) -> LavaOptions:
        """Return how so many samples run; raises as `LavaOptions`."""
        return LavaOptions(
            protocol=self.protocol, batch=min(self.together, samples), fuse=self.fuse,
            synapses=self.synapses, time_limit=self.time_limit,
        )  # fmt: skip


def _run(
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    options: Options,
    progress: Progress,
    lengths: Lengths | None,
) -> Run:
    from neurossm_converters.backends.lava import run_timed

    how = options.how(len(next(iter(inputs.values()))))
    done = run_timed(graph, inputs, record, how, progress, lengths)
    notes = {"ran on": "Lava's CPU simulator", "processes": done.processes,
             "latency": done.latency, "network steps": done.network_steps}  # fmt: skip
    return Run(done.trace, done.stepping_seconds, done.startup_seconds, notes)


def _missing() -> str:
    from neurossm_converters.backends.lava.shim import status

    found = status()
    return f"{found.problem}; {found.remedy}" if found.problem else ""


LAVA = Executor(
    "lava", "Lava's CPU simulator, bit-true process models in a child process", _run, Options,
    missing=_missing, together=lambda options: options.together,
)  # fmt: skip
