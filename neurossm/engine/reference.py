"""The reference engine: one time step and one node at a time, in plain integers.

Each node's `neurossm.nodes.Node.step` is the specification; this is the loop around it. Every other
executor equals this one bit-exactly. All arrays carry the samples in front, ``(B, C)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from neurossm.counts import Counts
from neurossm.engine.edges import Edges
from neurossm.graph import Graph
from neurossm.lengths import Lengths
from neurossm.nodes import Integers, Step
from neurossm.trace import Trace

Call = Callable[[Step], Integers | None]
Watch = Callable[[str, Call, Step], Integers | None]


def run(
    graph: Graph,
    inputs: dict[str, Integers],
    record: tuple[str, ...],
    watch: Watch | None = None,
    lengths: Lengths | None = None,
) -> Trace:
    """Run an integer graph.

    Parameters
    ----------
    graph
        Integer graph.
    inputs
        Name of `Input` to integers ``(B, T, C)``, checked by the caller against its format.
    record
        Names of the nodes whose values are kept.
    watch
        Makes each call of a node's `step` or `take` for who watches them: is given the name, the
        method and what it takes.
    lengths
        Steps of each sequence ``(B,)``, checked by the caller; one that has ended takes no part in
        any step behind. None: all have T.
    """
    samples, steps = next(iter(inputs.values())).shape[:2]
    states = {name: node.initial_state(samples) for name, node in graph.nodes.items()}
    counts = {name: Counts() for name in graph.nodes}
    values = {
        name: np.zeros((samples, steps, graph.nodes[name].out_channels), np.int64)
        for name in record
    }
    edges = {name: Edges.of(graph, name) for name in graph.order if name not in graph.inputs}
    late = [name for name in graph.order if graph.nodes[name].late]
    order = [*(name for name in graph.order if name not in late), *late]
    for t in range(steps):
        here = slice(None) if lengths is None else np.flatnonzero(lengths > t)
        state = {
            name: {part: array[here] for part, array in parts.items()}
            for name, parts in states.items()
        }
        sent = {name: np.asarray(array[here, t], np.int64) for name, array in inputs.items()}
        # copies: what is sent must not follow the state that comes after it
        sent |= {name: np.array(graph.nodes[name].send(state[name])) for name in late}
        for name in order:
            node = graph.nodes[name]
            operands = [sent[source] for source in graph.sources[name]]
            if name in edges:
                at = edges[name]
                step = Step(operands, at.formats, state[name], counts[name], at.frac_by_channel)
                call: Call = node.take if node.late else node.step
                made = call(step) if watch is None else watch(name, call, step)
                sent[name] = sent[name] if made is None else made
                counts[name] = step.counts
                for part, array in step.state.items():
                    states[name][part][here] = array
            fired = _messages(sent[name], name in graph.vocabularies)
            counts[name] += Counts(
                dendrite_updates=node.updates * len(sent[name]),
                spikes_in=sum(_messages(u, node.reads_tokens) for u in operands),
                spikes_out=fired,
                axon_out=fired * len(graph.targets[name]),
            )
            if name in values:
                values[name][here, t] = sent[name]
    final = {
        f"{name}.{part}": array for name, state in states.items() for part, array in state.items()
    }
    return Trace("reference", values, samples, steps, final, counts, lengths=lengths)


def _messages(values: Integers, tokens: bool) -> int:
    """Return how many activations these values are: those that are not zero, but every token."""
    return int(values.size if tokens else np.count_nonzero(values))
