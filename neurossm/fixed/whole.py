"""Whole numbers, however an array holds them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError

EXACT = 2.0**53  # up to here float64 holds every whole number


def whole_numbers(where: str, given: object, remedy: str = "") -> NDArray[np.integer[Any]]:
    """Return an array of integers; spikes as bool and whole numbers as floats are exactly that.

    Raises
    ------
    InputError
        For fractions, numbers that are not finite or beyond 2**53, and what is no number.
    """
    try:
        array = np.asarray(given)
    except ValueError:  # rows of unlike lengths
        raise InputError(where, expected="an array", got="rows of unlike lengths") from None
    if np.issubdtype(array.dtype, np.integer):
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    got = str(array.dtype)
    if np.issubdtype(array.dtype, np.floating):
        real = array.astype(np.float64)  # half precision cannot be compared with 2**53
        odd = real[~(np.abs(real) <= EXACT) | (real != np.trunc(real))]
        if not odd.size:
            return real.astype(np.int64)
        got = f"{float(odd[0]):g} among {array.dtype}"
    expected = "integers, or whole numbers in another type"
    raise InputError(where, expected=expected, got=got, remedy=remedy)
