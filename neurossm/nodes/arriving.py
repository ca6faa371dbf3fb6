"""The formats of the inputs of a node, for checking its integers and for quantizing it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import MESSAGE_BITS, Fixed, Quantized, symmetric_limit

EXACT = 2**52  # integers up to here are exact in the float64 of the fast engine, with room to add
Frac = int | NDArray[np.int64]
NARROWER = "take messages of fewer bits in front of it"
Finding = tuple[str, str] | tuple[str, str, str]  # what a rule expects, what there is, what to do


@dataclass(frozen=True, eq=False)
class Arriving:
    """Formats of what arrives at a node.

    Attributes
    ----------
    formats
        One an edge; none at an `Input`.
    by_channel
        Fraction bits of the first edge: one number, or ``(C,)`` where channels differ.
    """

    formats: tuple[Fixed, ...]
    by_channel: Frac = 0

    @property
    def frac(self) -> int:
        """Fraction bits of the first edge."""
        return self.formats[0].frac

    @property
    def high(self) -> int:
        """Largest integer that arrives: several edges saturate on entry."""
        return min(sum(fmt.high for fmt in self.formats), symmetric_limit(MESSAGE_BITS))


class Quantizing(Protocol):
    """What a node may ask when it becomes integers; `neurossm.quantization` answers."""

    @property
    def name(self) -> str:
        """Name of the node in its graph."""

    @property
    def arriving(self) -> Arriving:
        """What arrives, as integers."""

    def bits(self, setting: str) -> int:
        """Return the width that a setting of `Quantize` asks for, such as ``weight_bits``."""

    def message(self) -> Fixed:
        """Return a format for the range of the node's activations that those behind can hold."""

    def parameter(self, name: str, out: Fixed | None) -> Quantized:
        """Return a parameter as integers, by its role; `out` is what the node will send."""

    def term_frac(self, bits: int) -> int:
        """Return the fraction bits for sums over time of what arrives, in terms of `bits` bits."""


def same(what: str, expected: int, got: object) -> Iterator[Finding]:
    """Yield a finding where fraction bits are not the one number that is expected."""
    if not isinstance(got, int) or got != expected:
        yield f"{what} {expected}", str(got)


def alike(what: str, expected: Frac, got: Quantized) -> Iterator[Finding]:
    """Yield a finding where the exponents of a parameter differ, in some channel, from expected."""
    if not np.array_equal(np.broadcast_to(expected, got.shape), got.frac_by_channel()):
        yield f"{what} {expected}", str(got.frac)
