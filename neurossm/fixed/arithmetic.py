"""Integer primitives of the contract, on NumPy arrays. Products are formed in int64, exact."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.errors import RangeError

P = ParamSpec("P")
R = TypeVar("R")


def symmetric_limit(bits: int) -> int:
    """Return the largest magnitude of a signed number of `bits` bits, ``2**(bits-1) - 1``."""
    return int(2 ** (bits - 1) - 1)


def _told(function: Callable[P, R]) -> Callable[P, R]:
    """Let an array that records its operations (`neurossm.engine.recording`) see this one whole.

    What is inside here, absolute values and signs, is how NumPy does it and no arithmetic of the
    contract.
    """

    @wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> R:
        tell = getattr(type(args[0]), "fixed_operation", None) if args else None
        if tell is None:
            return function(*args, **kwargs)
        found: R = tell(args[0], function, *args[1:], **kwargs)
        return found

    return called


@_told
def shift(values: ArrayLike, right: ArrayLike) -> NDArray[np.int64]:
    """Return ``values * 2**-right`` with the fraction dropped toward zero.

    ``sign(p) * (|p| >> k)``, as in Lava's LIF and RF: silence decays to exactly zero, where floor
    and nearest leave limit cycles.

    Parameters
    ----------
    values
        Integers of magnitude below 2**62, any shape.
    right
        Bits to shift right, broadcast against `values`; negative shifts left, exactly.

    Raises
    ------
    RangeError
        If a left shift would leave int64.

    Examples
    --------
    >>> shift([-5, 5, -4], 1).tolist()
    [-2, 2, -2]
    """
    p = np.asarray(values, dtype=np.int64)
    k = np.asarray(right, dtype=np.int64)
    magnitude = np.abs(p)
    if (k < 0).any():
        left = np.maximum(-k, 0)
        if np.any(magnitude > (np.int64(2**62) >> np.minimum(left, 63))):
            raise RangeError(
                "shift", expected="a result of at most 2**62", got=f"shift by {k.min()}"
            )
        magnitude = magnitude << np.minimum(left, 62)
    # a shift of 63 or more is undefined in C; any magnitude here is gone after 62
    shifted = magnitude >> np.minimum(np.maximum(k, 0), 62)  # np.clip costs five times as much
    return np.asarray(np.sign(p) * shifted, dtype=np.int64)


def multiply_shift(scaled: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    """Return ``shift(m * values, k)`` for ``scaled = m * 2**-k``, as float64.

    Exact while the products stay below 2**53, as the contract demands, and several times faster
    than `shift`.

    Examples
    --------
    >>> multiply_shift(0.75, [-5, 5, 4]).tolist()
    [-3.0, 3.0, 3.0]
    """
    return np.asarray(np.trunc(np.multiply(scaled, values, dtype=np.float64)))


@_told
def saturate(values: ArrayLike, bits: int) -> tuple[NDArray[np.int64], int]:
    """Return `values` clipped to `bits` signed bits (symmetric), and how many were clipped.

    Examples
    --------
    >>> clipped, count = saturate([200, -128, 5], 8)
    >>> clipped.tolist(), count
    ([127, -127, 5], 2)
    """
    v = np.asarray(values, dtype=np.int64)
    limit = symmetric_limit(bits)
    clipped = np.asarray(np.minimum(np.maximum(v, -limit), limit))
    return clipped, int(np.count_nonzero(clipped != v))


def round_to(values: ArrayLike, frac: ArrayLike, bits: int) -> NDArray[np.int64]:
    """Return real `values` as integers with `frac` fraction bits, to nearest (ties to even).

    Used on parameters, when a graph is quantized; never at run time.

    Parameters
    ----------
    values
        Real numbers, any shape.
    frac
        Fraction bits, broadcast against `values`.
    bits
        Width with sign.

    Raises
    ------
    RangeError
        If a value does not fit: a parameter is never clipped.
    """
    return _fitting(np.rint(_ldexp(values, frac)), bits)


def ceil_to(values: ArrayLike, frac: ArrayLike, bits: int) -> NDArray[np.int64]:
    """Return thresholds as integers so that ``m >= ceil_to(theta)`` is ``m * 2**-frac >= theta``.

    The comparison of integer activations is then exactly the real one. Raises as `round_to`.
    """
    return _fitting(np.ceil(_ldexp(values, frac)), bits)


def fit_frac(largest: float, bits: int) -> int:
    """Return the most fraction bits with which a magnitude `largest` still fits in `bits` bits.

    Raises
    ------
    RangeError
        If `largest` is not finite or negative.

    Examples
    --------
    >>> fit_frac(1.0, 8), fit_frac(127.4, 8), fit_frac(127.6, 8)
    (6, 0, -1)
    """
    if not math.isfinite(largest) or largest < 0:
        raise RangeError("scale", expected="a finite magnitude", got=repr(largest))
    if largest == 0:
        return 0
    limit = symmetric_limit(bits)
    largest = max(largest, 2.0**-128)  # below, the quotient overflows; 64 is the answer anyway
    frac = math.floor(math.log2((limit + 0.5) / largest))
    while round(math.ldexp(largest, frac)) > limit:  # half a unit at the very end of the range
        frac -= 1
    return max(min(frac, 64), -64)


def project_poles(
    real: ArrayLike, imag: ArrayLike, bits: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return poles as signed integers with ``bits - 1`` fraction bits, all inside the unit circle.

    Each part is rounded to nearest; while ``re**2 + im**2 >= 2**(2*(bits-1))`` the larger part
    steps inward by one. A pole on or outside the circle would drive its state to the rail.

    Parameters
    ----------
    real, imag
        Parts of the poles, same shape.
    bits
        Width of each part with its sign.

    Raises
    ------
    RangeError
        If a pole is not finite, or lies so far outside that projecting it would be another model
        (magnitude above 1 + 2**-8).
    """
    modulus = np.hypot(np.asarray(real, dtype=np.float64), np.asarray(imag, dtype=np.float64))
    if modulus.size and not np.all(modulus <= 1 + 2**-8):
        raise RangeError("poles", expected="magnitude at most 1", got=str(float(np.max(modulus))))
    frac = bits - 1
    limit = symmetric_limit(bits)  # a pole just below 1 rounds to 1.0, which is outside anyway
    re, im = (
        np.clip(np.rint(_ldexp(p, frac)), -limit, limit).astype(np.int64) for p in (real, imag)
    )
    while True:
        outside = re * re + im * im >= 2 ** (2 * frac)
        if not np.any(outside):
            return re, im
        step_re = outside & (np.abs(re) >= np.abs(im))
        re = re - np.where(step_re, np.sign(re), 0)
        im = im - np.where(outside & ~step_re, np.sign(im), 0)


