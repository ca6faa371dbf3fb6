"""The settings that formats follow."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.arguments import shown
from neurossm.deprecation import deprecated
from neurossm.errors import InputError
from neurossm.fixed import (
    LEAK_FRAC,
    MESSAGE_BITS,
    POLE_BITS,
    STATE_BITS,
    WEIGHT_BITS,
    WIDEST_LEAK_FRAC,
)
from neurossm.quantization.ranges import check_rules


@dataclass(frozen=True)
class Settings:
    """Widths, headroom, and which ranges decide.

    Attributes
    ----------
    pole_bits
        Width of each part of a pole, with sign; 16 is Q1.15.
    weight_bits
        Width of synaptic mantissas and of b, c and d.
    state_bits
        Width of the states of `DiagonalSSM` and `LIF`, at most 24.
    leak_bits
        Most fraction bits of the leaks of a `LIF`, 12 to 20. They get 12, as the decays of Lava's
        own neurons have, and more where those move the response of a slow leak.
    activation_bits
        Widest activation (on a chip: graded spike) that a neuron sends. Sums of synapses, and
        the readout's sum over time, keep their 24 bits: they are inside of what receives them.
    stream_bits
        Width that a residual stream aims at: what graded synapses receive.
    segment_bits
        Width of the slopes and outputs of a `PiecewiseLinear`.
    headroom
        Bits kept free above the largest value (or the percentile) seen in calibration.
    range_rule
        ``observed``, ``percentile``, ``bound`` or ``tightest``, see `neurossm.quantization.ranges`.
    range_rules
        Pairs of a node's name, or a pattern of names, and another rule for it.
    """

    pole_bits: int = POLE_BITS
    weight_bits: int = WEIGHT_BITS
    state_bits: int = STATE_BITS
    leak_bits: int = WIDEST_LEAK_FRAC
    activation_bits: int = MESSAGE_BITS
    stream_bits: int = 16
    segment_bits: int = 12
    headroom: int = 1
    range_rule: str = "observed"
    range_rules: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in (
            ("pole_bits", 3, POLE_BITS),
            ("weight_bits", 2, WEIGHT_BITS),
            ("state_bits", 8, STATE_BITS),
            ("leak_bits", LEAK_FRAC, WIDEST_LEAK_FRAC),
            ("activation_bits", 4, MESSAGE_BITS),
            ("stream_bits", 4, MESSAGE_BITS),
            ("segment_bits", 4, 16),
            ("headroom", 0, 8),
        ):
            value = getattr(self, name)
            if (
                type(value) is float
                or isinstance(value, bool | str)
                or not hasattr(value, "__index__")
                or not low <= value <= high
            ):
                raise InputError(f"quantize {name}", expected=f"{low} to {high}", got=shown(value))
        check_rules(self.range_rule, self.range_rules)

    @property
    def message_bits(self) -> int:
        """Old name of `activation_bits`."""
        deprecated("Quantize.message_bits", "Quantize.activation_bits")
        return self.activation_bits

    def uses(self, *rules: str) -> bool:
        """Tell whether one of these range rules may decide for some node."""
        return bool({self.range_rule, *(rule for _, rule in self.range_rules)} & set(rules))
