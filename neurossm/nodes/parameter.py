"""The role of a field of a node that holds numbers, said where the field is declared.

From it follow the checks of shape and range, the integers that quantizing makes of the field, the
exponent that the integer contract asks for, and the line in the report of quantizing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import MESSAGE_BITS, Quantized
from neurossm.nodes.values import Array

_ROLE = "parameter"


@dataclass(frozen=True)
class Parameter:
    """What a field of numbers is.

    Attributes
    ----------
    axes
        Its axes, a letter each: ``C`` channels, ``O`` and ``I`` out and in, ``N`` modes, ``K``
        segments. One letter is one size within a node.
    exponent
        Where its exponent comes from. ``input``: it has that of what arrives, by channel where that
        differs by channel and the node compares. ``output``: that of what the node sends. ``own``:
        one for all, so that the largest of its numbers just fits. Empty: the node says so itself,
        in `Node.check` and `Node.quantize`.
    rounding
        ``nearest``, or ``up`` for what is compared: integers then compare as real numbers do.
    bits
        Width of the integers, or the setting of `Quantize` that says it, such as ``weight_bits``.
    most
        Most bits that its integers may have by the contract; 0: as many as a mantissa has.
    above, at_least, at_most, below
        Ends of its range. What rounds may reach an end that real numbers stay below.
    label
        What messages call it, such as ``threshold``; its name where empty.
    reason
        Why it has its exponent, for the report of quantizing; empty: it is not listed.
    """

    axes: str
    exponent: str = ""
    rounding: str = "nearest"
    bits: int | str = MESSAGE_BITS
    most: int = 0
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    below: float | None = None
    label: str = ""
    reason: str = ""

    @property
    def is_compared(self) -> bool:
        """True where what arrives is compared with it, in its own format."""
        return self.exponent == "input" and self.rounding == "up"

    def check_range(self, value: Array, where: str) -> None:
        """Raise `GraphError` for numbers outside of its range."""
        if self.above is self.at_least is self.at_most is self.below is None:
            return
        integer = isinstance(value, Quantized)
        numbers = value.values if isinstance(value, Quantized) else value
        # exponents by channel where one is asked for do not keep the contract, which says so later
        one = 2 ** max(int(np.max(value.frac)), 0) if isinstance(value, Quantized) else 1
        least, largest = numbers.min(), numbers.max()
        within, words = [], []
        if self.above is not None:
            within.append(least > self.above * one)
            words.append(f"above {self.above * one:.15g}")
        if self.at_least is not None:
            within.append(least >= self.at_least * one)
            words.append(f"at least {self.at_least * one:.15g}")
        if (end := self.below if self.at_most is None else self.at_most) is not None:
            closed = integer or self.at_most is not None  # rounding to nearest may reach the end
            within.append(largest <= end * one if closed else largest < end * one)
            words.append(f"{'at most' if closed else 'below'} {end * one:.15g}")
        if not all(within):
            got = f"{least:g}" if end is None else f"{least:g} to {largest:g}"
            raise GraphError(where, expected=" and ".join(words), got=got)

    def example(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
        """Return random real numbers inside of its range."""
        lows = [end for end in (self.above, self.at_least) if end is not None]
        highs = [end for end in (self.below, self.at_most) if end is not None]
        if not lows and not highs:
            return np.asarray(rng.standard_normal(shape))
        low = max(lows, default=min(highs, default=0.0) - 2)
        high = min(highs, default=low + 2)
        return np.asarray(low + (high - low) * rng.uniform(0.01, 0.99, shape))


def parameter(
    axes: str,
    *,
    exponent: str = "",
    rounding: str = "nearest",
    bits: int | str = MESSAGE_BITS,
    most: int = 0,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    below: float | None = None,
    label: str = "",
    reason: str = "",
) -> Any:
    """Declare a field of numbers of a node: ``theta: Array = parameter("C", above=0)``.

    See `Parameter` for the arguments.
    """
    role = Parameter(
        axes, exponent, rounding, bits, most, above, at_least, at_most, below, label, reason
    )
    return field(metadata={_ROLE: role})


def declared(cls: type) -> dict[str, Parameter]:
    """Return the parameters that the body of a class declares, by name, in order."""
    return {
        name: value.metadata[_ROLE]
        for name, value in vars(cls).items()
        if isinstance(value, Field) and _ROLE in value.metadata
    }


def check_fields(kind: str, roles: Mapping[str, Parameter], values: Mapping[str, Array]) -> None:
    """Raise `GraphError` for fields of a node of this kind that do not fit their roles."""
    sizes: dict[str, int] = {}
    for name, role in roles.items():
        shape, letters = values[name].shape, role.axes
        if len(shape) != len(letters):
            expected = f"{len(letters)} axes ({', '.join(letters)})"
            raise GraphError(f"{kind}.{name}", expected=expected, got=f"shape {shape}")
        for letter, size in zip(letters, shape, strict=True):
            if sizes.setdefault(letter, size) != size or size == 0:
                expected = f"{letter} = {sizes[letter]}, not empty"
                raise GraphError(f"{kind}.{name}", expected=expected, got=f"shape {shape}")
    if len({isinstance(value, Quantized) for value in values.values()}) > 1:
        expected = "all parameters float or all integer"
        raise GraphError(kind, expected=expected, got="a mixture")
    for name, role in roles.items():
        role.check_range(values[name], f"{kind}.{name}")


def drawn_fields(
    roles: Mapping[str, Parameter], rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Return random real numbers within their ranges for each field, of sizes from 1 to 4."""
    sizes = {letter: int(rng.integers(1, 5)) for role in roles.values() for letter in role.axes}
    return {
        name: role.example(rng, tuple(sizes[letter] for letter in role.axes))
        for name, role in roles.items()
    }
