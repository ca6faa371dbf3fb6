"""Baselines: dense networks of the same shape, and the same events, in plain digital arithmetic.

A dense network may have the strongest recurrence that someone would build: rows differ in the width
of poles, states, products and segments beside 8-bit synapses. A product of a recurrence by a
parameter that is 0 costs nothing in any row, and one by a power of two an addition.

Each is costed twice: arithmetic alone, and with every parameter and state that is used fetched
from (and states written back to) an 8 KB memory, packed 64 bits an access. Activations, control and
interconnect are in neither. The memory of a whole model is larger than 8 KB and costs more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from neurossm.fixed import STATE_BITS, WEIGHT_BITS, Quantized
from neurossm.graph import Graph
from neurossm.hardware import Hardware
from neurossm.metrics import DenseOperations, Metrics, dense_operations
from neurossm.metrics.multiplications import trivial_per_step
from neurossm.nodes import Node, Role, Weighted

SAME_SHAPE = (
    "The ANN rows are this graph without the nodes that spike (thresholds, membranes): the same"
    " synapses, recurrences, sums, products and segments, each computed in full at every step."
    " Nothing is charged for what would stand in place of a spike. It is a cost of that shape, not"
    " a trained network of equal accuracy."
)
RECURRENCES = (32, 16, 8)  # bits; 32 stands for our own 16-bit poles and 24-bit states
_BYTES_AN_ACCESS = 8
_FLOAT_BYTES = 4
_STATE_BYTES = STATE_BITS // 8


@dataclass(frozen=True)
class Baseline:
    """Energy of one inference in plain digital arithmetic.

    Attributes
    ----------
    name, title
        Key and name for people.
    arithmetic_j, with_memory_j
        Joules without and with memory access.
    assumes
        How it was costed, in a sentence.
    recurrence_bits
        Width of its recurrence; None for floating point, and for the spiking network itself.
    accuracy
        Of the spiking network with the recurrence of this row, 0 to 1; None where not measured. No
        dense network of this shape was trained.
    own_accuracy
        Of the spiking network itself on the same samples.
    accuracy_note
        How many samples, and how.
    """

    name: str
    title: str
    arithmetic_j: float
    with_memory_j: float
    assumes: str
    recurrence_bits: int | None = None
    accuracy: float | None = None
    own_accuracy: float | None = None
    accuracy_note: str = "not measured"


@dataclass(frozen=True)
class _Costs:
    """Joules of one operation of each kind."""

    matrix_mac: float
    wide_mac: float
    multiply: float
    add: float


def baselines(graph: Graph, metrics: Metrics, digital: Hardware) -> tuple[Baseline, ...]:
    """Return the float network, the int8 networks and the spiking network's own operations.

    Raises
    ------
    TargetError
        If the file of the technology lacks an energy.
    """
    return (
        _float32(graph, metrics.steps, digital),
        *(_int8(graph, metrics.steps, digital, bits) for bits in RECURRENCES),
        _own_operations(graph, metrics, digital),
    )


def _float32(graph: Graph, steps: float, digital: Hardware) -> Baseline:
    multiply, add = _joules(digital, "float32_multiply"), _joules(digital, "float32_add")
    costs = _Costs(multiply + add, multiply + add, multiply, add)
    cost = sum(_arithmetic(part, costs) for part in _ann(graph)) * steps
    fetched = sum(
        _FLOAT_BYTES * (_parameters_used(node) + 2 * node.states)
        for node in _ann_nodes(graph).values()
    )
    return Baseline(
        "ann_float32",
        "float32 ANN, dense",
        cost,
        cost + _memory(fetched * steps, digital),
        f"every weight and state, every step; {1e12 * (multiply + add):.2g} pJ a MAC",
    )


def _int8(graph: Graph, steps: float, digital: Hardware, bits: int) -> Baseline:
    costs = _integer_costs(digital, bits)
    cost = sum(_arithmetic(part, costs) for part in _ann(graph)) * steps
    width = min(bits, STATE_BITS) // 8
    fetched = sum(
        _parameter_bytes(node, bits) + 2 * width * node.states
        for node in _ann_nodes(graph).values()
    )
    suffix = " (16 x 24 bits costed as 32 x 32)" if bits == 32 else f" of {bits} x {bits} bits"
    return Baseline(
        "ann_int8" if bits == 32 else f"ann_int8_recurrence{bits}",
        f"int8 ANN, {bits}-bit recurrence, dense",
        cost,
        cost + _memory(fetched * steps, digital),
        f"every weight and state, every step; {1e12 * costs.matrix_mac:.2g} pJ a MAC of 8 x 8 "
        f"bits, {1e12 * costs.wide_mac:.2g} pJ in the recurrence{suffix}",
        bits,
    )


def _own_operations(graph: Graph, metrics: Metrics, digital: Hardware) -> Baseline:
    costs = _integer_costs(digital, 32)
    dense = _effective(graph)
    arithmetic = fetched = 0.0
    for name, node in graph.nodes.items():
        counts = metrics.nodes[name]
        if isinstance(node, Weighted):
            message = graph.nodes[graph.sources[name][0]].out
            narrow = message is not None and message.bits <= WEIGHT_BITS
            multiplied = counts.synaptic_multiplies / metrics.samples
            added = counts.syn_ops / metrics.samples - multiplied
            arithmetic += multiplied * (costs.matrix_mac if narrow else costs.wide_mac)
            arithmetic += added * costs.add
            fetched += added + multiplied  # one byte of weight each
            fetched += metrics.steps * _bytes_of(node.bias)
            continue
        if node.reads_tokens:
            arithmetic += costs.add * counts.syn_ops / metrics.samples  # as weights behind spikes
        arithmetic += metrics.steps * _arithmetic(dense[name], costs)
        if node.role is Role.SPIKING:
            arithmetic += costs.add * counts.dendrite_updates / metrics.samples  # a comparison
        fetched += metrics.steps * (_parameter_bytes(node) + _state_bytes(node))
    return Baseline(
        "snn_digital",
        "this spiking network, same arithmetic",
        arithmetic,
        arithmetic + _memory(fetched, digital),
        "the operations that were counted, at the int8 network's costs; a weight selected by a "
        f"spike is one {1e12 * costs.add:.2g} pJ addition, a comparison too",
    )


def _ann_nodes(graph: Graph) -> dict[str, Node]:
    """Return the nodes that a network without spikes has too: all but those that spike."""
    return {name: node for name, node in graph.nodes.items() if node.role is not Role.SPIKING}


def _ann(graph: Graph) -> list[DenseOperations]:
    # membranes and traces are what makes it spike; a network without spikes has none
    found = _effective(graph)
    return [
        found[name]
        for name, node in graph.nodes.items()
        if node.role is not Role.SPIKING or not node.states
    ]


def _effective(graph: Graph) -> dict[str, DenseOperations]:
    """Return the operations of a step without products by 0, those by 2^k as additions."""
    found = {}
    for name, operations in dense_operations(graph).items():
        zeros, powers = trivial_per_step(graph.nodes[name])
        found[name] = replace(
            operations,
            state_macs=operations.state_macs - zeros - powers,
            adds=operations.adds + powers,
        )
    return found


def _arithmetic(operations: DenseOperations, costs: _Costs) -> float:
    wide = operations.state_macs + operations.elementwise_macs
    return (
        operations.matrix_macs * costs.matrix_mac
        + wide * costs.wide_mac
        + operations.multiplies * costs.multiply
        + operations.adds * costs.add
    )


def _integer_costs(digital: Hardware, bits: int) -> _Costs:
    add, wide = _joules(digital, "int32_add"), _joules(digital, f"int{bits}_multiply")
    return _Costs(_joules(digital, "int8_multiply") + add, wide + add, wide, add)


def _joules(digital: Hardware, key: str) -> float:
    return digital.require("arithmetic", key).low  # where it is a range, the cheaper baseline


def _memory(fetched_bytes: float, digital: Hardware) -> float:
    return _joules(digital, "sram_access") * fetched_bytes / _BYTES_AN_ACCESS


def _parameters_used(node: Node) -> int:
    """Return the numbers among the parameters that one step uses: of a table, one row.

    Zeros of sparse synapses are among them: the network beside ours is a dense one.
    """
    if node.reads_tokens:
        return node.out_channels
    return sum(int(np.prod(getattr(node, name).shape)) for name in node.roles)


def _parameter_bytes(node: Node, most_bits: int = 32) -> int:
    """Return the bytes of the parameters of a step, none wider than so many bits."""
    parameters = [getattr(node, name) for name in node.shapes]
    total: int = sum(min(_bytes_of(p), p.values.size * most_bits // 8) for p in parameters)
    return total // max(1, node.tokens)  # of a table one row


def _bytes_of(parameter: object) -> int:
    assert isinstance(parameter, Quantized)  # an integer graph, checked by `measure`
    return parameter.values.size * -(-parameter.bits // 8)


def _state_bytes(node: Node) -> int:
    return 2 * _STATE_BYTES * node.state_words  # read and written back
