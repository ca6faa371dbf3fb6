"""From the files of the processes to one result file, and from that to a checked `Trace`."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import TargetError
from neurossm.fixed import Quantized
from neurossm.graph import Graph
from neurossm.nodes import Affine
from neurossm.trace import Counts, Trace
from neurossm_converters.backends.lava.job import RESULT, Job
from neurossm_converters.backends.lava.record import Integers

COUNTERS = tuple(item.name for item in fields(Counts))


@dataclass(frozen=True)
class Summary:
    """What one process wrote at its end; see `record.Recorder`."""

    counters: Integers
    fired: Integers
    span: NDArray[np.float64]
    states: dict[str, Integers]


def collect(job: Job, folder: Path) -> None:
    """Write the result file from the files of all processes; in the worker."""
    graph = job.graph
    summaries = {name: _summary(folder, index) for index, name in enumerate(graph.order)}
    runs = job.real_steps
    counts = {name: _counts(graph, name, summaries, runs) for name in graph.order}
    spans = np.array([summary.span for summary in summaries.values()])
    arrays: dict[str, NDArray[np.generic]] = {
        "seconds": np.array([spans[:, 1].max() - spans[:, 0].min()]),
        "counts": np.array([[getattr(counts[n], c) for c in COUNTERS] for n in graph.order]),
    }
    for index, name in enumerate(graph.order):
        for key, array in summaries[name].states.items():
            arrays[f"{key}.{index}"] = array
        if name in job.recorded:
            path = folder / f"node.{index}.values"
            arrays[f"value.{index}"] = np.load(path, mmap_mode="r", allow_pickle=False)
    np.savez(folder / RESULT, allow_pickle=False, **arrays)


def read(job: Job, folder: Path) -> tuple[Trace, float]:
    """Read and check the result file; return the trace and the seconds of stepping.

    Raises
    ------
    TargetError
        If an array is missing, superfluous, or has another type or shape than the job implies.
    """
    graph, samples, steps = job.graph, job.samples, job.steps
    try:
        with np.load(folder / RESULT, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise TargetError("Lava's result", expected="a result file", got=str(error)) from None
    expected: dict[str, tuple[str, tuple[int, ...]]] = {
        "seconds": ("f", (1,)),
        "counts": ("i", (len(graph.order), len(COUNTERS))),
    }
    values, states = {}, {}
    for index, name in enumerate(graph.order):
        for part, state in graph.nodes[name].initial_state(samples).items():
            states[f"{name}.{part}"] = f"state.{part}.{index}"
            expected[f"state.{part}.{index}"] = ("i", state.shape)
        if name in job.recorded:
            values[name] = f"value.{index}"
            shape = (samples, steps, graph.nodes[name].out_channels)
            expected[f"value.{index}"] = ("i", shape)
    found = {key: (array.dtype.kind, array.shape) for key, array in arrays.items()}
    if found != expected:
        wrong = min(key for key in {**found, **expected} if found.get(key) != expected.get(key))
        raise TargetError(
            f"Lava's result {wrong!r}", expected=str(expected.get(wrong)), got=str(found.get(wrong))
        )
    trace = Trace(
        "lava",
        {name: arrays[values[name]].astype(np.int64) for name in job.recorded},
        samples,
        steps,
        {name: arrays[key].astype(np.int64) for name, key in states.items()},
        {
            name: Counts(*(int(number) for number in row))
            for name, row in zip(graph.order, arrays["counts"], strict=True)
        },
        lengths=job.lengths,
    )
    return trace, float(arrays["seconds"][0])


def _summary(folder: Path, index: int) -> Summary:
    with np.load(folder / f"node.{index}.summary", allow_pickle=False) as file:
        states = {key: file[key] for key in file.files if key.startswith("state.")}
        return Summary(file["counters"], file["fired"], file["span"], states)


def _counts(graph: Graph, name: str, summaries: dict[str, Summary], runs: int) -> Counts:
    """Return the counters of a node: its own, and of its synapses what the senders counted.

    `runs` are the steps of all samples.
    """
    node, own = graph.nodes[name], summaries[name]
    saturations, spikes_in, dendrite_updates, syn_ops = (int(number) for number in own.counters)
    multiplies = 0
    if isinstance(node, Affine):
        # Lava's Dense counts nothing, but each message that was sent to it has been counted
        assert isinstance(node.weight, Quantized)
        fan_out = np.count_nonzero(node.weight.values, axis=0)
        for source in graph.sources[name]:
            fired, fmt = summaries[source].fired, graph.nodes[source].out
            spikes_in += int(fired.sum())
            syn_ops += int(fired @ fan_out)
            if fmt is not None and not fmt.is_spike and not node.only_adds:
                multiplies += int(fired @ fan_out)
    # every token is a message, 0 too
    spikes_out = runs if name in graph.vocabularies else int(own.fired.sum())
    return Counts(
        syn_ops=syn_ops,
        synaptic_multiplies=multiplies,
        dendrite_updates=dendrite_updates,
        spikes_in=spikes_in,
        axon_out=spikes_out * len(graph.targets[name]),
        spikes_out=spikes_out,
        saturations=saturations,
    )
