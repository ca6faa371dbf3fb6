"""Derivatives of the spike by its distance from the threshold, as compiled functions; float32.

They are those of `neurossm_models.surrogate`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurossm.compiling import njit
from neurossm_models.config import (
    FAST_SIGMOID_SLOPE,
    GAUSSIAN_SCALE,
    GAUSSIAN_SIGMA,
    GAUSSIAN_WEIGHT,
)

_ZERO, _HALF, _ONE, _PI = np.float32(0), np.float32(0.5), np.float32(1), np.float32(np.pi)
_SLOPE = np.float32(FAST_SIGMOID_SLOPE)
_SIGMA, _WIDE = np.float32(GAUSSIAN_SIGMA), np.float32(GAUSSIAN_SIGMA * GAUSSIAN_SCALE)
_WEIGHT = np.float32(GAUSSIAN_WEIGHT)
_NARROW_PEAK, _WIDE_PEAK = (np.float32(1 / (s * np.sqrt(2 * np.pi))) for s in (_SIGMA, _WIDE))


@njit(cache=True, nogil=True, error_model="numpy")
def _narrow(v):
    """Return the normal density of width sigma."""
    z = v / _SIGMA
    return _NARROW_PEAK * np.exp(-_HALF * z * z)


@njit(cache=True, nogil=True, error_model="numpy")
def _wide(v):
    """Return the normal density of width s sigma."""
    z = v / _WIDE
    return _WIDE_PEAK * np.exp(-_HALF * z * z)


# without Python's check for a division by zero, which would prevent vector instructions
@njit(cache=True, nogil=True, error_model="numpy")
def _arctan(v):
    x = _PI * v
    return _ONE / (_ONE + x * x)


@njit(cache=True, nogil=True, error_model="numpy")
def _triangle(v):
    return max(_ZERO, _ONE - abs(v))


@njit(cache=True, nogil=True, error_model="numpy")
def _fast_sigmoid(v):
    x = _ONE + _SLOPE * abs(v)
    return _ONE / (x * x)


@njit(cache=True, nogil=True, error_model="numpy")
def _double_gaussian(v):
    return _HALF * ((_ONE + _WEIGHT) * _narrow(v) - (_WEIGHT + _WEIGHT) * _wide(v))


@njit(cache=True, nogil=True, error_model="numpy")
def _multi_gaussian(v):
    sides = _wide(v - _SIGMA) + _wide(v + _SIGMA)
    return _HALF * ((_ONE + _WEIGHT) * _narrow(v) - _WEIGHT * sides)


_SLOPES: dict[str, Callable[..., Any]] = {
    "arctan": _arctan,
    "triangle": _triangle,
    "fast_sigmoid": _fast_sigmoid,
    "double_gaussian": _double_gaussian,
    "multi_gaussian": _multi_gaussian,
}


def slope_of(surrogate: str) -> Callable[..., Any]:
    """Return the derivative of the spike by its distance from the threshold, compiled."""
    return _SLOPES[surrogate]
