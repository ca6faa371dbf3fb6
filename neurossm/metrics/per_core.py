"""Work of each neuro-core of a placement: `per_core` of a run, `per_core_at_most` without one.

The counters have the names of Loihi 2's activity profiler. They are means over samples and steps,
so a single step of a busy moment can take more. What a mapping adds (fan-out, reduction, one-to-one
synapses, the activations of single states) is in them, so the total is above that of the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm.fixed import Quantized
from neurossm.graph import Graph
from neurossm.lengths import without_padding
from neurossm.metrics.state_messages import state_messages
from neurossm.nodes import Affine, Conv2d, Role
from neurossm.nodes.values import mantissas
from neurossm.placement import Connection, Placement, Population
from neurossm.placement.population import SHARED, WEIGHTED
from neurossm.trace import Trace

Floats = NDArray[np.float64]
Messages = Mapping[str, tuple[Floats, Floats]]  # of each neuron: least and most a step
COUNTERS = ("syn_ops", "dendrite_updates", "spikes_in", "axon_out", "spike_axon_in")


@dataclass(frozen=True, eq=False)
class CoreActivity:
    """Counters of the cores of a placement, each an interval ``(2, cores)``, mean of a step.

    Attributes
    ----------
    syn_ops
        Arriving activations times their synapses on the core.
    dendrite_updates
        Neuron updates.
    spikes_in
        Activations that arrive on the core.
    axon_out
        Activations that leave its neurons, one for each core that receives them.
    leaving
        Those for a core of another chip, by chip: ``(2, chips)``.
    basis
        Where the activations come from, in words.
    """

    syn_ops: Floats
    dendrite_updates: Floats
    spikes_in: Floats
    axon_out: Floats
    leaving: Floats
    basis: str

    @property
    def spike_axon_in(self) -> Floats:
        """Activations that look up an incoming axon: on placed cores all that arrive."""
        return self.spikes_in

    def as_json(self) -> dict[str, object]:
        """Return plain values: totals and maxima of each counter, and every core's."""
        counters = {name: getattr(self, name) for name in COUNTERS}
        return {
            "basis": self.basis,
            "unit": "mean of a step",
            "total": {name: _ends(v.sum(axis=1)) for name, v in counters.items()},
            "max": {name: _ends(v.max(axis=1)) for name, v in counters.items()},
            "cores": [
                {name: _ends(v[:, core]) for name, v in counters.items()}
                for core in range(self.syn_ops.shape[1])
            ],
        }


def per_core(placement: Placement, graph: Graph, trace: Trace) -> CoreActivity:
    """Return the work of each core from the activations of a run, neuron by neuron.

    Nothing is split by share: each neuron's own activations are counted in the trace, and those of
    single states are computed again from what arrived at the SSM. Only relays that sum a part of a
    fan-in have an interval: from silent to an activation every step.

    Parameters
    ----------
    placement
        Of `graph`.
    graph
        Integer graph.
    trace
        With the values of every node (``record="all"``).

    Raises
    ------
    InputError
        If the trace lacks the values of a node.
    """
    counter = CoreCounter(placement, graph)
    counter.add(trace)
    return counter.result()


class CoreCounter:
    """Counts the activations of every neuron over several runs; `per_core` of all of them together.

    Parameters
    ----------
    placement
        Of `graph`.
    graph
        Integer graph.
    """

    def __init__(self, placement: Placement, graph: Graph) -> None:
        self._placement, self._graph = placement, graph
        self._outside = _axons_from_outside(placement)
        self._counted: dict[str, NDArray[np.int64]] = {}
        self._samples, self._runs, self._engine = 0, 0, ""

    def add(self, trace: Trace) -> None:
        """Add a run, with the values of every node; raises as `per_core`."""
        missing = [name for name in self._graph.nodes if name not in trace.values]
        if missing:
            raise InputError(
                "trace", expected="values of every node", got=f"none of {missing[0]!r}",
                remedy='record="all"',
            )  # fmt: skip
        self._samples += trace.samples
        self._runs += trace.real_steps
        self._engine = trace.engine
        for name in self._graph.inputs:
            self._count(name, self._from_outside(name, trace))
        for name, node in self._graph.nodes.items():
            if node.role is Role.DELAY:  # what arrives behind it, of what a neuron has sent
                self._count(name, np.count_nonzero(trace.values[name], axis=(0, 1)))
        for population in self._placement.populations.values():
            if population.kind == "states":
                counted = state_messages(self._graph, population.nodes[0], trace)
            elif population.kind != "part":
                counted = np.count_nonzero(trace.values[population.name], axis=(0, 1))
            else:
                continue
            self._count(population.name, counted)

    def result(self) -> CoreActivity:
        """Return the work of each core, a mean over the steps of all runs."""
        sent = {name: (count / self._runs,) * 2 for name, count in self._counted.items()}
        for population in self._placement.populations.values():
            if population.kind == "part":
                sent[population.name] = _part(population, self._outside)
        whole, rest = divmod(self._runs, self._samples)
        steps = self._runs / self._samples if rest else whole
        basis = f"{self._samples} samples of {round(steps, 2):,.10g} steps, {self._engine} engine"
        return _activity(self._placement, sent, lambda c, low: _dense_of(self._graph, c, low),
                         basis)  # fmt: skip

    def _from_outside(self, name: str, trace: Trace) -> NDArray[np.int64]:
        values = trace.values[name]
        if name not in self._graph.vocabularies:
            return np.asarray(np.count_nonzero(values, axis=(0, 1)))
        tokens = without_padding(values, trace.lengths).ravel().astype(np.int64)
        return np.bincount(tokens, minlength=max(self._outside.get(name, 0),
                                                 self._graph.vocabularies[name]))  # fmt: skip

    def _count(self, name: str, counted: NDArray[Any]) -> None:
        self._counted[name] = self._counted.get(name, 0) + counted


