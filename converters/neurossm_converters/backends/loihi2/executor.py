"""The network of a bundle as executors: ``bundle`` on Lava's CPU simulator, ``loihi2`` on chip.

Both run the bundle's script on golden vectors made of the inputs; what comes back are the integers
that the network sent, not those that it was compared with.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neurossm.executors import Executor, Inputs, Progress, Run
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.trace import Trace
from neurossm_converters.backends.loihi2.settings import Settings

if TYPE_CHECKING:
    from neurossm_converters.backends.loihi2.result import ChipRun

VALUES_BYTES = 64 * 2**20  # of all nodes, that one run of the script holds
MOST_VECTORS = 64  # that a file holds


@dataclass(frozen=True)
class BundleOptions:
    """Options of ``bundle``.

    Parameters
    ----------
    time_limit
        Seconds after which a run of the script is ended; 0: none.
    """

    time_limit: float = 0.0

    def __post_init__(self) -> None:
        self.settings()

    def settings(self) -> Settings:
        """Return them as the script takes them; raises as `Settings`."""
        return Settings("lava", time_limit=self.time_limit)


@dataclass(frozen=True)
class ChipOptions:
    """Options of ``loihi2``, as of `Settings`.

    Parameters
    ----------
    models
        Modules that register neuro-core models of our processes.
    profile
        Measure power, energy and time with Lava's profiler.
    partition, board, generation, time_limit
        Where the chip is, and how long a run may take.
    """

    models: tuple[str, ...] = ()
    profile: bool = False
    partition: str = ""
    board: str = ""
    generation: str = "N3B3"
    time_limit: float = 0.0

    def __post_init__(self) -> None:
        self.settings()

    def settings(self) -> Settings:
        """Return them as the script takes them; raises as `Settings`."""
        return Settings(
            "loihi2", models=self.models, profile=self.profile, partition=self.partition,
            board=self.board, generation=self.generation, time_limit=self.time_limit,
        )  # fmt: skip


def _simulated(
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    options: BundleOptions,
    progress: Progress,
    lengths: Lengths | None,
) -> Run:
    done = _run(graph, inputs, record, options, progress, lengths)
    # the script writes what neurons send; an `Input` sends what it is fed
    fed = {name: inputs[name] for name in record if name in inputs}
    return replace(done, trace=replace(done.trace, values={**fed, **done.trace.values}))


def _run(
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    options: BundleOptions | ChipOptions,
    progress: Progress,
    lengths: Lengths | None,
) -> Run:
    samples, steps = next(iter(inputs.values())).shape[:2]
    channels = sum(node.out_channels for node in graph.nodes.values())
    size = min(MOST_VECTORS, max(1, VALUES_BYTES // (8 * channels * steps)))
    runs = []
    for start in range(0, samples, size):
        part = slice(start, min(start + size, samples))
        own = None if lengths is None else lengths[part]
        arrays = {name: array[part] for name, array in inputs.items()}
        runs.append(_on_script(graph, arrays, options.settings(), own))
        progress(part.stop - part.start)
    return _joined(runs, record, samples, steps, lengths)


def _on_script(
    graph: Graph, inputs: Inputs, settings: Settings, lengths: Lengths | None
) -> ChipRun:
    from neurossm.engine import run
    from neurossm.store import Golden, save
    from neurossm.temporary import temporary_folder
    from neurossm_converters.backends.loihi2 import script

    # the script wants to know what must come out, and compares
    expected = run(graph, inputs, "fast", lengths=lengths)
    vectors = tuple(Golden.from_trace(inputs, expected, i) for i in range(expected.samples))
    with temporary_folder("bundle") as temporary:
        path = temporary.path / "graph.nssm"
        with temporary.filling():
            save(path, graph, vectors)
        return script.run(path, settings)


def _joined(
    runs: list[ChipRun],
    record: tuple[str, ...],
    samples: int,
    steps: int,
    lengths: Lengths | None,
) -> Run:
    """Return one run of all samples, as long as the inputs."""
    first, last = runs[0], runs[-1]
    values = {
        name: np.concatenate([_long(one.values[name], steps) for one in runs])
        for name in record if name in first.values
    }  # fmt: skip
    # of a chip the states are those of the last sample, where all are equally long
    states: Mapping[str, np.ndarray] = {}
    if all(len(state) == len(one.lengths) for one in runs for state in one.states.values()):
        states = {name: np.concatenate([one.states[name] for one in runs]) for name in last.states}
    elif lengths is None:
        states = {name: state[-1:] for name, state in last.states.items()}
    notes = {"ran on": first.ran_on, "latency": first.latency, "models": dict(first.models),
             "processes": first.processes,
             "network steps": sum(one.network_steps for one in runs)}  # fmt: skip
    if first.profile:
        notes["profile"] = dict(first.profile)
    trace = Trace("bundle", values, samples, steps, states, lengths=lengths)
    return Run(trace, sum(one.seconds for one in runs), notes=notes)


def _long(values: np.ndarray, steps: int) -> np.ndarray:
    return np.pad(values, ((0, 0), (0, steps - values.shape[1]), (0, 0)))


def _missing() -> str:
    from neurossm_converters.backends.lava.shim import status

    found = status()
    return f"{found.problem}; {found.remedy}" if found.problem else ""


def _missing_chip() -> str:
    from neurossm_converters.backends.lava.shim import status

    if not status().loihi_installed:
        return (
            "lava-loihi is missing, the closed package for members of Intel's INRC;"
            " 'neurossm deploy' writes a bundle for a machine that has it"
        )
    return _missing()


BUNDLE = Executor(
    "bundle", "the network of a deployment bundle, on Lava's CPU simulator", _simulated,
    BundleOptions, missing=_missing, counters=False,
)  # fmt: skip
LOIHI2 = Executor(
    "loihi2", "the network of a deployment bundle, on a Loihi 2", _run, ChipOptions,
    missing=_missing_chip, counters=False, inside=False,
)  # fmt: skip
