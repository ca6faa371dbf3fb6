"""Intervals: numbers of which only the two ends are known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from neurossm.hardware import Quantity


@dataclass(frozen=True)
class Interval:
    """All values from `low` to `high`, none of them negative.

    Examples
    --------
    >>> Interval(1, 2) * Interval(3, 5) + Interval(1, 1)
    Interval(low=4, high=11)
    """

    low: float
    high: float

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def __mul__(self, other: Interval | float) -> Interval:
        factor = other if isinstance(other, Interval) else Interval(other, other)
        return Interval(self.low * factor.low, self.high * factor.high)

    def as_json(self) -> list[float]:
        """Return ``[low, high]``."""
        return [self.low, self.high]


NOTHING = Interval(0, 0)


def exactly(value: float) -> Interval:
    """Return the interval of one known value."""
    return Interval(value, value)


def interval_of(quantity: Quantity) -> Interval:
    """Return the range of a published number."""
    return Interval(quantity.low, quantity.high)


def hull(parts: Iterable[Interval]) -> Interval:
    """Return the smallest interval that holds all `parts`, of which there is at least one."""
    found = list(parts)
    return Interval(min(part.low for part in found), max(part.high for part in found))


def known_hull(parts: Iterable[Interval | None]) -> Interval | None:
    """Return the hull of those `parts` that are known; None where none is."""
    found = [part for part in parts if part is not None]
    return hull(found) if found else None


def holds_everywhere(smaller: Interval, larger: Interval) -> float | None:
    """Return the factor by which `smaller` is below `larger` at least, or None if it may not be.

    A sentence "A takes k times less than B" is true over both whole intervals only for
    ``k <= B.low / A.high``; where that is not above 1, nothing may be said.

    Examples
    --------
    >>> holds_everywhere(Interval(1, 2), Interval(6, 9))
    3.0
    >>> holds_everywhere(Interval(1, 7), Interval(6, 9)) is None
    True
    """
    if smaller.high <= 0 or larger.low <= smaller.high:
        return None
    return larger.low / smaller.high
