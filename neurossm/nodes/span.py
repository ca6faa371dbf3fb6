"""Spans of values, the registers that hold them, and the fan-in sum of a node in the worst case."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import MESSAGE_BITS, Fixed, symmetric_limit

Reals = NDArray[np.float64]
ROUNDING = 1 + 1e-9  # these bounds are computed in float64, whose sums may round down


@dataclass(frozen=True, eq=False)
class Span:
    """All values from `low` to `high` of each channel, ``(C,)``, real units."""

    low: Reals
    high: Reals

    def __post_init__(self) -> None:
        # zero times an infinite bound: nothing is known
        object.__setattr__(self, "low", np.where(np.isnan(self.low), -np.inf, self.low))
        object.__setattr__(self, "high", np.where(np.isnan(self.high), np.inf, self.high))

    @property
    def largest(self) -> float:
        """Largest magnitude over all channels."""
        return float(np.maximum(np.abs(self.low), np.abs(self.high)).max())

    @property
    def magnitude(self) -> Reals:
        """Largest magnitude of each channel, ``(C,)``."""
        return np.asarray(np.maximum(np.abs(self.low), np.abs(self.high)))

    def __add__(self, other: Span) -> Span:
        return Span(self.low + other.low, self.high + other.high)

    def with_zero(self) -> Span:
        """Return the span and 0, which is what comes before the first step."""
        return Span(np.minimum(self.low, 0.0), np.maximum(self.high, 0.0))

    def wider(self, by: Reals | float) -> Span:
        """Return the span with something added to both ends."""
        return Span(self.low - by, self.high + by)

    def shifted(self, unit: Reals | float) -> Span:
        """Return what a shift toward zero leaves: no end grows, an end that is not 0 may shrink."""
        low = np.where(self.low > 0, np.maximum(self.low - unit, 0.0), self.low)
        return Span(low, np.where(self.high < 0, np.minimum(self.high + unit, 0.0), self.high))

    def within(self, limit: Reals | float) -> Span:
        """Return what saturation leaves of it."""
        low, high = (np.maximum(np.minimum(end, limit), -limit) for end in (self.low, self.high))
        return Span(low, high)


@dataclass(frozen=True, eq=False)
class Register:
    """Where values are kept in a width: a sum that enters, a state, an activation.

    Attributes
    ----------
    what
        ``accumulator`` (of synapses), ``sum of edges``, ``state``, ``membrane``, ``trace``,
        ``term``, ``activation``.
    bound
        Largest magnitudes that are possible, real units, ``(C,)`` or ``(C, N)``.
    unit
        Real value of one unit, of a shape that broadcasts; 0 in a float graph.
    bits
        Width with sign; 0 in a float graph.
    """

    what: str
    bound: Reals
    unit: Reals | float
    bits: int

    @property
    def largest(self) -> int | None:
        """The bound in whole units, of the element with the least room; None where infinite."""
        units = float((self.bound * ROUNDING / self.unit).max())
        return math.floor(units) if math.isfinite(units) else None

    @property
    def limit(self) -> int:
        """Largest magnitude that the width holds."""
        return symmetric_limit(self.bits)

    @property
    def holds(self) -> bool:
        """True where no value can leave the width."""
        return self.largest is not None and self.largest <= self.limit


@dataclass(frozen=True, eq=False)
class FanIn:
    """The inputs of a node whose worst case is asked for.

    Attributes
    ----------
    operands
        All values of each edge.
    formats
        Their formats; None in a float graph.
    steps
        For how many steps the bound is to hold; None for any number.
    out
        Format of what the node sends; None in a float graph, where nothing is rounded or clipped.
    unit
        Real value of one unit of that, by channel where they differ; 0 in a float graph.
    """

    operands: list[Span]
    formats: list[Fixed | None]
    steps: int | None
    out: Fixed | None = None
    unit: Reals | float = 0.0

    @property
    def unit_in(self) -> float:
        """Real value of one unit of what arrives; 0 in a float graph."""
        fmt = self.formats[0]
        return 0.0 if fmt is None or self.out is None else 2.0**-fmt.frac

    @property
    def total(self) -> Span:
        """The sum of all edges."""
        return sum(self.operands[1:], start=self.operands[0])

    @property
    def u(self) -> Span:
        """The one input of a node whose edges add, after it saturates on entry."""
        if not self._saturates:
            return self.total
        return self.total.within(symmetric_limit(MESSAGE_BITS) * self.unit_in)

    def entry(self) -> tuple[Register, ...]:
        """Return the register in which converging edges add, where there are several."""
        if not self._saturates:
            return ()
        return (Register("sum of edges", self.total.magnitude, self.unit_in, MESSAGE_BITS),)

    def message(self, span: Span) -> Found:
        """Return what is sent of a span that saturates to the output's format, and the register."""
        if self.out is None:
            return span, ()
        register = Register("message", span.magnitude, self.unit, self.out.bits)
        return span.within(register.limit * self.unit), (register,)

    @property
    def _saturates(self) -> bool:
        return len(self.operands) > 1 and self.out is not None


Found = tuple[Span, tuple[Register, ...]]
