"""Multiplications of a run as three numbers: in synapses, in recurrences, in gates.

Those of synapses depend on the activations and are counted by every executor
(``synaptic_multiplies``). The others are the same at every step whatever arrives, so they are those
of one step times the steps that a node was updated. Both are what the reference does:
`neurossm.engine.recording` counts it, and `check_multiplications` compares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from neurossm.engine.recording import Elementary, record_operations
from neurossm.graph import Graph
from neurossm.metrics.dense import DenseOperations, dense_operations
from neurossm.metrics.measure import Metrics
from neurossm.nodes import Node, Role, quantized

GROUPS = ("synapses", "recurrence", "gates")


@dataclass(frozen=True)
class Multiplications:
    """Multiplications of all samples and steps of a run, by node.

    Attributes
    ----------
    synapses
        Name of each node of synapses to the weights that it multiplied; 0 where it only added.
    recurrence
        Name of each `DiagonalSSM` and `LIF` to those of its states, readout and leaks.
    gates
        Name of each other node that multiplies (products, segments) to its number.
    trivial
        Those in `recurrence` by a parameter that is 0 or a power of two: a circuit made for this
        network would drop or shift them.
    samples
        Of the run.
    """

    synapses: Mapping[str, int]
    recurrence: Mapping[str, int]
    gates: Mapping[str, int]
    trivial: int
    samples: int

    def __post_init__(self) -> None:
        for name in GROUPS:
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def total(self, group: str) -> int:
        """Return the sum over one of `GROUPS`."""
        nodes: Mapping[str, int] = getattr(self, group)
        return sum(nodes.values())

    def where(self, group: str) -> tuple[str, ...]:
        """Return the names of the nodes in one of `GROUPS` that multiply."""
        nodes: Mapping[str, int] = getattr(self, group)
        return tuple(name for name, number in nodes.items() if number)

    @property
    def only_add(self) -> tuple[str, ...]:
        """Names of the nodes of synapses that multiplied nothing."""
        return tuple(name for name, number in self.synapses.items() if not number)

    def as_json(self) -> dict[str, object]:
        """Return plain values, summed over all samples."""
        return {
            **{
                group: {"total": self.total(group), "nodes": dict(getattr(self, group))}
                for group in GROUPS
            },
            "recurrence_by_0_or_powers_of_2": self.trivial,
            "samples": self.samples,
        }


def multiplications(graph: Graph, metrics: Metrics) -> Multiplications:
    """Return the multiplications of a run of an integer graph."""
    synapses: dict[str, int] = {}
    recurrence: dict[str, int] = {}
    gates: dict[str, int] = {}
    trivial = 0
    each = per_step(graph)
    for name in graph.order:
        node, counts = graph.nodes[name], metrics.nodes[name]
        if node.role is Role.SYNAPSES:
            synapses[name] = counts.synaptic_multiplies
        elif each[name]:
            steps = counts.dendrite_updates // node.updates  # of all samples
            if node.factors:
                recurrence[name] = each[name] * steps
                trivial += sum(trivial_per_step(node)) * steps
            else:
                gates[name] = each[name] * steps
    return Multiplications(synapses, recurrence, gates, trivial, metrics.samples)


def per_step(graph: Graph) -> dict[str, int]:
    """Return for each node the multiplications of a step that do not depend on its activations."""
    return {name: _fixed(found) for name, found in dense_operations(graph).items()}


def trivial_per_step(node: Node) -> tuple[int, int]:
    """Return those of a recurrence by a parameter that is 0, and by one that is +-2^k."""
    if not node.factors:
        return 0, 0
    values = np.concatenate([np.abs(quantized(p).values).ravel() for p in node.factors])
    zeros = int(np.count_nonzero(values == 0))
    powers = int(np.count_nonzero((values & (values - 1)) == 0)) - zeros
    return zeros, powers


@dataclass(frozen=True)
class Recorded:
    """What the reference did in a part of one sequence, and whether the numbers above say so.

    Attributes
    ----------
    steps
        Steps that were run, of one sequence.
    nodes
        Name of each node to its elementary operations.
    differing
        Names of nodes whose multiplications are not those that `multiplications` states.
    """

    steps: int
    nodes: Mapping[str, Elementary]
    differing: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", MappingProxyType(dict(self.nodes)))

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "steps": self.steps,
            "nodes": {name: found.as_json() for name, found in self.nodes.items()},
            "differing": list(self.differing),
        }


def check_multiplications(graph: Graph, inputs: Mapping[str, NDArray[np.int64]]) -> Recorded:
    """Run the recording reference and compare its multiplications with the stated ones.

    Parameters
    ----------
    graph
        Integer graph that keeps the contract.
    inputs
        Name of each `Input` to integers ``(B, T, C)``, checked by `check_inputs`.
    """
    found, trace = record_operations(graph, inputs)
    each, runs = per_step(graph), trace.real_steps
    differing = []
    for name, node in graph.nodes.items():
        done = found[name]
        if node.role is Role.SYNAPSES:
            same = done.multiplications == trace.counts[name].synaptic_multiplies
        else:
            same = done.multiplications == each[name] * runs
        if node.factors:
            same = same and done.trivial == sum(trivial_per_step(node)) * runs
        if not same:
            differing.append(name)
    return Recorded(trace.steps, found, tuple(differing))


def _fixed(operations: DenseOperations) -> int:
    return operations.state_macs + operations.elementwise_macs + operations.multiplies
