"""What a quantizer may look at, and how fine a message may be: room for all that is behind it.

A message of more fraction bits is more exact and needs more room: in its own width, in the
accumulators of the synapses that receive it, in the membranes that add it up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import (
    ACCUMULATOR_BITS,
    MESSAGE_BITS,
    Fixed,
    Quantized,
    accumulator_bound,
    fit_frac,
    round_to,
    symmetric_limit,
)
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Affine,
    Node,
    PiecewiseLinear,
    TernaryThreshold,
    Threshold,
    message_frac,
)
from neurossm.quantization.bounds import Bounds
from neurossm.quantization.comparisons import compared, reached, thresholds
from neurossm.quantization.membranes import Fit, membrane_fit
from neurossm.quantization.ranges import Range, RangeRules
from neurossm.quantization.rows import weight_frac

OWN_BITS = 18  # of a message: coarser, what each product of a neuron drops would add up


class Settings(Protocol):
    """The settings that formats follow; `Quantize` describes them."""

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
    def leak_bits(self) -> int:
        """Most fraction bits of leaks."""

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
    worst: Callable[[], Bounds]  # of the graph; computed once, where it is asked for
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

    @property
    def frac_by_channel(self) -> int | NDArray[np.int64]:
        """Fraction bits of what arrives, ``(C,)`` where channels differ."""
        return message_frac(self.done[self.graph.sources[self.name][0]])

    @property
    def high(self) -> int:
        """Largest integer that arrives: several edges saturate on entry."""
        return min(sum(fmt.high for fmt in self.arriving), symmetric_limit(MESSAGE_BITS))

    def compared(self, real: NDArray[np.float64]) -> Quantized:
        """Return the thresholds of this node in the format of what arrives."""
        within = reached(self.name, self.graph, self.rules, self.worst)
        return thresholds(real, within, self.frac_by_channel, MESSAGE_BITS, "the threshold")

    def widest(self, name: str = "") -> int:
        """Return the width of a message: one bit less where a threshold behind is out of reach.

        So not even a message that saturates reaches the largest threshold. The default is this
        node.
        """
        for target in self.graph.targets[name or self.name]:
            compares = isinstance(self.graph.nodes[target], Threshold | TernaryThreshold)
            if compares and not reached(target, self.graph, self.rules, self.worst).all():
                return MESSAGE_BITS - 1
        return MESSAGE_BITS

    def range_of(self, name: str) -> float:
        """Largest magnitude of a message, with the headroom."""
        return self.rules.message(name).value

    def format(self, bits: int, most: int = 64, constant: float = 0.0) -> Fixed:
        """Return a format for this node's range and for a constant that is added to its output.

        At most `bits` bits, and at most `most` fraction bits; what is behind has room for it.
        """
        held, bits = self.rules.message(self.name), min(bits, self.widest())
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

    def membranes(self, name: str = "") -> Fit:
        """Return what suits the membranes of a `LIF`; the default is this node."""
        bits, leaks = self.settings.state_bits, self.settings.leak_bits
        return membrane_fit(name or self.name, self.graph, self.rules, self.worst, bits, leaks)

    def most_for_membranes(self, name: str = "") -> int:
        """Return the fraction bits with which membranes behind a node need no shift.

        Not at the price of a message's own `OWN_BITS`: a membrane may have another unit than what
        arrives. The default is this node.
        """
        name = name or self.name
        behind = [n for n in self.graph.targets[name] if isinstance(self.graph.nodes[n], LIF)]
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
            node = self.graph.nodes[target]
            if isinstance(node, Threshold | TernaryThreshold | PiecewiseLinear):
                within = reached(target, self.graph, self.rules, self.worst)
                largest = np.where(within, np.abs(np.asarray(compared(node))), 0.0).max()
                # rounding up adds less than a unit
                if largest > 0:
                    most = min(most, fit_frac(largest * (1 + 2.0**-22), MESSAGE_BITS))
        return most

    def _most_for_synapses(self) -> int:
        """Return the fraction bits with which the sum of every Affine behind still fits."""
        most = 64
        for target in self.graph.targets[self.name]:
            node = self.graph.nodes[target]
            if isinstance(node, Affine):
                room = fit_frac(self.range_of(target), self.widest(target))
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
