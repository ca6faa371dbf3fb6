"""Whole numbers, however they are held: as integers, spikes or floats."""

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm.fixed import whole_numbers


@pytest.mark.parametrize(
    ("given", "expected", "kind"),
    [
        ([[1, -2]], [[1, -2]], np.int64),
        (np.array([3], np.int8), [3], np.int8),
        ([True, False], [1, 0], np.uint8),
        (np.array([2.0, -3.0], np.float16), [2, -3], np.int64),
        ([-(2.0**53), 2.0**53], [-(2**53), 2**53], np.int64),  # the last that float64 counts to
        (np.zeros((0, 2)), [], np.int64),
    ],
)
def test_whole_numbers_in_any_type_are_integers(given, expected, kind):
    found = whole_numbers("here", given)
    assert found.tolist() == expected and found.dtype == kind


@pytest.mark.parametrize(
    ("given", "got"),
    [
        ([1.0, 0.5, 0.25], "0.5 among float64"),
        (np.array([0.25], np.float32), "0.25 among float32"),
        ([1.0, np.nan], "nan among float64"),
        ([np.inf], "inf among float64"),
        ([2.0**53 + 2], "9.0072e\\+15 among float64"),
        ([1j], "complex128"),
        (["a"], "<U1"),
    ],
)
def test_what_is_no_whole_number_is_refused_by_name(given, got):
    with pytest.raises(InputError, match=f"^here: expected .*, got {got}.*try this"):
        whole_numbers("here", given, remedy="try this")


def test_rows_of_unlike_lengths_are_no_array():
    with pytest.raises(InputError, match=r"^here: expected an array, got rows of unlike lengths"):
        whole_numbers("here", [[1], [1, 2]])
