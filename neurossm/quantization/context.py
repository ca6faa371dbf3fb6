"""What a node may look at as it becomes integers, and how fine an activation may be.

An activation of more fraction bits is more exact and needs more room: in its own width, in the
accumulators of the synapses that receive it, in the membranes that add it up.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import (
    ACCUMULATOR_BITS,
    MESSAGE_BITS,
    Fixed,
    Quantized,
    accumulator_bound,
    ceil_to,
    fit_frac,
    round_to,
    symmetric_limit,
)
from neurossm.graph import Graph
from neurossm.nodes import Arriving, Conv2d, Node, Parameter, Reals, Role
from neurossm.quantization.comparisons import compared, reached, thresholds
from neurossm.quantization.fit import Fit, Fitting, fit_of, membranes_behind
from neurossm.quantization.ranges import Range, RangeRules
from neurossm.quantization.rows import FINEST, rounded, synapses_behind, weight_frac
from neurossm.quantization.settings import Settings

OWN_BITS = 18  # of an activation: coarser, what each product of a neuron drops would add up


@dataclass(frozen=True)
class Decision:
    """The format of a node's activations, the range that it holds, and what set the exponent."""

    format: Fixed
    held: Range
    reason: str


@dataclass(frozen=True, eq=False)
class QuantizeContext:
    """What a node may look at as it becomes integers.

    Attributes
    ----------
    name
        The node.
    graph
        The float graph.
    settings, rules
        What formats follow.
    arriving
        What arrives, as integers: nodes in front have been quantized.
    """

    name: str
    graph: Graph
    settings: Settings
    rules: RangeRules
    arriving: Arriving

    @property
    def node(self) -> Node:
        """The float node."""
        return self.graph.nodes[self.name]

    @property
    def is_ranged(self) -> bool:
        """True where the format of its activations is made for their range."""
        node = self.node
        return node.role is Role.NEURON and bool(node.ranged) and not node.passes_on

    def bits(self, setting: str) -> int:
        """Return the width that a setting asks for, such as ``weight_bits``."""
        return int(getattr(self.settings, setting))

    def parameter(self, name: str, out: Fixed | None) -> Quantized:
        """Return a parameter as integers, by its role; `out` is what the node will send.

        Raises
        ------
        GraphError
            If its role does not say where its exponent comes from.
        RangeError
            If it fits no format.
        """
        role, values = self.node.roles[name], np.asarray(getattr(self.node, name))
        bits = role.bits if isinstance(role.bits, int) else self.bits(role.bits)
        if role.is_compared and self.node.compares:
            return self._threshold(values, bits, role.label or name)
        frac = self._frac(name, role, values, bits, out)
        if role.rounding == "up":
            return Quantized(ceil_to(values, frac, bits), frac, bits)
        if values.ndim > 1:
            return rounded(values, frac, bits, role.label or name)
        return Quantized(round_to(values, frac, bits), frac, bits)

    def _threshold(self, values: Reals, bits: int, label: str) -> Quantized:
        within = reached(self.name, self.graph, self.rules)
        return thresholds(values, within, self.arriving.by_channel, bits, f"the {label}")

    def _frac(self, name: str, role: Parameter, values: Reals, bits: int, out: Fixed | None) -> int:
        if role.exponent == "input":
            return self.arriving.frac
        if role.exponent == "output" and out is not None:
            return out.frac
        if role.exponent == "own":
            return fit_frac(float(np.abs(values).max()), bits)
        kind = type(self.node).__name__
        raise GraphError(
            f"node {self.name!r} ({kind})",
            expected=f"a rule for the exponent of its {name}",
            got="none",
            remedy=f"say it where the field is declared, or write {kind}.quantize",
        )

    def widest(self, name: str = "") -> int:
        """Return the width of an activation: one bit less where a threshold behind is out of reach.

        So not even an activation that saturates reaches the largest threshold. The default is this
        node.
        """
        for target in self.graph.targets[name or self.name]:
            node = self.graph.nodes[target]
            compares = node.compares and compared(node) is not None
            if compares and not reached(target, self.graph, self.rules).all():
                return MESSAGE_BITS - 1
        return MESSAGE_BITS

    def range_of(self, name: str) -> float:
        """Largest magnitude of an activation, with the headroom."""
        return self.rules.message(name).value

    def message(self) -> Fixed:
        """Return a format for the range of this node's activations that those behind can hold."""
        return self.decide().format

    def decide(self) -> Decision:
        """Return that format, with what decided it.

        It holds a constant that the node adds, too, and has no more fraction bits than the exact
        result.
        """
        node, held = self.node, self.rules.message(self.name)
        bits = min(self.widest(), *(self.bits(setting) for setting in node.ranged))
        largest = max(held.value, node.constant)
        limits = (
            (fit_frac(largest, bits), f"its range in {bits} bits"),
            (node.finest(self.arriving.formats), "the exact result has no more fraction bits"),
            (self._most_for_synapses(), "the sums of the synapses behind it"),
            (self.most_for_membranes(), "the membranes behind it"),
            (self._most_for_comparisons(self.name), "the thresholds and knots behind it"),
        )
        frac, reason = min(limits, key=lambda limit: limit[0])
        if node.constant > held.value:
            reason += " (its constant is larger than its range)"
        while True:
            needed = next(
                b for b in range(2, bits + 1) if fit_frac(largest, b) >= frac or b == bits
            )
            fmt = Fixed(needed, frac)
            if self._fits_accumulators(fmt) or frac == -64:
                return Decision(fmt, held, reason)
            frac, reason = frac - 1, "the 32-bit accumulators behind it"

    def term_frac(self, bits: int) -> int:
        """Return the fraction bits for sums over time of what arrives, in terms of `bits` bits."""
        fits = fit_frac(self.range_of(self.graph.sources[self.name][0]), bits)
        return min(fits, self.arriving.frac, self.most_for_membranes())

    def membranes(self, name: str = "") -> Fit:
        """Return what suits the states of a neuron that spikes; the default is this node."""
        name = name or self.name
        bits, leaks = self.settings.state_bits, self.settings.leak_bits
        return fit_of(self.graph.nodes[name], Fitting(name, self.graph, self.rules, bits, leaks))

    def most_for_membranes(self, name: str = "") -> int:
        """Return the fraction bits with which membranes behind a node need no shift.

        Not at the price of an activation's own `OWN_BITS`: a membrane may have another unit than
        what arrives. The default is this node.
        """
        name = name or self.name
        behind = membranes_behind(self.graph, name)
        if not behind:
            return 64
        wanted = min(self.membranes(target).message for target in behind)
        return max(wanted, fit_frac(self.range_of(name), OWN_BITS))

    def _most_for_comparisons(self, name: str) -> int:
        """Return the fraction bits with which thresholds and knots behind a node fit their width.

        They have the format of what is compared with them, however small that stays.
        """
        most = 64
        for target in self.graph.targets[name]:
            numbers = compared(self.graph.nodes[target])
            if numbers is not None:
                within = reached(target, self.graph, self.rules)
                largest = np.where(within, np.abs(np.asarray(numbers)), 0.0).max()
                # rounding up adds less than a unit
                if largest > 0:
                    most = min(most, fit_frac(largest * (1 + 2.0**-22), MESSAGE_BITS))
        return most

    def _most_for_synapses(self) -> int:
        """Return the fraction bits with which the sums of all synapses behind still fit."""
        most = 64
        for target, node in synapses_behind(self.graph, self.name):
            room = fit_frac(self.range_of(target), self.widest(target))
            room = min(room, self.most_for_membranes(target), self._most_for_comparisons(target))
            most = min(most, room - weight_frac(node, self.settings.weight_bits, graded=True))
        return most

    def _fits_accumulators(self, fmt: Fixed, name: str = "") -> bool:
        """Tell whether no synapses behind could leave their accumulators, whatever arrives.

        Behind a convolution that feeds synapses, as pooling does, those count too.
        """
        for target, node in synapses_behind(self.graph, name or self.name):
            bits = self.settings.weight_bits
            frac = weight_frac(node, bits, graded=True)
            mantissas = round_to(np.asarray(node.weight), frac, bits)
            rows = mantissas.reshape(len(mantissas), -1)
            edges = len(self.graph.sources[target])
            bias = float(np.abs(np.asarray(node.bias)).max()) * 2.0 ** (frac + fmt.frac) + 1
            bound = edges * accumulator_bound(rows, fmt.high) + bias
            if 2 * bound > symmetric_limit(ACCUMULATOR_BITS):
                return False
            if isinstance(node, Conv2d):
                bits_sent = min(max(int(bound).bit_length() + 1, 2), self.widest(target))
                sent = min(max(frac + fmt.frac, -FINEST), FINEST)
                if not self._fits_accumulators(Fixed(bits_sent, sent), target):
                    return False
        return True


@singledispatch
def quantize_node(node: Node, to: QuantizeContext) -> Node:
    """Return a node as integers: by itself, or as it is registered for its type."""
    return node.quantize(to)
