"""What a quantizer may look at, and how fine a message may be: room for all that is behind it.

A message of more fraction bits is more exact and needs more room: in its own width, in the
accumulators of the synapses that receive it, in the membranes that add it up.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import (
    ACCUMULATOR_BITS,
    LEAK_FRAC,
    MESSAGE_BITS,
    Fixed,
    accumulator_bound,
    fit_frac,
    round_leaks,
    round_to,
    symmetric_limit,
)
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Array, Node, PiecewiseLinear, TernaryThreshold, Threshold
from neurossm.passes.ranges import Range, RangeRules


class Settings(Protocol):
    """The settings that formats follow; `neurossm.passes.quantize.Quantize` describes them."""

    @property
    def pole_bits(self) -> int:
        """Width of each part of a pole."""

    @property
    def weight_bits(self) -> int:
        """Width of mantissas of weights and gains."""

    @property
    def state_bits(self) -> int:
        """Width of the states."""

    @property
    def message_bits(self) -> int:
        """Widest graded message."""

    @property
    def stream_bits(self) -> int:
        """Width that a sum aims at."""

    @property
    def segment_bits(self) -> int:
        """Width of slopes and of what segments send."""

    @property
    def headroom(self) -> int:
        """Bits kept free above the largest value seen."""


@dataclass(frozen=True)
class FormatNote:
    """Why a node's messages have their format: the range they hold, and what set the exponent."""

    held: Range
    reason: str


