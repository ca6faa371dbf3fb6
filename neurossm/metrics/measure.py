"""Counts, rates and sparsities of a run: `measure` turns a trace and its graph into `Metrics`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np

from neurossm.arguments import instance
from neurossm.errors import GraphError, InputError
from neurossm.graph import Graph
from neurossm.metrics.activity import ActivityTable, activity
from neurossm.metrics.neurobench import neurobench_numbers, recurrence
from neurossm.nodes import Meets, Role
from neurossm.trace import Counts, Trace

Json = dict[str, object]


@dataclass(frozen=True)
class Metrics:
    """What a run did.

    Attributes
    ----------
    engine, samples
        Of the trace.
    steps
        Of one sequence, to its own end; the mean where they differ, so samples times steps is what
        was run.
    nodes
        Node name to its counts, summed over the steps of all sequences.
    spike_rates
        Name of each node that spikes (inputs apart) to its mean rate: spikes sent divided by
        channels times the steps of all sequences; spikes a channel and step.
    multiplies_from_spikes, multiplies_from_graded
        Weights multiplied in synapses that receive spikes (must be 0) and graded spikes.
    additions_of_graded
        Synaptic operations of graded spikes that multiply nothing: the weights are ternary.
    state_updates
        Updates of complex SSM states, of membranes and of refractory variables, all samples and
        steps.
    neurobench
        NeuroBench's algorithm metrics, see `measure`.
    recurrence
        Work of recurrences for one sample, which NeuroBench cannot see, see
        `neurossm.metrics.neurobench.recurrence`.
    activity
        The counters of the hardware profiler, see `neurossm.metrics.activity`.
    """

    engine: str
    samples: int
    steps: float
    nodes: Mapping[str, Counts]
    spike_rates: Mapping[str, float]
    multiplies_from_spikes: int
    multiplies_from_graded: int
    additions_of_graded: int
    state_updates: int
    neurobench: Mapping[str, float]
    recurrence: Mapping[str, float]
    activity: ActivityTable

    def __post_init__(self) -> None:
        for name in ("nodes", "spike_rates", "neurobench", "recurrence"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    @cached_property
    def total(self) -> Counts:
        """Sum over all nodes."""
        return sum(self.nodes.values(), Counts())

    def with_counts(self, graph: Graph, counts: Mapping[str, Counts]) -> Metrics:
        """Return the metrics of a run of as many steps with other counts of every node."""
        return _of_counts(graph, counts, self.engine, self.samples, self.steps)

    def per_sample(self) -> dict[str, float]:
        """Return the totals divided by samples."""
        return {key: value / self.samples for key, value in asdict(self.total).items()}

    def per_step(self) -> dict[str, float]:
        """Return the totals divided by samples and steps."""
        return {key: value / self.steps for key, value in self.per_sample().items()}

    @property
    def mean_spike_rate(self) -> float | None:
        """Mean over the spiking nodes; None where nothing spikes."""
        return float(np.mean(list(self.spike_rates.values()))) if self.spike_rates else None

    @property
    def max_spike_rate(self) -> float | None:
        """Rate of the busiest spiking node; None where nothing spikes."""
        return max(self.spike_rates.values()) if self.spike_rates else None

    def as_json(self) -> Json:
        """Return plain values: ``nodes`` and ``total`` hold the counters under their names."""
        return {
            "engine": self.engine,
            "samples": self.samples,
            "steps": self.steps,
            "nodes": {name: asdict(counts) for name, counts in self.nodes.items()},
            "total": asdict(self.total),
            "per_sample": self.per_sample(),
            "per_step": self.per_step(),
            "spike_rates": dict(self.spike_rates),
            "spike_rate": {"mean": self.mean_spike_rate, "max": self.max_spike_rate},
            "synaptic_multiplies": {
                "from_spikes": self.multiplies_from_spikes,
                "from_graded": self.multiplies_from_graded,
            },
            "additions_of_graded": self.additions_of_graded,
            "state_updates": self.state_updates,
            "neurobench": self.neurobench_document(),
            "activity": self.activity.as_json(),
        }

    def neurobench_document(self) -> Json:
        """Return NeuroBench's numbers under its keys, per sample; the recurrence beside them."""
        return {**self.neurobench, "Recurrence": dict(self.recurrence)}


def measure(graph: Graph, trace: Trace) -> Metrics:
    """Return the metrics of a run of an integer graph.

    The ``neurobench`` entries follow the definitions of NeuroBench 2.3, per sample:
    ``Effective_ACs`` and ``Effective_MACs`` are non-zero weights times non-zero inputs of synapses
    that receive spikes (binary or ternary) and graded spikes (ternary weights make no difference
    there); ``Dense`` is all weights times all
    steps; ``ActivationSparsity`` is the part of zeros among what spiking and piecewise-linear
    nodes send; ``ConnectionSparsity`` the part of zero weights; ``Footprint`` the bytes of all
    parameters, each at its own width. Biases, recurrences and embeddings are not in them, as there;
    Footprint has all parameters.

    Raises
    ------
    GraphError
        If the graph is not an integer graph.
    InputError
        If the trace has no counts of some node.
    """
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    instance("trace", trace, Trace, remedy="run(graph, inputs) makes one")
    if not graph.is_integer:
        raise GraphError("metrics", expected="an integer graph", got="a float one")
    missing = [name for name in graph.nodes if name not in trace.counts]
    if missing:
        raise InputError(
            f"trace of engine {trace.engine!r}",
            expected="counts of every node",
            got=f"none of {missing[0]!r}",
            remedy="run the reference or the fast engine",
        )
    counts = {name: trace.counts[name] for name in graph.nodes}
    return _of_counts(graph, counts, trace.engine, trace.samples, trace.mean_steps)


def _of_counts(
    graph: Graph, counts: Mapping[str, Counts], engine: str, samples: int, steps: float
) -> Metrics:
    runs = round(samples * steps)
    spiking = [name for name, node in graph.nodes.items() if node.role is Role.SPIKING]
    recurrent = [name for name, node in graph.nodes.items() if node.factors]
    spike_fed = {name for name in graph.nodes if _receives_spikes(graph, name)}
    weighted = {name for name, node in graph.nodes.items() if node.meets is Meets.ACCUMULATE}
    graded_fed = weighted - spike_fed
    return Metrics(
        engine=engine,
        samples=samples,
        steps=steps,
        nodes=counts,
        spike_rates={
            name: counts[name].spikes_out / (graph.nodes[name].out_channels * runs)
            for name in spiking
        },
        multiplies_from_spikes=sum(counts[n].synaptic_multiplies for n in spike_fed),
        multiplies_from_graded=sum(
            count.synaptic_multiplies for name, count in counts.items() if name not in spike_fed
        ),
        additions_of_graded=sum(
            counts[name].syn_ops - counts[name].synaptic_multiplies for name in graded_fed
        ),
        state_updates=sum(counts[name].dendrite_updates for name in recurrent),
        neurobench=neurobench_numbers(graph, counts, spike_fed, samples, steps),
        recurrence=recurrence(graph, counts, samples, steps),
        activity=activity(graph, counts),
    )


def _receives_spikes(graph: Graph, name: str) -> bool:
    # all edges into synapses share one format, so the first tells
    if graph.nodes[name].meets is not Meets.ACCUMULATE:
        return False
    out = graph.nodes[graph.sources[name][0]].out
    return out is not None and out.is_spike
