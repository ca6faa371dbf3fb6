"""Runs samples of an integer graph on a GPU, in batches that fit its memory; bit-identical."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurossm.engine.inputs import padded_inputs
from neurossm.errors import TargetError
from neurossm.executors import Inputs, Progress, Run, Source
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.metrics.answers import answers
from neurossm.trace import Trace
from neurossm_converters.backends.gpu.device import device_of
from neurossm_converters.backends.gpu.parts import Part, parts, together
from neurossm_converters.backends.gpu.program import Program

if TYPE_CHECKING:
    from neurossm_converters.backends.gpu.executor import Options


def run(
    graph: Graph,
    inputs: Inputs,
    record: tuple[str, ...],
    options: Options,
    progress: Progress,
    lengths: Lengths | None,
) -> Run:
    """Run samples with the values of nodes, see `neurossm.executors`.

    Raises
    ------
    TargetError
        If there is no such device, or its memory does not hold a step of one sample.
    """
    began = time.perf_counter()
    program = Program.of(graph, device_of(options.device))
    work = Work.of(program, inputs, record, lengths)
    most, steps = together(graph, work.size, record, program.device.free_bytes, options.samples)
    started = time.perf_counter()
    for part in parts(lengths, work.size, most, steps):
        work.run(part)
        progress(part.count)
    seconds = time.perf_counter() - started
    return Run(work.trace(), seconds, started - began, _notes(program, most))


def stream(
    graph: Graph, source: Source, options: Options, progress: Progress
) -> Generator[tuple[slice, Run], None, None]:
    """Run many samples on a graph with one `Input`; yield answers and counters of each part.

    Raises
    ------
    InputError, RangeError
        As `neurossm.engine.run`, of a part.
    TargetError
        As `run`.
    """
    began = time.perf_counter()
    program = Program.of(graph, device_of(options.device))
    (samples, length, _), record = source.shape, graph.outputs
    free = program.device.free_bytes
    most, steps = together(graph, (samples, length), record, free, options.samples)
    since = time.perf_counter()
    startup = since - began
    for start in range(0, samples, most):
        taken = slice(start, min(start + most, samples))
        own = None if source.lengths is None else source.lengths[taken]
        inputs, ends = padded_inputs(graph, source[taken], own)
        work = Work.of(program, inputs, record, ends)
        for part in parts(ends, work.size, most, steps):
            work.run(part)
        trace, now = work.trace(), time.perf_counter()
        progress(trace.samples)
        kept = Trace("gpu", {}, trace.samples, length, counts=trace.counts, lengths=ends)
        yield taken, Run(kept, now - since, startup, _notes(program, most), answers(graph, trace))
        since, startup = now, 0.0


@dataclass(frozen=True, eq=False)
class Work:
    """Samples on their way through a device: inputs, and what there is of the outcome.

    Attributes
    ----------
    inputs, lengths
        As of `neurossm.executors.Executor.run`.
    values, states
        By name, all samples in front, filled in batches.
    counts
        ``(nodes, 4)``, of the parts that have run.
    """

    program: Program
    inputs: Inputs
    lengths: Lengths | None
    values: dict[str, NDArray[np.int32]]
    states: dict[str, NDArray[np.int64]]
    counts: NDArray[np.int64]

    @classmethod
    def of(
        cls, program: Program, inputs: Inputs, record: tuple[str, ...], lengths: Lengths | None
    ) -> Work:
        """Return the work that is to be done."""
        graph, (samples, steps) = program.graph, next(iter(inputs.values())).shape[:2]
        values = {
            name: np.zeros((samples, steps, graph.nodes[name].out_channels), np.int32)
            for name in record
        }
        states = {
            f"{name}.{part}": np.zeros((samples, *shape), np.int64)
            for name, node in graph.nodes.items()
            for part, shape in node.state_parts().items()
        }
        return cls(program, inputs, lengths, values, states, np.zeros((len(graph.nodes), 4), int))

    @property
    def size(self) -> tuple[int, int]:
        """Samples and steps."""
        samples, steps, _ = next(iter(self.inputs.values())).shape
        return samples, steps

    def run(self, part: Part) -> None:
        """Run a part; in smaller ones where the memory of the device does not hold it.

        Raises
        ------
        TargetError
            If not even a step of one sample fits.
        """
        try:
            self._run(part)
        except torch.cuda.OutOfMemoryError as error:
            smaller = part.halves()
            if not smaller:
                raise TargetError(
                    "engine 'gpu'", expected="memory for a step of one sample",
                    got=str(error).partition(". ")[0],
                    remedy="end what else runs on that GPU, or take another by device=cuda:N",
                ) from None  # fmt: skip
        else:
            return
        torch.cuda.empty_cache()
        for half in smaller:
            self.run(half)

    def _run(self, part: Part) -> None:
        program, which = self.program, part.samples
        place = program.device.place
        states, counts = program.initial_states(part.count), program.no_counts()
        for steps in part.blocks():
            chunk = {
                name: torch.from_numpy(array[which, steps].astype(np.int32)).to(place)
                for name, array in self.inputs.items()
            }
            ends = None
            if self.lengths is not None:
                own = np.minimum(np.maximum(self.lengths[which] - steps.start, 0),
                                 steps.stop - steps.start)  # fmt: skip
                ends = torch.from_numpy(own.astype(np.int32)).to(place)
            sent = program.run(chunk, tuple(self.values), states, counts, ends)
            for name, kept in self.values.items():
                kept[which, steps] = sent[name].cpu().numpy()
        for name, state in states.items():
            for key, tensor in state.items():
                self.states[f"{name}.{key}"][which] = tensor.cpu().numpy()
        self.counts[...] += counts.cpu().numpy()

    def trace(self) -> Trace:
        """Return what came of it."""
        samples, steps = self.size
        real = samples * steps if self.lengths is None else int(self.lengths.sum())
        totals = self.program.totals(self.counts, real)
        return Trace("gpu", self.values, samples, steps, self.states, totals, lengths=self.lengths)


def _notes(program: Program, samples: int) -> dict[str, Any]:
    notes: dict[str, Any] = {"ran on": program.device.title, "samples together": samples}
    if program.on_the_host:
        notes["nodes on the CPU"] = list(program.on_the_host)
    return notes
