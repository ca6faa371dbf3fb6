"""The same primitives as scalars for compiled kernels, exact in float64.

An integer of the contract stays below 2**53, so float64 holds it exactly: a product by a factor
``m * 2**-k`` is exact, and dropping its fraction with ``trunc`` is the shift toward zero. The
machine has vector instructions for this and none for 64-bit integer shifts.
"""

from __future__ import annotations

import numpy as np

from neurossm.compiling import njit

EXACT_BITS = 53


@njit(inline="always")
def multiply_shift(scaled: float, value: float) -> float:
    """Return ``shift(m * value, k)`` for ``scaled = m * 2**-k``."""
    return np.trunc(scaled * value)  # type: ignore[no-any-return]  # Numba types it


@njit(inline="always")
def to_units(value: float, offset: float, unit: float) -> float:
    """Return what `Scaling.to_integers` makes of a real value before it is clipped."""
    units: float = np.rint((value - offset) / unit)
    return units


@njit(inline="always")
def is_whole(value: float) -> bool:
    """Tell whether a number is whole; nan and infinities are not."""
    whole: bool = np.trunc(value) == value and abs(value) <= 2.0**EXACT_BITS
    return whole


@njit(inline="always")
def clip(value: float, limit: float) -> float:
    """Return `value` saturated to ``[-limit, limit]``."""
    return min(max(value, -limit), limit)


@njit(inline="always")
def clipped(value: float, limit: float) -> float:
    """Return 1.0 where `clip` changes the value, else 0.0."""
    return 1.0 if abs(value) > limit else 0.0


@njit(inline="always")
def shift_int(value: int, right: int) -> int:
    """Return ``shift(value, right)`` on an int64."""
    if right <= 0:
        return value << -right
    magnitude = abs(value) >> min(right, 62)
    return magnitude if value >= 0 else -magnitude


@njit(inline="always")
def clip_int(value: int, limit: int) -> int:
    """Return `value` saturated to ``[-limit, limit]``."""
    return min(max(value, -limit), limit)
