"""Shifts and saturation on tensors: the arithmetic of `neurossm.fixed`, for PyTorch.

Integers are int64 and of magnitude below 2**62, as there. The kernels have their own (`kernels`).
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from neurossm.nodes import Integers, Reals

FAR = 28  # power of two: what is larger saturates, whatever less than half of it is added


def shifted(values: Tensor, right: int) -> Tensor:
    """Return ``values * 2**-right`` with the fraction dropped toward zero, as int64.

    Parameters
    ----------
    values
        Integers, any shape.
    right
        Bits to shift right; negative shifts left, exactly.
    """
    wide = values.long()
    if right <= 0:
        return wide << min(-right, 62)  # what is shifted further is 0
    down = min(right, 62)
    below = 2**down - 1  # what a negative number lacks to the next one toward zero
    found: Tensor = (wide + ((wide >> 63) & below)) >> down
    return found


def saturated(values: Tensor, limit: int, inside: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return values clipped to ``[-limit, limit]``, and how many were, as a tensor ``()``.

    Parameters
    ----------
    values
        Whole numbers in any type, ``(R, C)``.
    inside
        Which rows are no padding, ``(R, 1)``; None: all.
    """
    clipped = values.clamp(-limit, limit)
    changed = clipped != values
    return clipped, (changed if inside is None else changed & inside).sum()


def shift_table(right: Integers, wide: bool = False) -> list[Integers]:
    """Return what the kernels shift products by, int32: to the right, and then to the left.

    Parameters
    ----------
    right
        Bits to shift right, negative to the left, ``(C,)``.
    wide
        Whether what is shifted to the left has 64 bits.

    Returns
    -------
    list of arrays
        Bits to the right, at most 31 as no product that is shifted has more; ``2**right - 1``; the
        largest magnitude that may be shifted to the left, and by how many bits: in 32 bits no
        further than to 2**28, in 64 bits by at most 62, as what is shifted further is 0.
    """
    down = np.minimum(np.maximum(right, 0), 31)
    left = np.minimum(np.maximum(-right, 0), 62 if wide else FAR)
    most = np.full_like(left, 2**31 - 1) if wide else 2 ** (FAR - left)
    return [down, 2**down - 1, most, left]


def grown(values: Integers, right: Integers) -> Reals:
    """Return the magnitudes of integers that are shifted to the right, or to the left."""
    return np.ldexp(np.abs(values).astype(np.float64), -right)
