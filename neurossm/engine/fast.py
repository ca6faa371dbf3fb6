"""The fast engine: compiled loops, a whole sequence a node, samples in parallel; same bits.

The graph is feed-forward between recurrences, so each node runs over all time steps of a few
samples before the next one starts; nodes that feed each other run together, step by step. A program
is the graph turned into a list of prepared operations. Step by step as values arrive runs
`neurossm.engine.stepper`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import kernels
from neurossm.engine.aligned import aligned
from neurossm.engine.compiled import form_of
from neurossm.engine.compiled.form import Messages, Tally
from neurossm.engine.cores import usable_cores
from neurossm.engine.edges import Edges
from neurossm.engine.loops import run_loop
from neurossm.engine.stopping import stopping
from neurossm.fixed import MESSAGE_BITS, symmetric_limit
from neurossm.graph import Graph
from neurossm.lengths import Lengths, parts
from neurossm.nodes import Meets, Node, Role, State
from neurossm.trace import Counts, Trace

Operation = Callable[[list[Messages], Messages, State, Tally], None]
Progress = Callable[[int], None]
SAMPLES_A_TASK = 8  # few calls from Python, and the activations of a node still stay in a cache


@dataclass(frozen=True)
class Program:
    """A graph prepared for execution: one operation a node, in order."""

    graph: Graph
    operations: dict[str, Operation]

    @classmethod
    def of(cls, graph: Graph) -> Program:
        """Prepare an integer graph."""
        return cls(
            graph,
            {
                name: prepare(graph.nodes[name], Edges.of(graph, name))
                for name in graph.order
                if graph.nodes[name].role is not Role.INPUT
            },
        )

    def initial_states(self, samples: int) -> dict[str, State]:
        """Return the states of all nodes before the first step."""
        return {name: self.graph.nodes[name].initial_state(samples) for name in self.operations}


@dataclass(frozen=True)
class Workspace:
    """Buffers of one worker, used again for each task of the same shape."""

    messages: dict[str, Messages]

    @classmethod
    def of(cls, graph: Graph, samples: int, steps: int) -> Workspace:
        """Allocate the activations ``(S, T, C)`` of every node."""
        return cls(
            {
                name: aligned((samples, steps, node.out_channels), np.int32)
                for name, node in graph.nodes.items()
            }
        )

    def part(self, samples: int, steps: int) -> Workspace:
        """Return a workspace for fewer samples or steps in the same memory, without gaps."""
        return Workspace(
            {
                name: array.reshape(-1)[: samples * steps * array.shape[2]].reshape(
                    samples, steps, array.shape[2]
                )
                for name, array in self.messages.items()
            }
        )


def run(
    graph: Graph,
    inputs: dict[str, NDArray[np.int64]],
    record: tuple[str, ...],
    progress: Progress | None = None,
    threads: int | None = None,
    lengths: Lengths | None = None,
) -> Trace:
    """Run an integer graph; see `neurossm.engine.run` for the checked entry.

    Parameters
    ----------
    threads
        Workers; by default one for each core that this process may use.
    lengths
        Steps of each sequence ``(B,)``; None: all have T. Sequences of one length run together,
        and no step past an end is computed.
    """
    samples, steps = next(iter(inputs.values())).shape[:2]
    program = Program.of(graph)
    made = np.empty if lengths is None else np.zeros  # 0 past the ends
    values = {
        name: made((samples, steps, graph.nodes[name].out_channels), np.int32) for name in record
    }
    states = program.initial_states(samples)
    totals = {name: Counts() for name in graph.nodes}
    tasks = parts(lengths, samples, steps, SAMPLES_A_TASK)
    workers = min(threads or usable_cores(), max(1, len(tasks)))

    stop = Event()  # set by what ends the run: a worker ends after its task, not after all

    def work(worker: int) -> Iterator[tuple[int, dict[str, Counts]]]:
        space: Workspace | None = None
        for part, size, length in tasks[worker::workers]:
            if stop.is_set():
                return
            if space is None:
                space = Workspace.of(graph, min(SAMPLES_A_TASK, samples), steps)
            used = space.part(size, length)
            chunk = {name: array[part, :length] for name, array in inputs.items()}
            local = {
                name: {key: array[part] for key, array in state.items()}
                for name, state in states.items()
            }
            counts = execute(program, chunk, local, used)
            for name, kept in values.items():
                kept[part, :length] = used.messages[name]
            for name, state in local.items():
                for key, array in state.items():
                    states[name][key][part] = array
            yield size, counts

    def drain(worker: int) -> dict[str, Counts]:
        sums = {name: Counts() for name in graph.nodes}
        with stopping(stop):
            for size, counts in work(worker):
                sums = {name: sums[name] + counts[name] for name in sums}
                if progress:
                    progress(size)
        return sums

    with ThreadPoolExecutor(workers) as pool, stopping(stop):
        for sums in pool.map(drain, range(workers)):
            totals = {name: totals[name] + sums[name] for name in totals}
    final = {
        f"{name}.{part}": array for name, state in states.items() for part, array in state.items()
    }
    return Trace("fast", values, samples, steps, final, totals, lengths=lengths)


def execute(
    program: Program,
    inputs: dict[str, NDArray[np.int64]],
    states: dict[str, State],
    space: Workspace,
) -> dict[str, Counts]:
    """Run all nodes over one block of samples and steps; states go on in place."""
    graph, messages = program.graph, space.messages
    counts, fired = {}, {}
    tallies: dict[str, Tally] = {}
    for block in graph.blocks:
        if block in graph.loops:
            tallies |= run_loop(graph, block, messages, states)
        else:
            name, tally = block[0], np.zeros(3, np.int64)
            if name in program.operations:
                operands = [messages[source] for source in graph.sources[name]]
                program.operations[name](operands, messages[name], states[name], tally)
            else:
                messages[name][...] = inputs[name]
            tallies[name] = tally
        for name in block:  # now, while what it sent is in the cache
            sent = messages[name]
            fired[name] = sent.size if name in graph.vocabularies else int(kernels.nonzero(sent))
    for name in graph.order:
        sent, tally = messages[name], tallies[name]
        counts[name] = Counts(
            syn_ops=int(tally[kernels.SYN_OPS]),
            synaptic_multiplies=int(tally[kernels.MULTIPLIES]),
            saturations=int(tally[kernels.SATURATIONS]),
            dendrite_updates=graph.nodes[name].updates * sent.shape[0] * sent.shape[1],
            spikes_in=sum(fired[source] for source in graph.sources[name]),
            spikes_out=fired[name],
            axon_out=fired[name] * len(graph.targets[name]),
        )
    return counts


def prepare(node: Node, edges: Edges) -> Operation:
    """Return the operation of a node at which activations of the given formats arrive."""
    run = form_of(type(node))(node, edges).run
    if node.meets is not Meets.ADD or len(edges.formats) == 1:
        return run
    limit = symmetric_limit(MESSAGE_BITS)

    def added(operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        total = operands[0].copy()
        for index, operand in enumerate(operands[1:], start=2):
            kernels.entry_sum(total, operand, index == len(operands), limit, tally)
        run([total], y, state, tally)

    return added