def per_core_at_most(placement: Placement) -> CoreActivity:
    """Return the work of each core between silence and an activation of every neuron at every step.

    No weight counts as zero, but for those that a sparse node leaves out. Tokens are as likely as
    each other, one a step.
    """
    outside = _axons_from_outside(placement)
    tokens = {c.source for p in placement.populations.values() for c in p.inputs if c.one_hot}
    sent: dict[str, tuple[Floats, Floats]] = {}
    for source, axons in outside.items():
        most = np.full(axons, 1 / axons if source in tokens else 1.0)
        sent[source] = (most if source in tokens else np.zeros(axons), most)
    for population in placement.populations.values():
        if population.kind == "part":
            sent[population.name] = _part(population, outside)
        else:
            sent[population.name] = (np.zeros(population.neurons), np.ones(population.neurons))
    basis = "no data: from silence to a message of every neuron at every step"
    return _activity(placement, sent, _dense_full, basis)


def _axons_from_outside(placement: Placement) -> dict[str, int]:
    """Return the name of each source outside of the chip, and how many axons it has."""
    found: dict[str, int] = {}
    for population in placement.populations.values():
        for c in population.inputs:
            if c.source not in placement.populations:
                found[c.source] = max(found.get(c.source, 0), c.first + c.axons)
    return found


def _part(part: Population, outside: Mapping[str, int]) -> tuple[Floats, Floats]:
    """Return the activations of a relay that sums part of a fan-in; of tokens its share of rows."""
    (connection,) = part.inputs
    if connection.one_hot:
        share = connection.axons / outside[connection.source]
        return np.full(part.neurons, share), np.full(part.neurons, share)
    return np.zeros(part.neurons), np.ones(part.neurons)


def _dense_full(connection: Connection, messages: Floats) -> Floats:
    """Return the synaptic operations of every target neuron: one number for all, or one each."""
    if connection.kind == SHARED:
        return connection.sharing.operations(messages)
    if connection.own_pattern is not None:
        return np.asarray(connection.own_pattern.there @ messages)
    return np.asarray([messages.sum() * connection.rows])


def _dense_of(graph: Graph, connection: Connection, messages: Floats) -> Floats:
    """Return the synaptic operations of each target neuron, weights that are zero left out."""
    node = graph.nodes[connection.node]
    if isinstance(node, Conv2d):
        return connection.sharing.operations(messages, mantissas(node.weight))
    if not isinstance(node, Affine):  # an Embedding counts all channels for every token
        return _dense_full(connection, messages)
    weight = node.weight.values if isinstance(node.weight, Quantized) else node.weight
    columns = slice(connection.first, connection.first + connection.axons)
    each = np.asarray((weight[:, columns] != 0) @ messages)
    return np.asarray(each.reshape(connection.rows, -1).sum(axis=0))


