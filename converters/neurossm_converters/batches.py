"""Runs a batch on an integer graph, by the fast engine or on a GPU; the results stay there.

Shape letters: ``B`` samples, ``L`` time steps, ``C`` channels of a node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurossm.counts import Counts
from neurossm.engine import fast
from neurossm.errors import TargetError
from neurossm.extras import lacking
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.nodes import Role
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.nodes import FORMS
from neurossm_converters.backends.gpu.program import Program
from neurossm_models.gpu.setting import CAPABLE, compiles_for

Array = NDArray[np.integer[Any]]
_CPU = "--set train.device=cpu"


@dataclass(frozen=True, eq=False)
class Sent:
    """What nodes sent in a batch, and what they counted.

    Attributes
    ----------
    values
        Name of a node to its messages, int32, (B, L, C), 0 behind the ends; the reader's own.
    last
        Of the output at the last step of each sample, int32, (B, C).
    counts
        Name of a node to its counters.
    """

    values: dict[str, Tensor]
    last: Tensor
    counts: Mapping[str, Counts]


def run_batch(
    graph: Graph,
    inputs: Array,
    names: tuple[str, ...],
    lengths: Lengths | None,
    device: Device | None,
) -> Sent:
    """Run a batch on a graph with one input and one output.

    Parameters
    ----------
    graph
        Integer, with formats that the inputs keep; neither is checked.
    inputs
        (B, L, C).
    names
        Nodes whose messages to return.
    lengths
        Steps of each sample; None: all.
    device
        Where it runs, and where the messages stay; None: the fast engine, on the CPU.

    Raises
    ------
    TargetError
        If the memory of the device does not hold the batch.
    """
    if device is None:
        return _on_cpu(graph, inputs, names, lengths)
    try:
        return _on_device(graph, inputs, names, lengths, device)
    except torch.cuda.OutOfMemoryError as error:
        raise TargetError(
            "quantization-aware training", expected=f"memory for a batch of {len(inputs)}",
            got=str(error).partition(". ")[0], remedy=f"a smaller train.batch, or {_CPU}",
        ) from None  # fmt: skip


def _on_cpu(graph: Graph, inputs: Array, names: tuple[str, ...], lengths: Lengths | None) -> Sent:
    (output,) = graph.outputs
    arrays = {graph.inputs[0]: inputs.astype(np.int64)}
    # as many threads as PyTorch has, not one for each core
    threads = torch.get_num_threads()
    trace = fast.run(graph, arrays, (*names, output), threads=threads, lengths=lengths)
    values = {name: torch.from_numpy(trace.values[name]) for name in names}
    return Sent(values, torch.from_numpy(trace.last(output)), trace.counts)


def _on_device(
    graph: Graph, inputs: Array, names: tuple[str, ...], lengths: Lengths | None, device: Device
) -> Sent:
    program, (output,) = Program.of(graph, device), graph.outputs
    samples, steps, _ = inputs.shape

    def there(array: Array) -> Tensor:
        return torch.from_numpy(array.astype(np.int32)).to(device.place)

    ends = None if lengths is None else there(lengths)
    states, counts = program.initial_states(samples), program.no_counts()
    sent = program.run({graph.inputs[0]: there(inputs)}, (*names, output), states, counts, ends)
    if ends is None:
        last = sent[output][:, -1]
    else:
        last = sent[output][torch.arange(samples, device=device.place), ends.long() - 1]
    total = samples * steps if lengths is None else int(lengths.sum())
    return Sent({name: sent[name] for name in names}, last, program.totals(counts.cpu(), total))


def check_runs_on(graph: Graph, place: torch.device) -> None:
    """Raise `TargetError` unless batches on graphs of these nodes run on a device of PyTorch.

    Parameters
    ----------
    graph
        Also a float one.
    place
        The CPU, or a GPU.
    """
    if place.type == "cpu":
        return
    expected = "an NVIDIA GPU with compute capability {}.{} or more".format(*CAPABLE)
    if place.type != "cuda":
        raise _refusal(place, expected, place.type)
    if absent := lacking("gpu"):
        raise _refusal(place, "Triton", absent)
    if not compiles_for(place):
        raise _refusal(place, expected, torch.cuda.get_device_name(place))
    for name, node in graph.nodes.items():
        if node.role is not Role.INPUT and type(node) not in FORMS:
            raise _refusal(place, "nodes that run there", f"{name!r}, a {type(node).__name__}")


def _refusal(place: torch.device, expected: str, got: str) -> TargetError:
    where = f"quantization-aware training on {place}"
    return TargetError(where, expected=expected, got=got, remedy=_CPU)
