"""From a float run to the ranges that quantizing needs. Runs nothing itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import instance
from neurossm.errors import GraphError, InputError
from neurossm.graph import Graph
from neurossm.trace import Trace


@dataclass(frozen=True, eq=False)
class Ranges:
    """Largest magnitudes seen in a float run.

    Attributes
    ----------
    messages
        Node name to the largest magnitude of its output, over channels, samples and steps.
    states
        `DiagonalSSM` name to the largest magnitudes of its states, ``(C, N)``; `ComplexDiagonal`
        name to those of its states, ``(C,)``.
    samples
        How many samples were seen.
    inputs
        Name of a neuron that spikes and has a state to the largest magnitudes of what arrived,
        ``(C,)``: they bound the membrane of a `LIF` by ``|y| / (1 - tau)``.
    membranes
        Its name to the largest magnitudes of that state before a reset, ``(C,)``.
    percentiles
        Node name to that percentile of its magnitudes that was asked for; empty where none was.
    state_percentiles
        Name of a node with complex states to that percentile of the magnitudes of each, shaped as
        `states`.
    adaptations
        `AdaptiveLIF` name to the largest magnitudes of its adaptation, ``(C,)``.
    means
        Name of a node with graded activations (a ReLU, a gate) to the mean of what it sends,
        ``(C,)``.
    """

    messages: Mapping[str, float]
    states: Mapping[str, NDArray[np.float64]]
    samples: int
    inputs: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    membranes: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    percentiles: Mapping[str, float] = field(default_factory=dict)
    state_percentiles: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    adaptations: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    means: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)


def calibrate(
    graph: Graph,
    trace: Trace,
    percentiles: Mapping[str, float] | None = None,
    state_percentiles: Mapping[str, NDArray[np.float64]] | None = None,
) -> Ranges:
    """Return the ranges of a float trace of this graph.

    Parameters
    ----------
    graph
        Float graph.
    trace
        Of the float engine; its peaks are read.
    percentiles, state_percentiles
        What `Percentiles` found, for nodes whose range is to be one.

    Raises
    ------
    InputError
        If the trace is not from a float run of this graph.
    GraphError
        If a value is not finite: the float model itself overflows.
    """
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    instance("trace", trace, Trace, remedy='run(graph, inputs, "float") makes one')
    messages: dict[str, float] = {}
    states: dict[str, NDArray[np.float64]] = {}
    inputs: dict[str, NDArray[np.float64]] = {}
    membranes: dict[str, NDArray[np.float64]] = {}
    adaptations: dict[str, NDArray[np.float64]] = {}
    for name, node in graph.nodes.items():
        if name not in trace.peaks:
            raise InputError(
                f"calibration of {name!r}",
                expected="a trace of the float engine",
                got=f"a trace of {trace.engine!r} without its range",
            )
        messages[name] = float(trace.peaks[name].max())
        recurs = node.complex_states and not node.integrates
        for part, kept in (
            ("state", states if recurs else membranes),
            ("input", inputs),
            ("adaptation", adaptations),
        ):
            if node.states and f"{name}.{part}" in trace.peaks:
                kept[name] = trace.peaks[f"{name}.{part}"]
        if not np.isfinite(messages[name]):
            raise GraphError(f"node {name!r}", expected="finite values", got="an overflow")
    return Ranges(
        MappingProxyType(messages),
        MappingProxyType(states),
        trace.samples,
        MappingProxyType(inputs),
        MappingProxyType(membranes),
        MappingProxyType(dict(percentiles or {})),
        MappingProxyType(dict(state_percentiles or {})),
        MappingProxyType(adaptations),
        MappingProxyType({name: total / trace.real_steps for name, total in trace.sums.items()}),
    )
