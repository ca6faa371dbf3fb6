"""Below which rate of activations a layer is cheaper than int8 multiply-accumulates of its shape.

A dense int8 layer of the same shape does ``I O`` MACs at every step, whatever arrives. A layer of
synapses does an operation for each activation that arrives and each weight that is not 0. At a rate
of r activations per input and step, with S weights that are not 0, these cost the same at

    r = (I O / S) E_mac / E_op

Nothing else is in either side: no neurons, no routing, no static power. A dense network whose
pruned weights cost nothing would be S MACs; no row here gives it that credit.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from neurossm.energy.interval import Interval, hull
from neurossm.fixed import WEIGHT_BITS
from neurossm.graph import Graph
from neurossm.hardware import EnergySet, Hardware
from neurossm.metrics import Metrics, dense_operations
from neurossm.nodes import Node

FORMULA = "r = (I O / S) E_mac / E_op"
CAVEAT = (
    "The row of one technology compares like with like. A synaptic operation of a chip has its"
    " memory and its routing inside, and is of another technology than the 45 nm of the MAC: read"
    " these as orders of magnitude."
)
BELOW, ABOVE, OPEN = "below", "above", "open"


@dataclass(frozen=True)
class BreakEven:
    """The break-even rate of one layer of synapses.

    Attributes
    ----------
    node
        Its name.
    macs
        MACs per step of a dense int8 layer of its shape, over all its edges.
    synapses
        Weights that are not 0.
    spikes
        Whether spikes arrive, so that weights are added and nothing is multiplied.
    rate
        Activations that arrived per input and step, measured.
    by_set
        Name of the technology, and of each set of constants of the chip, to the break-even rate in
        activations per input and step. It is above 1 where even an activation at every step is
        cheaper.
    """

    node: str
    macs: int
    synapses: int
    spikes: bool
    rate: float
    by_set: Mapping[str, Interval]

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_set", MappingProxyType(dict(self.by_set)))

    @property
    def chip(self) -> Interval | None:
        """Over all sets of the chip; None where its file has none."""
        found = list(self.by_set.values())[1:]
        return hull(found) if found else None

    def verdict(self, name: str) -> str:
        """Return ``below``, ``above`` or ``open``: the measured rate against a set's interval."""
        ends = self.by_set[name]
        if self.rate < ends.low:
            return BELOW
        return ABOVE if self.rate > ends.high else OPEN

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "node": self.node,
            "dense_macs_per_step": self.macs,
            "synapses": self.synapses,
            "spikes": self.spikes,
            "rate": self.rate,
            "break_even": {
                name: {"low": ends.low, "high": ends.high, "measured": self.verdict(name)}
                for name, ends in self.by_set.items()
            },
        }


def break_even(
    graph: Graph, metrics: Metrics, hardware: Hardware, digital: Hardware
) -> tuple[BreakEven, ...]:
    """Return the break-even rate of every layer of synapses with weights, in graph order.

    Parameters
    ----------
    graph, metrics
        Integer graph, and the counts of a run of it.
    hardware
        A chip; its sets of energies are rows.
    digital
        Technology of the MACs, such as ``cmos45``; its own additions are the first row.

    Raises
    ------
    TargetError
        If the file of the technology lacks an energy.
    """
    found = []
    for name in graph.order:
        node, counts = graph.nodes[name], metrics.nodes[name]
        edges = len(graph.sources[name])
        macs = dense_operations(graph)[name].matrix_macs
        if not macs or not node.synapses:
            continue
        spikes = graph.nodes[graph.sources[name][0]].out
        assert spikes is not None  # of an integer graph, checked by `measure`
        share = macs / (edges * node.synapses)
        mac, own = _mac(digital), _own(node, digital, spikes.is_spike, spikes.bits)
        by_set = {digital.name: _ratio(share, mac, own)}
        for constants in hardware.energy:
            by_set[constants.name] = _crossed(share, mac, _operation(constants))
        possible = node.in_channels * edges * metrics.samples * metrics.steps
        rate = counts.spikes_in / possible
        found.append(BreakEven(name, macs, node.synapses, spikes.is_spike, rate, by_set))
    return tuple(found)


Pair = tuple[float, float]  # joules without and with memory access


def _mac(digital: Hardware) -> Pair:
    """Return the energy of a MAC of 8 x 8 bits, without and with its weight fetched."""
    arithmetic = _joules(digital, "int8_multiply") + _joules(digital, "int32_add")
    return arithmetic, arithmetic + _weight(digital)


def _own(node: Node, digital: Hardware, spikes: bool, bits: int) -> Pair:
    """Return the energy of an operation of this layer in the same technology."""
    arithmetic = _joules(digital, "int32_add")
    if not spikes and not node.only_adds:
        wide = "int8_multiply" if bits <= WEIGHT_BITS else "int32_multiply"
        arithmetic += _joules(digital, wide)
    return arithmetic, arithmetic + _weight(digital)


def _operation(constants: EnergySet) -> Interval:
    """Return the energy of a synaptic operation by any scenario of a set."""
    found = [scenario.syn_op for scenario in constants.events if scenario.syn_op is not None]
    return Interval(min(one.low for one in found), max(one.high for one in found))


def _ratio(share: float, mac: Pair, own: Pair) -> Interval:
    """Return the interval of two boundaries, each compared with itself."""
    each = [share * m / o for m, o in zip(mac, own, strict=True)]
    return Interval(min(each), max(each))


def _crossed(share: float, mac: Pair, operation: Interval) -> Interval:
    return Interval(share * mac[0] / operation.high, share * mac[1] / operation.low)


def _weight(digital: Hardware) -> float:
    """Return the energy of fetching one byte of 64 bits."""
    return _joules(digital, "sram_access") / 8


def _joules(digital: Hardware, key: str) -> float:
    return digital.require("arithmetic", key).low
