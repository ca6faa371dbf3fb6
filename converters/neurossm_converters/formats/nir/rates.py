"""Decay and input gain of a leaky state per step, from parameters that a file has rounded.

Tools compute time constants in float32: what was ``beta = 0.5`` comes as ``tau = 1.9999999e-4``,
and a membrane that should meet its threshold misses it. A number that is a multiple of 2^-12
within the rounding of the file is therefore taken to be it, and a threshold lies halfway to the
next number that a membrane of float32 can hold.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import STATE_BITS, round_to
from neurossm_converters.formats.nir.convention import Convention

Real = NDArray[np.float64]

SINGLE, DOUBLE = 2.0**-22, 2.0**-50  # of a quotient of rounded numbers
SIMPLE_BITS, SIMPLE_LARGEST = 12, 2.0**10
LARGEST = float(np.finfo(np.float64).max)


def roughness(steps: Convention, *stored: NDArray[np.generic]) -> float:
    """Return the relative error of quotients of arrays as they are stored in a file."""
    singles = (array.dtype.kind == "f" and array.dtype.itemsize <= 4 for array in stored)
    return SINGLE if steps.is_single or any(singles) else DOUBLE


def simplest(values: Real, slack: Real) -> Real:
    """Return the multiple of 2^-12 of fewest bits within `slack` of each value, else the value."""
    found, open_ = np.array(values, np.float64), np.abs(values) <= SIMPLE_LARGEST
    within = np.where(open_, values, 0.0)
    for bits in range(SIMPLE_BITS + 1):
        near = np.ldexp(round_to(within, bits, STATE_BITS).astype(np.float64), -bits)
        fits = open_ & (near != 0) & (np.abs(near - values) <= slack)
        found[fits] = near[fits]
        open_ &= ~fits
    return found


def leaks(steps: Convention, tau: Real, rough: float) -> tuple[Real, Real]:
    """Return what is left of a leaky state after a step without input, and the share that left.

    Parameters
    ----------
    steps
        What a step is.
    tau
        Time constants in its unit, above 0; infinite where nothing leaks.
    rough
        Relative error of ``step / tau``, from `roughness`.
    """
    ratio = steps.step / tau
    if steps.is_exact:
        keep, share = np.exp(-ratio), -np.expm1(-ratio)
        near = simplest(keep, keep * ratio * rough)
        return near, np.where(near == keep, share, 1 - near)
    share = simplest(ratio, ratio * rough)
    if steps.name == "snntorch":  # whose beta is a number of float32
        share = np.where(share == ratio, 1 - (1 - ratio).astype(np.float32), share)
    return 1 - share, share


def least(bound: Real, gain: Real, compare: str, single: bool) -> Real:
    """Return the least float64 ``x`` for which ``gain x`` passes a threshold, ``gain > 0``.

    Parameters
    ----------
    bound
        Thresholds; infinite ones give the largest float64.
    gain
        Factor of each.
    compare
        ``gt``: ``gain x > bound``, ``ge``: ``gain x >= bound``, as real numbers.
    single
        True where ``gain x`` stands for a number of float32: then it passes beyond the middle
        between the two of them that lie on either side.
    """
    if single:
        with np.errstate(over="ignore"):
            edge = bound.astype(np.float32)
        beyond = np.nextafter(edge, np.float32(np.inf if compare == "gt" else -np.inf))
        middle = (edge.astype(np.float64) + beyond.astype(np.float64)) / 2
        never = ~np.isfinite(edge) | ~np.isfinite(beyond)
        bound, compare = np.where(never, np.inf, middle), "gt"
    pairs, index = np.unique(np.stack([bound, gain]), axis=1, return_inverse=True)
    found = [_least(float(limit), float(factor), compare == "ge") for limit, factor in pairs.T]
    return np.array(found)[index.ravel()]


def _least(bound: float, gain: float, equal: bool) -> float:
    x = bound / gain
    if not math.isfinite(x):
        return LARGEST
    factor, limit = Fraction(gain), Fraction(bound)

    def passes(value: float) -> bool:
        product = Fraction(value) * factor
        return product >= limit if equal else product > limit

    while not passes(x):
        x = math.nextafter(x, math.inf)
    while passes(below := math.nextafter(x, -math.inf)):
        x = below
    return x
