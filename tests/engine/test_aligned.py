"""Arrays that begin at a cache line: recurrences were up to a quarter slower on others."""

from __future__ import annotations

import numpy as np
import pytest

from neurossm.engine.aligned import CACHE_LINE, aligned


@pytest.mark.parametrize("dtype", [np.int32, np.float64, np.uint8])
@pytest.mark.parametrize("shape", [(1,), (3, 5, 7), (2, 0, 4), (8, 784, 64)])
def test_it_begins_at_a_line_and_has_no_gaps(shape, dtype):
    held = [aligned(shape, dtype) for _ in range(9)]  # as others lie where they like
    for array in held:
        assert array.ctypes.data % CACHE_LINE == 0 or not array.size
        assert array.shape == shape and array.dtype == dtype and array.flags.c_contiguous
        array[...] = 3
    assert all((array == 3).all() for array in held)
