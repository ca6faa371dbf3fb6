"""The random splits of state-spaces/s4, without PyTorch.

S4 splits with ``torch.utils.data.random_split`` and a generator of seed 42. PyTorch's ``randperm``
on the CPU is a forward Fisher-Yates shuffle that takes one 32-bit number of a Mersenne Twister for
each exchange, modulo what is left; NumPy's twister of the same seed gives the same numbers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

S4_SEED = 42


def torch_permutation(count: int, seed: int = S4_SEED) -> NDArray[np.int64]:
    """Return ``torch.randperm(count)`` of a fresh CPU generator of this seed."""
    drawn = np.random.RandomState(seed)._bit_generator.random_raw(max(count, 1)).tolist()
    order = list(range(count))
    for i in range(count - 1):
        j = i + drawn[i] % (count - i)
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)


def tenths(count: int, split: str) -> NDArray[np.int64]:
    """Return which samples S4 puts into a split of 80, 10 and 10 %: train, valid and test."""
    tenth = int(0.1 * count)
    order = torch_permutation(count)
    bounds = {
        "train": (0, count - 2 * tenth),
        "valid": (count - 2 * tenth, count - tenth),
        "test": (count - tenth, count),
    }
    start, end = bounds[split]
    return order[start:end]