def round_leaks(values: ArrayLike, frac: int) -> NDArray[np.int64]:
    """Return leaks, real numbers from 0 to 1, as unsigned fractions of `frac` bits.

    To nearest (ties to even), so what is nearer to 1 than to ``1 - 2**-frac`` becomes 1: within the
    resolution it does not leak. A real pole of 1 saturates sooner or later; a membrane is reset.

    Parameters
    ----------
    values
        Leaks, any shape.
    frac
        Fraction bits, 12 to 20.

    Raises
    ------
    RangeError
        If a leak is negative, above 1, or not finite.
    """
    leaks = np.asarray(values, dtype=np.float64)
    if not np.all((leaks >= 0) & (leaks <= 1)):
        raise RangeError("leaks", expected="at least 0 and at most 1", got=str(leaks.max()))
    return np.asarray(np.rint(_ldexp(leaks, frac)), dtype=np.int64)


def round_inside(values: ArrayLike, bits: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return numbers above -1 and below 1 as integers that are so too, and the fraction bits each.

    To nearest (ties to even), each with as many fraction bits as it allows; what would round to 1
    or -1 becomes the nearest number inside, since a product by 1 loses nothing.

    Raises
    ------
    RangeError
        If a number is -1, 1, beyond, or not finite.
    """
    real = np.asarray(values, dtype=np.float64)
    if not np.all(np.abs(real) < 1):
        raise RangeError("coupling", expected="above -1 and below 1", got=str(np.abs(real).max()))
    most, limit = 64 - bits, symmetric_limit(bits)
    fits = [max(min(fit_frac(abs(float(value)), bits), most), bits - 1) for value in real]
    frac = np.array(fits, dtype=np.int64)
    return np.clip(np.rint(_ldexp(real, frac)).astype(np.int64), -limit, limit), frac


def accumulator_bound(weight: NDArray[np.int64], largest_message: int) -> int:
    """Return the largest magnitude that ``weight @ activation`` can reach, over all outputs.

    Parameters
    ----------
    weight
        Integer mantissas, shape ``(out, in)``.
    largest_message
        Largest magnitude of any activation.
    """
    if weight.size == 0:
        return 0
    return int(np.abs(weight).sum(axis=1).max()) * largest_message


def _fitting(scaled: NDArray[np.float64], bits: int) -> NDArray[np.int64]:
    limit = symmetric_limit(bits)
    largest = float(np.abs(scaled).max(initial=0.0))
    if not largest <= limit:
        raise RangeError(
            "parameter",
            expected=f"at most {limit} ({bits} bits) at its scale",
            got=f"{largest:.0f}",
        )
    return scaled.astype(np.int64)


def _ldexp(values: ArrayLike, frac: ArrayLike) -> NDArray[np.float64]:
    exponents = np.asarray(frac, dtype=np.int64)
    return np.asarray(np.ldexp(np.asarray(values, dtype=np.float64), exponents))
