"""Number formats as values: `Fixed` describes activations, `Quantized` holds integer parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import RangeError
from neurossm.fixed.arithmetic import symmetric_limit

# Loihi 2 widths, ARCHITECTURE.md "The integer contract"
WEIGHT_BITS = 8
POLE_BITS = 16
STATE_BITS = 24
MESSAGE_BITS = 24
ACCUMULATOR_BITS = 32
LEAK_FRAC = 12  # leaks are unsigned 12-bit fractions, as the decay constants of Lava's LIF
WIDEST_LEAK_FRAC = 20  # times a state of 24 bits, far below 2**52

Kind = Literal["graded", "binary", "ternary"]
KINDS: tuple[Kind, ...] = ("graded", "binary", "ternary")


@dataclass(frozen=True)
class Fixed:
    """Format of an activation: the integer ``m`` stands for the real value ``m * 2**-frac``.

    Parameters
    ----------
    bits
        Width of a graded spike with its sign, 2 to 24. Values lie in
        ``[-(2**(bits-1) - 1), 2**(bits-1) - 1]``, symmetric as in Lava's saturating states.
    frac
        Number of fraction bits; negative for units larger than one.
    kind
        ``graded``; ``binary``, values 0 and 1; ``ternary``, values -1, 0 and 1.

    Raises
    ------
    RangeError
        If the width, exponent or kind is not one of the above.
    """

    bits: int
    frac: int = 0
    kind: Kind = "graded"

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise RangeError(
                "message format", expected=f"kind {' | '.join(KINDS)}", got=repr(self.kind)
            )
        for what, value in (("bits", self.bits), ("fraction bits", self.frac)):
            if not hasattr(value, "__index__"):
                raise RangeError("message format", expected=f"a whole number of {what}",
                                 got=repr(value))  # fmt: skip
        expected_bits = {"binary": 1, "ternary": 2}.get(self.kind)
        if expected_bits is not None and (self.bits, self.frac) != (expected_bits, 0):
            raise RangeError(
                f"{self.kind} message format",
                expected=f"{expected_bits} bits, 0 fraction bits",
                got=f"{self.bits} bits, {self.frac}",
            )
        if self.kind == "graded" and not 2 <= self.bits <= MESSAGE_BITS:
            raise RangeError(
                "message format", expected=f"2 to {MESSAGE_BITS} bits", got=str(self.bits)
            )
        if not -64 <= self.frac <= 64:
            raise RangeError(
                "message format", expected="-64 to 64 fraction bits", got=str(self.frac)
            )

    @classmethod
    def binary(cls) -> Fixed:
        """Return the format of a spike: 0 or 1."""
        return cls(1, 0, "binary")

    @classmethod
    def ternary(cls) -> Fixed:
        """Return the format of a signed spike: -1, 0 or 1."""
        return cls(2, 0, "ternary")

    @property
    def low(self) -> int:
        """Smallest integer of the format."""
        return 0 if self.kind == "binary" else -self.high

    @property
    def high(self) -> int:
        """Largest integer of the format."""
        return symmetric_limit(self.bits) if self.kind == "graded" else 1

    @property
    def is_spike(self) -> bool:
        """True where a synapse only adds or subtracts its weight."""
        return self.kind != "graded"

    def __str__(self) -> str:
        return f"s{self.bits}.{self.frac}" if self.kind == "graded" else self.kind


@dataclass(frozen=True, eq=False)
class Quantized:
    """Integer parameters with their number format: real value = ``values * 2**-frac``.

    Parameters
    ----------
    values
        Signed integers, made read-only int64, within ``bits`` bits (symmetric).
    frac
        Fraction bits: one number, or shape ``(C,)``, one for each index of the first axis of
        ``values`` (an exponent by channel: inside a neuron, and of synapses that lead into neurons
        alone).
    bits
        Declared width with sign.

    Raises
    ------
    RangeError
        If a value is not an integer or does not fit, or if ``frac`` has the wrong shape.
    """

    values: NDArray[np.int64]
    frac: int | NDArray[np.int64]
    bits: int

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if not np.issubdtype(values.dtype, np.integer):
            raise RangeError("integer parameters", expected="integers", got=str(values.dtype))
        if not 2 <= self.bits <= ACCUMULATOR_BITS:
            raise RangeError("integer parameters", expected="2 to 32 bits", got=str(self.bits))
        limit = symmetric_limit(self.bits)
        if values.size and (values.max() > limit or values.min() < -limit):
            raise RangeError(
                "integer parameters",
                expected=f"values in +-{limit} ({self.bits} bits)",
                got=f"{values.min()} to {values.max()}",
            )
        object.__setattr__(self, "values", _frozen(values))
        if np.ndim(self.frac) == 0:
            object.__setattr__(self, "frac", int(self.frac))
            fracs = np.array([self.frac])
        else:
            fracs = np.asarray(self.frac)
            if not np.issubdtype(fracs.dtype, np.integer) or fracs.shape != values.shape[:1]:
                raise RangeError(
                    "exponents by channel",
                    expected=f"integers of shape {values.shape[:1]}",
                    got=f"{fracs.dtype} of shape {fracs.shape}",
                )
            object.__setattr__(self, "frac", _frozen(fracs))
        if fracs.size and np.abs(fracs).max() > 64:
            raise RangeError("exponents", expected="-64 to 64", got=str(np.abs(fracs).max()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the parameters."""
        return self.values.shape

    def frac_by_channel(self) -> NDArray[np.int64]:
        """Return the fraction bits as an array that broadcasts against ``values``."""
        fracs = np.broadcast_to(np.asarray(self.frac, dtype=np.int64), self.values.shape[:1])
        return fracs.reshape(fracs.shape + (1,) * (self.values.ndim - 1))

    def dequantize(self) -> NDArray[np.float64]:
        """Return the real values, exact in float64, same shape."""
        if self.values.ndim == 0:
            return np.asarray(np.ldexp(self.values.astype(np.float64), -int(self.frac)))
        return np.ldexp(self.values.astype(np.float64), -self.frac_by_channel())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Quantized):
            return NotImplemented
        return (
            self.bits == other.bits
            and np.array_equal(self.values, other.values)
            and np.array_equal(np.asarray(self.frac), np.asarray(other.frac))
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays


def _frozen(array: NDArray[np.generic]) -> NDArray[np.int64]:
    copy = np.array(array, dtype=np.int64)
    copy.setflags(write=False)
    return copy