def _activity(
    placement: Placement,
    sent: Messages,
    dense: Callable[[Connection, Floats], Floats],
    basis: str,
) -> CoreActivity:
    cores, chips = len(placement.cores), placement.chips
    syn_ops, spikes_in, axon_out = (np.zeros((2, cores)) for _ in range(3))
    updates, leaving = np.zeros(cores), np.zeros((2, chips))
    chip_of = np.array([core.chip for core in placement.cores])
    layout = {name: _Layout.of(placement, name) for name in placement.populations}
    for name, population in placement.populations.items():
        here = layout[name]
        updates[here.cores] += here.sizes * sum(count for _, count in population.work)
        for c in population.inputs:
            sender = layout.get(c.source)
            for end in (0, 1):
                counted = c.delay if c.delay in sent else c.source
                messages = sent[counted][end][c.first : c.first + c.axons]
                ops = dense(c, messages) if c.kind in WEIGHTED else None
                here.receive(c, messages, ops, syn_ops[end], spikes_in[end])
                if sender is not None:
                    _send(c, messages, sender, here, chip_of, axon_out[end], leaving[end])
    return CoreActivity(syn_ops, np.stack([updates, updates]), spikes_in, axon_out, leaving, basis)


@dataclass(frozen=True)
class _Layout:
    """Where the slices of a population lie: positions of cores, first neurons, sizes."""

    cores: NDArray[np.int64]
    firsts: NDArray[np.int64]
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, placement: Placement, name: str) -> _Layout:
        found = [(part.first, part.neurons, core) for part, core in placement.slices_of[name]]
        firsts, sizes, cores = np.array(found, dtype=np.int64).T
        return cls(cores, firsts, sizes)

    def slice_of(self, neurons: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return in which slice each of these neurons lies."""
        return np.searchsorted(self.firsts, neurons, side="right") - 1

    def sums(self, per_neuron: Floats) -> Floats:
        """Return the sum over each slice."""
        return np.asarray(np.add.reduceat(per_neuron, self.firsts))

    def _arriving(self, c: Connection, messages: Floats) -> Floats:
        """Return the activations that arrive at each slice over weights."""
        if c.kind != SHARED:
            return np.full(len(self.cores), messages.sum())
        first, last = c.reached(self.firsts)
        changes = np.zeros(len(self.cores) + 1)
        np.add.at(changes, first, messages)
        np.add.at(changes, last + 1, -messages)
        return np.asarray(np.cumsum(changes)[:-1])

    def receive(
        self, c: Connection, messages: Floats, ops: Floats | None, syn_ops: Floats, spikes: Floats
    ) -> None:
        """Add what arrives over a connection to the cores of this population."""
        if ops is not None:
            each = self.sizes * ops[0] if len(ops) == 1 else self.sums(ops)
            np.add.at(syn_ops, self.cores, each)
            np.add.at(spikes, self.cores, self._arriving(c, messages))
            return
        if c.kind == "fan-out":
            np.add.at(syn_ops, self.cores, self.sums(np.repeat(messages, c.fan)))
            before = np.concatenate([[0.0], np.cumsum(messages)])
            first, stop = self.firsts // c.fan, -(-(self.firsts + self.sizes) // c.fan)
            np.add.at(spikes, self.cores, before[stop] - before[first])
            return
        parts = messages.reshape(c.rows, -1).sum(axis=0)
        arriving = self.sums(parts.reshape(-1, c.fan).sum(axis=1))
        np.add.at(syn_ops, self.cores, arriving)
        np.add.at(spikes, self.cores, arriving)


def _send(
    c: Connection,
    messages: Floats,
    sender: _Layout,
    receiver: _Layout,
    chip_of: NDArray[np.int64],
    axon_out: Floats,
    leaving: Floats,
) -> None:
    """Add what a connection makes its source send, and what of it crosses to another chip."""
    neurons = np.arange(c.first, c.first + c.axons)
    core = sender.cores[sender.slice_of(neurons)]
    first, last = c.reached(receiver.firsts)
    receivers = last - first + 1
    crossing = receivers - _on_chip(chip_of[receiver.cores], first, last + 1, chip_of[core])
    np.add.at(axon_out, core, messages * receivers)
    np.add.at(leaving, chip_of[core], messages * crossing)


def _on_chip(
    chips: NDArray[np.int64],
    first: NDArray[np.int64],
    stop: NDArray[np.int64],
    chip: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return how many of `chips` from each `first` up to `stop` equal its `chip`."""
    if np.all(np.diff(chips) >= 0):  # a population lies on one chip after the other
        begin, end = (np.searchsorted(chips, chip, side=side) for side in ("left", "right"))
        here = np.minimum(stop, end) - np.maximum(first, begin)
        return np.asarray(np.maximum(0, here), np.int64)
    found = np.zeros(len(chip), np.int64)  # cores are shared, and in another order
    for one in np.unique(chip):
        before, mine = np.concatenate([[0], np.cumsum(chips == one)]), chip == one
        found[mine] = (before[stop] - before[first])[mine]
    return found


def _ends(pair: Floats) -> dict[str, float]:
    return {"low": float(pair[0]), "high": float(pair[1])}
