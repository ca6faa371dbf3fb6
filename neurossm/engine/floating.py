"""The float meaning of a graph, for calibration and comparison. Not bit-exact and not deployed.

Integer parameters are read as the real numbers they stand for, so an integer graph runs too: as if
nothing were ever rounded at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import numpy as np
from numpy.typing import NDArray

from neurossm.engine.compiled import form_of
from neurossm.engine.cores import usable_cores
from neurossm.engine.stopping import stopping
from neurossm.graph import Graph
from neurossm.lengths import Lengths, parts
from neurossm.nodes import Carried, Evaluated, Node, Reals, Role
from neurossm.trace import Trace

Peaks = dict[str, Reals]
SAMPLES_A_BLOCK = 4


def run(
    graph: Graph,
    inputs: dict[str, NDArray[np.int64]],
    record: tuple[str, ...],
    progress: Callable[[int], None] | None = None,
    lengths: Lengths | None = None,
) -> Trace:
    """Run a graph on real numbers; the trace holds the largest magnitudes in ``peaks``.

    And in ``sums`` what nodes with graded activations (a ReLU, a gate) sent altogether.

    With lengths ``(B,)`` each sequence is run to its own end, so no peak is one of padding.
    """
    samples, steps = next(iter(inputs.values())).shape[:2]
    values = {name: np.zeros((samples, steps, graph.nodes[name].out_channels)) for name in record}

    stop = Event()

    def work(task: tuple[slice | NDArray[np.int64], int, int]) -> tuple[Peaks, Peaks]:
        if stop.is_set():
            return {}, {}
        part, size, length = task
        peaks: Peaks = {}
        sums: Peaks = {}
        sent: dict[str, Reals] = {}
        for block in graph.blocks:
            name, node = block[0], graph.nodes[block[0]]
            if node.role is Role.INPUT:
                assert node.out is not None
                sent[name] = np.ldexp(inputs[name][part, :length].astype(float), -node.out.frac)
            elif block in graph.loops:
                found, inner = run_loop(graph, block, sent)
                sent, peaks = sent | found, peaks | inner
            else:
                operands = [sent[source] for source in graph.sources[name]]
                sent[name], inner = evaluate(node, operands)
                peaks |= {f"{name}.{part_of}": peak for part_of, peak in inner.items()}
            for name in block:
                peaks[name] = np.abs(sent[name]).max(axis=(0, 1))
                sender = graph.nodes[name]
                if sender.activates and sender.role is Role.NEURON:
                    sums[name] = sent[name].sum(axis=(0, 1))
                if name in values:
                    values[name][part, :length] = sent[name]
        if progress:
            progress(size)
        return peaks, sums

    totals: Peaks = {}
    added: Peaks = {}
    with ThreadPoolExecutor(usable_cores()) as pool, stopping(stop):
        for peaks, sums in pool.map(work, parts(lengths, samples, steps, SAMPLES_A_BLOCK)):
            totals = {name: np.maximum(totals.get(name, 0.0), peak) for name, peak in peaks.items()}
            added = {name: added.get(name, 0.0) + total for name, total in sums.items()}
    return Trace("float", values, samples, steps, peaks=totals, lengths=lengths, sums=added)


def evaluate(node: Node, operands: list[Reals], state: Carried | None = None) -> Evaluated:
    """Return what a node sends, ``(S, T, C)``, for what arrives on each of its edges.

    `state` as in `neurossm.nodes.Node.evaluate`.
    """
    return form_of(type(node)).evaluate(node, operands, state)


def run_loop(
    graph: Graph, block: tuple[str, ...], outside: Mapping[str, Reals],
    step: Callable[[str, Node, list[Reals], Carried], Evaluated] | None = None,
) -> tuple[Peaks, Peaks]:  # fmt: skip
    """Run nodes that feed each other, a step at a time; return what they send, and their peaks.

    `outside` holds what the nodes around them send, and `step` says what a node of a name does, by
    default `evaluate`.
    """
    around = {source for name in block for source in graph.sources[name]} - set(block)
    samples, steps = next(iter(outside.values())).shape[:2]
    nodes = {name: graph.nodes[name] for name in block}
    late = [name for name in block if nodes[name].late]
    visits = (*(name for name in block if name not in late), *late)
    states = {name: node.before(samples, None) for name, node in nodes.items()}
    sent = {name: np.empty((samples, steps, node.out_channels)) for name, node in nodes.items()}
    peaks: Peaks = {}
    for t in range(steps):
        here = {name: outside[name][:, t : t + 1] for name in around}
        here |= {name: nodes[name].send(states[name])[:, None] for name in late}
        for name in visits:
            operands = [here[source] for source in graph.sources[name]]
            node, state = nodes[name], states[name]
            found = step(name, node, operands, state) if step else evaluate(node, operands, state)
            made, inner = found
            here[name] = sent[name][:, t : t + 1] = made
            for part, peak in inner.items():
                key = f"{name}.{part}"
                peaks[key] = np.maximum(peaks.get(key, 0.0), peak)
    return sent, peaks
