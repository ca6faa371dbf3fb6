"""Surrogate derivatives of a spike, by the membrane's distance from the threshold, in kernels.

The same functions as `neurossm_models.surrogate.DERIVATIVES`, of single float32 numbers.
"""

from __future__ import annotations

from functools import cache
from math import exp

import numpy as np

from neurossm.compiling import njit

_ZERO, _ONE, _PI = np.float32(0), np.float32(1), np.float32(np.pi)
_HALF, _TWO = np.float32(0.5), np.float32(2)
_SLOPE = np.float32(25)
# of the multi-Gaussian: 1 + h, h, and 1 / (2 (s sigma)^2); as sigma is a half, 1 / (2 sigma^2) is 2
_PEAK, _SIDE, _WIDE = np.float32(1.15), np.float32(0.15), np.float32(1 / 18)
# of the double Gaussian: halves of 1 + h and 2 h times normal densities of sigma and s sigma at 0
_NARROW = np.float32(1.15 / np.sqrt(2 * np.pi))
_BROAD = np.float32(0.05 / np.sqrt(2 * np.pi))


@cache
def slope_of(surrogate):
    """Return the derivative of the spike by its distance from the threshold."""

    # without Python's check for a division by zero, which would prevent vector instructions
    @njit(cache=True, nogil=True, error_model="numpy")
    def slope(distance):
        if surrogate == "arctan":
            x = _PI * distance
            return _ONE / (_ONE + x * x)
        if surrogate == "triangle":
            return max(_ZERO, _ONE - abs(distance))
        if surrogate == "boxcar":
            return _ONE if -_HALF < distance <= _HALF else _ZERO
        if surrogate == "double_gaussian":
            square = distance * distance
            return _NARROW * exp(-_TWO * square) - _BROAD * exp(-_WIDE * square)
        if surrogate == "multi_gaussian":
            near, left, right = distance * distance, distance + _HALF, distance - _HALF
            sides = exp(-_WIDE * (left * left)) + exp(-_WIDE * (right * right))
            return _PEAK * exp(-_TWO * near) - _SIDE * sides
        x = _ONE + _SLOPE * abs(distance)
        return _ONE / (x * x)

    return slope
