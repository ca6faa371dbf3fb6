"""Permuted sequential MNIST: the pixels of each image in bit-reversed order.

There is no single standard order. This is the one of state-spaces/s4, which SpikingSSMs uses too.
Older papers use a random permutation; the two are not comparable.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm_models.data.dataset import Dataset
from neurossm_models.data.sets import mnist
from neurossm_models.data.source import Root

BIT_REVERSED = "bit-reversed"


class PermutedMnist(mnist.Mnist):
    """The files of MNIST in another order of pixels."""

    def load(self, split: str, root: Root = None, limit: int | None = None) -> Dataset:
        """Return a part with the pixels of every image in the order of `bit_reversal`."""
        plain = super().load(split, root)
        inputs = np.ascontiguousarray(plain.inputs[:, bit_reversal(plain.inputs.shape[1])])
        provenance = plain.provenance + "; pixels in bit-reversed order (state-spaces/s4)"
        return Dataset(
            "psmnist", split, inputs, plain.scale, plain.labels, provenance, order=BIT_REVERSED
        )


def bit_reversal(length: int) -> NDArray[np.int64]:
    """Return the numbers below `length` in bit-reversed order: 0, 512, 256, 768, ... for 784."""
    bits = (length - 1).bit_length()
    numbers = np.arange(2**bits)
    reversed_ = sum(((numbers >> i) & 1) << (bits - 1 - i) for i in range(bits))
    order = np.asarray(reversed_, dtype=np.int64)
    return order[order < length]


SOURCE = PermutedMnist(
    **{
        **vars(mnist.SOURCE),
        "name": "psmnist",
        "about": "28x28 digits as 784 steps in bit-reversed order, 10 classes",
        "provenance": "the files of mnist, permuted",
        "task": replace(mnist.SOURCE.task, order=BIT_REVERSED),
    }
)
