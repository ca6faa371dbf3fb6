"""The work of one inference on placed cores: one mapping, the load of each core, routers passed.

From the counts of nodes, as many samples as there are; `neurossm.metrics.per_core` counts neuron by
neuron, from a trace that holds every value. Modeled, not counted: the operations of a synapse are
spread over its target neurons evenly, and so over the cores that hold them; a state of an SSM that
is a neuron of its own sends its part of the readout between never and every step; loads are those
of a mean step. Passes are those of a neuron that does the work of several nodes: at least the
longest of them, at most all of them one after the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.energy.interval import NOTHING, Interval, exactly, hull
from neurossm.energy.mesh import Mesh, Travel, travel, travel_anywhere
from neurossm.hardware import Hardware
from neurossm.metrics import Metrics
from neurossm.placement import Connection, Placement, Population
from neurossm.placement.population import FAN_OUT, REDUCE, WEIGHTED


@dataclass(frozen=True)
class Load:
    """What the nodes of a network do in one inference, before it is known where.

    Attributes
    ----------
    steps
        Steps of an inference.
    fired
        Node name to the activations that it sends, whoever receives them.
    syn_ops
        Name of each synapse node to its operations.
    """

    steps: float
    fired: Mapping[str, float]
    syn_ops: Mapping[str, float]

    @classmethod
    def of(cls, metrics: Metrics) -> Load:
        """Return the load of a counted run."""
        share = 1 / metrics.samples
        return cls(
            metrics.steps,
            {name: counts.spikes_out * share for name, counts in metrics.nodes.items()},
            {name: counts.syn_ops * share for name, counts in metrics.nodes.items()},
        )


@dataclass(frozen=True)
class Hops:
    """Routers that activations pass, along the rows and along the columns of the mesh."""

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
        Passes of neuron programs: updates times passes an update, and relay neurons.
    spikes
        Neurons that fire, whoever receives it.
    messages
        Activations, one for each core that receives. What leaves the chip is not in it.
    hops
        Routers that the activations pass.
    """

    syn_ops: Interval = NOTHING
    passes: Interval = NOTHING
    spikes: Interval = NOTHING
    messages: Interval = NOTHING
    hops: Hops = Hops()


def work_hull(parts: Sequence[Work]) -> Work:
    """Return the smallest intervals that hold the work of each of `parts`."""
    return Work(
        syn_ops=hull(part.syn_ops for part in parts),
        passes=hull(part.passes for part in parts),
        spikes=hull(part.spikes for part in parts),
        messages=hull(part.messages for part in parts),
        hops=Hops(
            hull(part.hops.east_west for part in parts),
            hull(part.hops.north_south for part in parts),
        ),
    )


def placed_work(load: Load, placement: Placement, hardware: Hardware) -> Work:
    """Return the work of one inference of a placed network.

    Raises
    ------
    TargetError
        If the hardware file lacks the mesh, or the passes of a relay.
    """
    mesh = Mesh.of(hardware)

    def way(name: str, connection: Connection) -> Travel:
        return travel(placement, name, connection, mesh)

    return _work(load, placement.populations, hardware, way)


def work_anywhere(load: Load, populations: Mapping[str, Population], hardware: Hardware) -> Work:
    """Return the work of one inference on a chip whose file cannot say what a core holds.

    The populations are those of a mapping; an activation goes to one core, or to as many as its
    neurons could lie on, and passes none to all routers on the way to each.

    Raises
    ------
    TargetError
        If the hardware file lacks the mesh, or the passes of a node.
    """
    limits = hardware.limits
    cores = int(limits.cores.high) if limits.cores else None
    columns, rows = (hardware.require("limits", f"mesh_{side}") for side in ("columns", "rows"))
    ends = (columns.high - 1, rows.high - 1)

    def way(name: str, connection: Connection) -> Travel:
        return travel_anywhere(connection, populations[name].neurons, cores, ends)

    return _work(load, populations, hardware, way)


def _work(
    load: Load,
    populations: Mapping[str, Population],
    hardware: Hardware,
    way: Callable[[str, Connection], Travel],
) -> Work:
    """Return the work, where `way` tells how the activations of a connection travel."""
    traffic = Traffic(load, populations)
    syn_ops, messages, hops = NOTHING, NOTHING, Hops()
    senders: dict[tuple[str, str], Interval] = {}
    for name, population in populations.items():
        for connection in population.inputs:
            fired, path = traffic.messages(connection), way(name, connection)
            messages += path.messages * fired
            hops += Hops(path.east_west * fired, path.north_south * fired)
            syn_ops += traffic.operations(connection)
            if connection.source in populations:
                # one neuron fires once, whoever receives it
                key = (connection.source, connection.through)
                senders[key] = hull((senders.get(key, fired), fired))
    passes = [Interval(*p.passes(hardware)) * p.neurons * load.steps for p in populations.values()]
    return Work(
        syn_ops=syn_ops,
        passes=sum(passes, NOTHING),
        spikes=sum(senders.values(), NOTHING),
        messages=messages,
        hops=hops,
    )


def core_syn_ops(load: Load, placement: Placement) -> NDArray[np.float64]:
    """Return the synaptic operations of each core in a mean step, least and most: ``(2, cores)``.

    In the order of `Placement.cores`.
    """
    traffic = Traffic(load, placement.populations)
    each = {
        name: np.array(sum((traffic.operations(c) for c in p.inputs), NOTHING).as_json())
        for name, p in placement.populations.items()
    }
    found = np.zeros((2, len(placement.cores)))
    for position, core in enumerate(placement.cores):
        for part in core.slices:
            share = part.neurons / placement.populations[part.population].neurons
            found[:, position] += each[part.population] * share
    return found * (1 / load.steps)


class Traffic:
    """Activations and synaptic operations of every connection between populations."""

    def __init__(self, load: Load, populations: Mapping[str, Population]) -> None:
        self._load = load
        self._axons: dict[tuple[str, str], int] = defaultdict(int)
        self._weight: dict[str, float] = defaultdict(float)
        for connection in _connections(populations):
            self._axons[connection.node, _counted(connection)] += connection.axons
        for connection in _connections(populations):
            if connection.kind in WEIGHTED:
                self._weight[connection.node] += self._fired(connection)

    def messages(self, connection: Connection) -> Interval:
        """Return the activations that the source of a connection sends in one inference."""
        if connection.kind == REDUCE or not connection.through:  # a state, a part of a sum
            return Interval(0.0, float(connection.axons * self._load.steps))
        return exactly(self._fired(connection))

    def operations(self, connection: Connection) -> Interval:
        """Return the synaptic operations of a connection in one inference."""
        if connection.kind not in WEIGHTED:
            fan = connection.fan if connection.kind == FAN_OUT else 1
            return self.messages(connection) * fan
        fired = self._fired(connection)
        share = fired / self._weight[connection.node] if fired else 0.0
        return exactly(self._load.syn_ops[connection.node] * share)

    def _fired(self, connection: Connection) -> float:
        # a fan-in that was cut has part of the axons; else the share is 1
        whole = self._axons[connection.node, _counted(connection)]
        share = connection.axons / whole if connection.kind in WEIGHTED else 1.0
        return self._load.fired[_counted(connection)] * share


def _counted(connection: Connection) -> str:
    """Return the node by whose activations a connection is counted: delayed ones as they arrive."""
    return connection.delay or connection.through


def _connections(populations: Mapping[str, Population]) -> Iterator[Connection]:
    for population in populations.values():
        yield from population.inputs
