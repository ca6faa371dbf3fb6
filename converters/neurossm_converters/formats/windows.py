"""Padding of convolutions as PyTorch and NIR say it in words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


def padded_alike(weight: Reals, dilation: Sequence[int]) -> tuple[Reals, tuple[int, ...]] | None:
    """Return a kernel ``(O, I, kh, kw)`` and the padding on both sides that keeps sizes.

    An even kernel pads one more behind than in front: it gets an element of 0 in front. None where
    dilation forbids that.
    """
    padding = []
    for axis, d in enumerate(dilation):
        reach = d * (weight.shape[2 + axis] - 1)
        if reach % 2 and d > 1:
            return None
        if reach % 2:
            widths = [(0, 0)] * weight.ndim
            widths[2 + axis] = (1, 0)
            weight, reach = np.pad(weight, widths), reach + 1
        padding.append(reach // 2)
    return weight, tuple(padding)
