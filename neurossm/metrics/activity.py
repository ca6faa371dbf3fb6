"""The five counters of Loihi 2's activity profiler, from the counts of any executor.

The profiler (``Loihi2Activity``) is not public; its field names are (outputs of Intel's lava-dl
notebooks, grade P). What each counts is read from those outputs and names: grade D for the first
four, U for ``spike_axon_in``. The chip counts per core; `neurossm.metrics.per_core` does so for a
placed graph. Here a node is counted as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from types import MappingProxyType

from neurossm.graph import Graph
from neurossm.nodes import Role
from neurossm.trace import Counts


@dataclass(frozen=True)
class Activity:
    """Counters of one node, or of all, over a whole run.

    Attributes
    ----------
    syn_ops
        Synaptic operations: arriving non-zero activations times non-zero weights.
    dendrite_updates
        Neuron updates. The chip counts passes of microcode, one or more an update: the chip file
        says how many (``passes``).
    spikes_in
        Activations that arrived, at synapses or straight at a neuron.
    axon_out
        Activations sent, one for each node that receives them.
    spike_axon_in
        Activations that arrived at synapses: each looks up one incoming axon. An activation that
        goes straight into a neuron needs none, where both share a core.
    """

    syn_ops: int = 0
    dendrite_updates: int = 0
    spikes_in: int = 0
    axon_out: int = 0
    spike_axon_in: int = 0

    def __add__(self, other: Activity) -> Activity:
        return Activity(*(getattr(self, key) + getattr(other, key) for key in COUNTERS))

    def as_json(self) -> dict[str, int]:
        """Return the counters under the profiler's names."""
        return {key: getattr(self, key) for key in COUNTERS}


COUNTERS = tuple(item.name for item in fields(Activity))


@dataclass(frozen=True)
class Busiest:
    """The largest value of one counter, and the node that has it."""

    node: str
    value: int

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {"node": self.node, "value": self.value}


@dataclass(frozen=True)
class ActivityTable:
    """Activity of every node of a run.

    Attributes
    ----------
    nodes
        Node name to its counters, in graph order.
    """

    nodes: Mapping[str, Activity]

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", MappingProxyType(dict(self.nodes)))

    @property
    def total(self) -> Activity:
        """Sum over all nodes."""
        return sum(self.nodes.values(), Activity())

    @property
    def maximum(self) -> dict[str, Busiest]:
        """For each counter the busiest node, the first of equals in graph order."""
        found = {}
        for key in COUNTERS:
            name = max(self.nodes, key=lambda name: getattr(self.nodes[name], key))
            found[key] = Busiest(name, getattr(self.nodes[name], key))
        return found

    def as_json(self) -> dict[str, object]:
        """Return plain values: ``nodes``, ``total`` and ``maximum``."""
        return {
            "nodes": {name: found.as_json() for name, found in self.nodes.items()},
            "total": self.total.as_json(),
            "maximum": {key: found.as_json() for key, found in self.maximum.items()},
        }


def activity(graph: Graph, counts: Mapping[str, Counts]) -> ActivityTable:
    """Return the profiler's counters of every node.

    Parameters
    ----------
    graph
        The graph that ran.
    counts
        Node name to its counts, of a trace of any executor; every node of the graph is in it.
    """
    return ActivityTable({name: _of(graph, name, counts[name]) for name in graph.order})


def _of(graph: Graph, name: str, counts: Counts) -> Activity:
    synapses = graph.nodes[name].role is Role.SYNAPSES
    return Activity(
        syn_ops=counts.syn_ops,
        dendrite_updates=counts.dendrite_updates,
        spikes_in=counts.spikes_in,
        axon_out=counts.axon_out,
        spike_axon_in=counts.spikes_in if synapses else 0,
    )
