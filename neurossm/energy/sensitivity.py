"""Energy against spike rate: the same run with its spikes thinned out or multiplied.

What is scaled, for a factor f: the spikes that each spiking node sends, and with them the
activations, and the synaptic operations of the synapses that receive them. A rate cannot pass one
spike a channel and step: there the factor of that node ends. What is not scaled: inputs, graded
spikes, and neuron updates, which a chip makes every step whatever arrives. How other spikes would
change what the network computes is not modeled: this is the energy's slope, not another network.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

from neurossm.arguments import real
from neurossm.energy.interval import Interval
from neurossm.energy.result import Energy
from neurossm.graph import Graph
from neurossm.metrics import Metrics
from neurossm.trace import Counts

FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)
FORMULA = (
    "E(f) = E_neuron + E_static(f) + sum over messages and synaptic operations, each times f_n of"
    " the node n that sent it; f_n = min(f, 1 / rate_n) for nodes that spike, 1 for inputs and"
    " graded activations. Where several nodes feed one synapse, its operations are shared among"
    " them by the messages that each sent."
)


@dataclass(frozen=True)
class RateRow:
    """Energy at one factor.

    Attributes
    ----------
    factor
        What the measured rates were multiplied by.
    spike_rate
        Mean rate over the spiking nodes that results.
    capped
        Nodes whose rate would have passed 1.
    dynamic, total
        Joules of one inference, as fast as the chip goes.
    """

    factor: float
    spike_rate: float | None
    capped: tuple[str, ...]
    dynamic: Interval
    total: Interval

    @classmethod
    def of(
        cls, factor: float, capped: tuple[str, ...], metrics: Metrics, energy: Energy
    ) -> RateRow:
        """Return the row of an estimate at a factor."""
        return cls(factor, metrics.mean_spike_rate, capped, energy.dynamic, energy.total)

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "factor": self.factor,
            "spike_rate": self.spike_rate,
            "capped": list(self.capped),
            "dynamic_j": self.dynamic.as_json(),
            "total_j": self.total.as_json(),
        }


def at_spike_rate(metrics: Metrics, graph: Graph, factor: float) -> tuple[Metrics, tuple[str, ...]]:
    """Return the metrics with the rates of all spiking nodes times a factor, and who was capped.

    Raises
    ------
    InputError
        If the factor is negative or not finite.
    """
    real("spike rate factor", factor, 0, sys.float_info.max, "0 or more")
    factors = {
        name: min(factor, 1 / rate) if rate else 1.0 for name, rate in metrics.spike_rates.items()
    }
    capped = tuple(name for name, f in factors.items() if f < factor and metrics.spike_rates[name])
    counts = {name: _scaled(graph, metrics, name, factors) for name in graph.nodes}
    return metrics.with_counts(graph, counts), capped


def _scaled(graph: Graph, metrics: Metrics, name: str, factors: Mapping[str, float]) -> Counts:
    """Return the counts of a node at other rates; whole numbers, as counts are."""
    counts = metrics.nodes[name]
    arrived = {source: metrics.nodes[source].spikes_out for source in graph.sources[name]}
    scaled = sum(fired * factors.get(source, 1.0) for source, fired in arrived.items())
    share = scaled / sum(arrived.values()) if any(arrived.values()) else 1.0
    own = share if graph.nodes[name].passes_on else factors.get(name, 1.0)
    return replace(
        counts,
        syn_ops=round(counts.syn_ops * share),
        synaptic_multiplies=round(counts.synaptic_multiplies * share),
        spikes_in=round(counts.spikes_in * share),
        spikes_out=round(counts.spikes_out * own),
        axon_out=round(counts.axon_out * own),
    )
