"""The numbers of a parameter: real, or integers with a format."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import Quantized
from neurossm.nodes.step import Integers, Reals
from neurossm.nodes.typed import real_numbers

Array = NDArray[np.float64] | Quantized


def quantized(parameter: object) -> Quantized:
    """Return a parameter of an integer node (checked before) as what it is."""
    assert isinstance(parameter, Quantized)
    return parameter


def integers(parameter: object) -> Integers:
    """Return the mantissas of a parameter of an integer node."""
    return quantized(parameter).values


def reals(parameter: object) -> Reals:
    """Return a parameter as real numbers; an integer one as those that it stands for."""
    if isinstance(parameter, Quantized):
        return parameter.dequantize()
    return np.asarray(parameter, dtype=np.float64)


def as_parameter(value: object, where: str) -> Array:
    """Return a parameter as read-only float64, or as the `Quantized` it is; refuse nan."""
    if isinstance(value, Quantized):
        return value
    array = real_numbers(value, where)
    if not np.all(np.isfinite(array)):
        raise GraphError(where, expected="finite numbers", got="nan or infinity")
    array.setflags(write=False)
    return array


def mantissas(parameter: Array) -> NDArray[np.float64] | NDArray[np.int64]:
    """Return the numbers of a parameter as they stand: real, or integers without exponent."""
    return parameter.values if isinstance(parameter, Quantized) else parameter


def equal(left: object, right: object) -> bool:
    """Tell whether two fields of nodes are the same, array by array."""
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(np.asarray(left), np.asarray(right))
    return bool(left == right)
