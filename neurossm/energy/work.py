"""What a chip has to do for one inference: the counted work, between two mappings of the graph.

Placement is not known here, so each number is an interval. Its low end is a mapping that fuses
whatever can be one neuron: the states of an SSM channel, its threshold, elementwise nodes. Its high
end gives every node neurons of its own and every complex state a neuron, as Lava's S4D layer does:
each state then sends its part of the readout, every step, through one synapse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurossm.energy.interval import NOTHING, Interval, exactly, interval_of
from neurossm.fixed import Quantized
from neurossm.graph import Graph
from neurossm.hardware import Hardware
from neurossm.metrics import Metrics
from neurossm.nodes import Affine, DiagonalSSM, Embedding, Input, Output
from neurossm.trace import Counts


@dataclass(frozen=True)
class Hops:
    """Routers that messages pass, along the rows and along the columns of the mesh."""

    east_west: Interval = NOTHING
    north_south: Interval = NOTHING

    def __add__(self, other: Hops) -> Hops:
        return Hops(self.east_west + other.east_west, self.north_south + other.north_south)

    def as_json(self) -> dict[str, list[float]]:
        """Return plain values."""
        return {"east_west": self.east_west.as_json(), "north_south": self.north_south.as_json()}


@dataclass(frozen=True)
class Work:
    """Events of one inference (one sample, all its steps).

    Attributes
    ----------
    syn_ops
        Synaptic operations: those counted, and those that a mapping adds.
    passes
        Passes of neuron programs: counted updates times passes an update, and relay neurons.
    spikes
        Neurons that fire, whoever receives it.
    messages
        Messages, one a receiver; where the cores are known, one a core. What leaves the chip is
        not in it.
    hops
        What the messages pass; None where no placement says so.
    """

    syn_ops: Interval = NOTHING
    passes: Interval = NOTHING
    spikes: Interval = NOTHING
    messages: Interval = NOTHING
    hops: Hops | None = None

    def __add__(self, other: Work) -> Work:
        return Work(
            self.syn_ops + other.syn_ops,
            self.passes + other.passes,
            self.spikes + other.spikes,
            self.messages + other.messages,
        )


def work_of(graph: Graph, metrics: Metrics, hardware: Hardware) -> Work:
    """Return the work of one inference.

    Raises
    ------
    TargetError
        If the hardware file does not say how many passes a neuron update of some node takes.
    """
    total = Work()
    for name, counts in metrics.nodes.items():
        total += _counted(graph, name, counts, hardware)
        total += _sent(graph, name, counts, metrics, hardware)
    share = 1 / metrics.samples
    return Work(
        total.syn_ops * share, total.passes * share, total.spikes * share, total.messages * share
    )


def _counted(graph: Graph, name: str, counts: Counts, hardware: Hardware) -> Work:
    if not counts.dendrite_updates:
        return Work(syn_ops=exactly(counts.syn_ops))
    passes = hardware.require("passes", type(graph.nodes[name]).__name__)
    return Work(
        syn_ops=exactly(counts.syn_ops), passes=interval_of(passes) * counts.dendrite_updates
    )


def _sent(graph: Graph, name: str, counts: Counts, metrics: Metrics, hardware: Hardware) -> Work:
    """Return what sending costs: messages, the synapses they need, and relay neurons."""
    node = graph.nodes[name]
    receivers = {n: graph.nodes[n] for n in graph.targets[name]}
    synapses = [n for n in receivers if isinstance(receivers[n], Affine | Embedding)]
    neurons = {n: r for n, r in receivers.items() if not isinstance(r, Affine | Embedding | Output)}
    leaves = len(receivers) > len(synapses) + len(neurons)
    fan_out = sum(_fan_out(neuron) for neuron in neurons.values())
    fired, updates = counts.spikes_out, node.out_channels * metrics.samples * metrics.steps
    if isinstance(node, Output):
        return Work()
    if isinstance(node, Affine | Embedding):
        # its sum lives in the neuron that receives it; where there is none, in a relay neuron
        low_relay = bool(synapses) or leaves
        expanded = any(isinstance(neuron, DiagonalSSM) for neuron in neurons.values())
        high_relay = low_relay or len(receivers) > 1 or expanded
        if not high_relay:
            return Work()
        relay = interval_of(hardware.require("passes", "relay"))
        return Work(
            syn_ops=Interval(0, fired * fan_out),
            passes=Interval(relay.low * updates * low_relay, relay.high * updates),
            spikes=Interval(fired * bool(synapses), fired * bool(synapses or neurons)),
            messages=Interval(fired * bool(synapses), fired * len(synapses) + fired * len(neurons)),
        )
    if isinstance(node, DiagonalSSM):
        return _sent_by_states(node, fired, updates, len(synapses), len(neurons), leaves, hardware)
    outside = isinstance(node, Input)  # cannot be fused with what is on the chip
    real = bool(synapses) or (outside and bool(neurons))
    return Work(
        syn_ops=Interval(fired * len(neurons) * outside, fired * fan_out),
        spikes=Interval(fired * real * (not outside), fired * bool(synapses or neurons)),
        messages=Interval(fired * real, fired * (len(synapses) + len(neurons))),
    )


def _sent_by_states(
    node: DiagonalSSM,
    fired: int,
    updates: int,
    synapses: int,
    neurons: int,
    leaves: bool,
    hardware: Hardware,
) -> Work:
    readouts = node.modes * updates  # each state sends its part, every step
    summed_apart = bool(synapses) or leaves
    receivers = neurons + summed_apart
    relay = hardware.require("passes", "relay").high if summed_apart else 0.0
    return Work(
        syn_ops=Interval(0, readouts * receivers),
        passes=Interval(0, relay * updates),
        spikes=Interval(
            fired * bool(synapses), readouts * bool(receivers) + fired * bool(synapses)
        ),
        messages=Interval(fired * bool(synapses), readouts * receivers + fired * synapses),
    )


def _fan_out(neuron: object) -> int:
    return neuron.modes if isinstance(neuron, DiagonalSSM) else 1


def chips_at_least(graph: Graph, hardware: Hardware) -> int:
    """Return the chips that the neuron words and synapses of a graph need at least.

    Placement may need more. 1 where the file does not state the limits.
    """
    limits = hardware.limits
    needs = [1.0]
    if limits.cores and limits.neuron_words_per_core:
        words = _neuron_words(graph, hardware)
        needs.append(words / (limits.cores.high * limits.neuron_words_per_core.high))
    if limits.cores and limits.synapses_per_core:
        needs.append(_synapses(graph) / (limits.cores.high * limits.synapses_per_core.high))
    return int(np.ceil(max(needs)))


def _neuron_words(graph: Graph, hardware: Hardware) -> float:
    limits = hardware.limits
    of_state = limits.neuron_words_complex_state.low if limits.neuron_words_complex_state else 0.0
    states: Mapping[str, int] = {
        name: node.in_channels * node.modes
        for name, node in graph.nodes.items()
        if isinstance(node, DiagonalSSM)
    }
    return of_state * sum(states.values())


def _synapses(graph: Graph) -> int:
    weights = [node.weight for node in graph.nodes.values() if isinstance(node, Affine)]
    weights += [node.table for node in graph.nodes.values() if isinstance(node, Embedding)]
    return sum(int(np.count_nonzero(w.values)) for w in weights if isinstance(w, Quantized))