@dataclass(frozen=True)
class Here:
    """What a quantizer may look at: the settings, the ranges, the formats that arrive."""

    settings: Settings
    graph: Graph
    rules: RangeRules
    done: Mapping[str, Node]
    name: str
    notes: dict[str, FormatNote] = field(default_factory=dict)  # it adds what `format` decides

    @property
    def arriving(self) -> list[Fixed]:
        """Formats of the messages that arrive, one an edge."""
        formats = [self.done[source].out for source in self.graph.sources[self.name]]
        return [fmt for fmt in formats if fmt is not None]

    @property
    def frac(self) -> int:
        """Fraction bits of what arrives."""
        return self.arriving[0].frac

    def range_of(self, name: str) -> float:
        """Largest magnitude of a message, with the headroom."""
        return self.rules.message(name).value

    def format(self, bits: int, most: int = 64, constant: float = 0.0) -> Fixed:
        """Return a format for this node's range and for a constant that is added to its output.

        At most `bits` bits, and at most `most` fraction bits; what is behind has room for it.
        """
        held = self.rules.message(self.name)
        largest = max(held.value, constant)
        limits = (
            (fit_frac(largest, bits), f"its range in {bits} bits"),
            (most, "the exact result has no more fraction bits"),
            (self._most_for_synapses(), "the sums of the synapses behind it"),
            (self.most_for_membranes(), "the membranes behind it"),
            (self._most_for_comparisons(self.name), "the thresholds and knots behind it"),
        )
        frac, reason = min(limits, key=lambda limit: limit[0])
        if constant > held.value:
            reason += " (its constant is larger than its range)"
        while True:
            needed = next(
                b for b in range(2, bits + 1) if fit_frac(largest, b) >= frac or b == bits
            )
            fmt = Fixed(needed, frac)
            if self._fits_accumulators(fmt) or frac == -64:
                self.notes[self.name] = FormatNote(held, reason)
                return fmt
            frac, reason = frac - 1, "the 32-bit accumulators behind it"

    def most_for_membranes(self, name: str = "") -> int:
        """Return the fraction bits with which membranes and traces behind a node fit their states.

        With inputs up to ``y`` a membrane stays within ``y / (1 - tau)``, a trace within
        ``kappa / (1 - rho)``: neither can saturate while inputs stay within the headroom. One that
        does not leak stays within as many ``y`` as there are steps; where nobody said how many, it
        gets room for 4096. The default is this node.
        """
        most, steps = 64, self.graph.meta.get("steps")
        longest = steps if isinstance(steps, int) and steps > 0 else 2**LEAK_FRAC
        for target in self.graph.targets[name or self.name]:
            node = self.graph.nodes[target]
            if isinstance(node, LIF):
                membrane = self.rules.membrane(target, _lost(node.tau, longest))
                # rounding kappa up by half a unit adds up to 2048 units of the largest trace
                trace = np.asarray(node.kappa) / _lost(node.rho, longest) * (1 + 2.0**-11)
                largest = np.max([membrane, trace, np.asarray(node.theta)])
                most = min(most, fit_frac(float(largest), self.settings.state_bits))
        return most

    def _most_for_comparisons(self, name: str) -> int:
        """Return the fraction bits with which thresholds and knots behind a node fit their width.

        They have the format of what is compared with them, however small that stays.
        """
        most = 64
        for target in self.graph.targets[name]:
            node = self.graph.nodes[target]
            if isinstance(node, Threshold | TernaryThreshold | PiecewiseLinear):
                largest = float(np.abs(np.asarray(_compared(node))).max())
                # rounding up adds less than a unit
                most = min(most, fit_frac(largest * (1 + 2.0**-22), MESSAGE_BITS))
        return most

    def _most_for_synapses(self) -> int:
        """Return the fraction bits with which the sum of every Affine behind still fits."""
        most = 64
        for target in self.graph.targets[self.name]:
            node = self.graph.nodes[target]
            if isinstance(node, Affine):
                room = fit_frac(self.range_of(target), MESSAGE_BITS)
                room = min(room, self.most_for_membranes(target))
                room = min(room, self._most_for_comparisons(target))
                most = min(most, room - weight_frac(node, self.settings.weight_bits, graded=True))
        return most

    def _fits_accumulators(self, fmt: Fixed) -> bool:
        """Tell whether no Affine behind could leave its accumulator, whatever arrives."""
        for target in self.graph.targets[self.name]:
            node = self.graph.nodes[target]
            if not isinstance(node, Affine):
                continue
            bits = self.settings.weight_bits
            frac = weight_frac(node, bits, graded=True)
            mantissas = round_to(np.asarray(node.weight), frac, bits)
            edges = len(self.graph.sources[target])
            bias = float(np.abs(np.asarray(node.bias)).max()) * 2.0 ** (frac + fmt.frac) + 1
            bound = edges * accumulator_bound(mantissas, fmt.high) + bias
            if 2 * bound > symmetric_limit(ACCUMULATOR_BITS):
                return False
        return True


def weight_frac(node: Affine, bits: int, *, graded: bool) -> int:
    """Return the fraction bits of synapses: their largest weight just fits.

    Ternary weights that receive graded messages, all -s, 0 or s with a power of two s, become -1,
    0 and 1: then messages are added and nothing is multiplied. Spikes are added in any case, and
    the bias is finer the more fraction bits the weights have.
    """
    magnitudes = np.abs(np.asarray(node.weight))
    largest = float(magnitudes.max())
    mantissa, exponent = math.frexp(largest)
    if graded and mantissa == 0.5 and np.all((magnitudes == 0) | (magnitudes == largest)):
        return 1 - exponent
    return fit_frac(largest, bits)


def _compared(node: Threshold | TernaryThreshold | PiecewiseLinear) -> Array:
    """Return what a node compares its input with."""
    match node:
        case Threshold():
            return node.theta
        case TernaryThreshold():
            return node.delta
        case PiecewiseLinear():
            return node.knots


def _lost(leaks: object, longest: int) -> NDArray[np.float64]:
    """Return what a state loses at each step with rounded leaks; without leak, one of `longest`."""
    mantissas = round_leaks(np.asarray(leaks, dtype=np.float64), LEAK_FRAC)
    lost = 1 - mantissas * 2.0**-LEAK_FRAC
    return np.asarray(np.where(lost > 0, lost, 1 / longest), dtype=np.float64)
