"""The arithmetic of the integer contract (FORMAT.md): shift toward zero, symmetric saturation."""

from __future__ import annotations

from typing import Any

import numpy as np


def tz(product: Any, right: Any) -> Any:
    """Return ``sign(p) * (|p| >> k)`` in 64 bits; a negative ``k`` shifts left."""
    p, k = np.asarray(product, np.int64), np.asarray(right, np.int64)
    magnitude = np.abs(p) << np.clip(-k, 0, 62)
    return np.sign(p) * (magnitude >> np.clip(k, 0, 62))


def times(left: Any, right: Any, k: Any) -> Any:
    """Return the 64-bit product, shifted toward zero by ``k``."""
    return tz(np.multiply(left, right, dtype=np.int64), k)


def sat(values: Any, bits: Any) -> Any:
    """Clip to ``+-(2**(bits-1) - 1)``."""
    largest = 2 ** (int(np.asarray(bits).item()) - 1) - 1
    return np.clip(values, -largest, largest)


def signed24(words: Any) -> Any:
    """Return 32-bit words with the sign of their lowest 24 bits; a chip delivers these alone."""
    return (np.asarray(words).astype(np.int32) << 8) >> 8


def truncated(values: Any, bits: int) -> Any:
    """Return complex numbers with both parts cut to this many bits of fraction, toward zero."""
    scaled = np.asarray(values) * 2.0**bits
    return (np.fix(scaled.real) + 1j * np.fix(scaled.imag)) / 2.0**bits


def raised(values: Any, finer: Any) -> Any:
    """Return thresholds with `finer` bits of fraction less, rounded up: comparing stays exact."""
    return np.ceil(np.ldexp(np.asarray(values, float), -np.asarray(finer))).astype(np.int64)


def to_units(values: Any, unit: Any, offset: Any, largest: int) -> tuple[Any, int]:
    """Return real values as integers, to nearest (ties to even), and how many were clipped."""
    units = np.rint((np.asarray(values, float) - offset) / unit)
    clipped = int(np.count_nonzero(np.abs(units) > largest))
    return np.clip(units, -largest, largest).astype(np.int64), clipped


def are_whole(values: Any) -> bool:
    """Tell whether real numbers are whole, all of them."""
    return bool(np.all(np.asarray(values) == np.rint(values)))
