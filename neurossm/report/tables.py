"""The tables of the terminal and the report, as data: rows of plain values, nothing printed."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.energy import Baseline, Energy, Interval
from neurossm.graph import Graph
from neurossm.metrics import Metrics


@dataclass(frozen=True)
class NodeRow:
    """One node: what `show` prints of it."""

    name: str
    type: str
    channels: str
    format: str
    parameters: int
    states: int
    note: str = ""


@dataclass(frozen=True)
class CountsRow:
    """Counters of one node, or of all under the name ``total``; a mean over samples."""

    name: str
    syn_ops: float
    synaptic_multiplies: float
    dendrite_updates: float
    spikes_in: float
    axon_out: float
    spikes_out: float
    saturations: int
    spike_rate: float | None


@dataclass(frozen=True)
class EnergyRow:
    """Joules per inference by one set of constants or one baseline; unknown parts are None."""

    name: str
    total: Interval
    synaptic: Interval | None
    neuron: Interval | None
    routing: Interval | None
    static: Interval | None
    kind: str
    grade: str
    accuracy: str = ""


def node_table(graph: Graph) -> tuple[NodeRow, ...]:
    """Return one row for each node, in graph order."""
    return tuple(
        NodeRow(
            name,
            type(node).__name__,
            node.extent,
            str(node.out) if node.out is not None else "float",
            node.parameters,
            node.states,
            node.note,
        )
        for name, node in ((name, graph.nodes[name]) for name in graph.order)
    )


def counts_table(graph: Graph, metrics: Metrics) -> tuple[CountsRow, ...]:
    """Return one row for each node in graph order and a last one, ``total``.

    Counters are those of one sample (a mean over samples); saturations are those of all samples,
    so that a single one shows.
    """
    rows = []
    for name in (*graph.order, None):
        counts = metrics.total if name is None else metrics.nodes[name]
        share = 1 / metrics.samples
        rows.append(
            CountsRow(
                name if name is not None else "total",
                counts.syn_ops * share,
                counts.synaptic_multiplies * share,
                counts.dendrite_updates * share,
                counts.spikes_in * share,
                counts.axon_out * share,
                counts.spikes_out * share,
                counts.saturations,
                metrics.spike_rates.get(name) if name is not None else None,
            )
        )
    return tuple(rows)


def energy_table(energy: Energy) -> tuple[EnergyRow, ...]:
    """Return one row for each constant set, then one for each baseline."""
    sets = [
        EnergyRow(
            found.constants.title,
            found.total,
            found.synaptic,
            found.neuron,
            found.routing,
            energy.static,
            found.constants.kind,
            found.constants.grade,
        )
        for found in energy.by_constant_set.values()
    ]
    rows = [
        EnergyRow(
            row.title,
            Interval(row.arithmetic_j, row.with_memory_j),
            None,
            None,
            None,
            None,
            "45 nm arithmetic",
            "",
            accuracy_of(row).partition(";")[0],
        )
        for row in energy.baselines
    ]
    return (*sets, *rows)


def accuracy_of(row: Baseline) -> str:
    """Return what the network reaches with the recurrence of a baseline, and on how many."""
    if row.accuracy is None:
        return row.accuracy_note
    own = "" if row.own_accuracy in (None, row.accuracy) else f"; its own {row.own_accuracy:.2%}"
    return f"{row.accuracy:.2%} {row.accuracy_note}{own}"
