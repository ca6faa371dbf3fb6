"""From the result file of the worker to a checked `Trace`."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from neurossm.errors import TargetError
from neurossm.graph import Graph
from neurossm.nodes import Embedding, Weighted
from neurossm.trace import Counts, Trace
from neurossm_converters.backends.lava.job import Job
from neurossm_converters.backends.lava.orders import RESULT
from neurossm_converters.backends.lava.record import Integers


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
        "saturations": ("i", (len(graph.order),)),
    }
    values, states = {}, {}
    for index, name in enumerate(graph.order):
        expected[f"fired.{index}"] = ("i", (graph.nodes[name].out_channels,))
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
    fired = {name: arrays[f"fired.{index}"] for index, name in enumerate(graph.order)}
    trace = Trace(
        "lava",
        {name: arrays[values[name]].astype(np.int64) for name in job.recorded},
        samples,
        steps,
        {name: arrays[key].astype(np.int64) for name, key in states.items()},
        {
            name: _counts(graph, name, int(saturations), fired, job.real_steps)
            for name, saturations in zip(graph.order, arrays["saturations"], strict=True)
        },
        lengths=job.lengths,
    )
    return trace, float(arrays["seconds"][0])


def _counts(
    graph: Graph, name: str, saturations: int, fired: Mapping[str, Integers], runs: int
) -> Counts:
    """Return the counters of a node from what it and those before it have sent.

    `fired` are the messages of each node that are not zero, by channel; `runs` the steps of all
    samples. Every token is a message, 0 too.
    """
    node, sources = graph.nodes[name], graph.sources[name]
    spikes_in = sum(int(fired[source].sum()) for source in sources)
    syn_ops = multiplies = 0
    if isinstance(node, Weighted):
        for source in sources:
            made, fmt = int(fired[source] @ node.fan_out), graph.nodes[source].out
            syn_ops += made
            if fmt is not None and not fmt.is_spike and not node.only_adds:
                multiplies += made
    elif isinstance(node, Embedding):
        spikes_in, syn_ops = runs, runs * node.out_channels
    spikes_out = runs if name in graph.vocabularies else int(fired[name].sum())
    return Counts(
        syn_ops=syn_ops,
        synaptic_multiplies=multiplies,
        dendrite_updates=runs * node.updates,
        spikes_in=spikes_in,
        axon_out=spikes_out * len(graph.targets[name]),
        spikes_out=spikes_out,
        saturations=saturations,
    )
