"""The arithmetic of the integer contract (FORMAT.md): shift toward zero, symmetric saturation."""

from __future__ import annotations

from typing import Any

import numpy as np


def scaled(mantissas: Any, right: Any) -> Any:
    """Return ``mantissas * 2**-right``, exact, for `product`."""
    return np.ldexp(np.asarray(mantissas, np.float64), -np.asarray(right))


def product(factor: Any, values: Any) -> Any:
    """Return ``sign(p) * (|p| >> k)`` of ``p = m * values`` for ``factor = scaled(m, k)``.

    As float64, several times faster than 64-bit shifts; exact while products stay below 2**53, as
    the contract demands. A negative ``k`` shifts left.
    """
    return np.trunc(np.multiply(factor, values, dtype=np.float64))


def saturated(values: Any, bits: int) -> tuple[Any, int]:
    """Return 64-bit integers clipped to ``+-(2**(bits-1) - 1)``, and how many were clipped."""
    whole, largest = np.asarray(values, np.int64), 2 ** (bits - 1) - 1
    clipped = np.minimum(np.maximum(whole, -largest), largest)
    return clipped, int(np.count_nonzero(clipped != whole))


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
