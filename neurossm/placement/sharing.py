"""Shared weights of convolutions: what a core keeps of a kernel, and who reaches whom: `Sharing`.

Populations are numbered channel by channel, so a slice of neurons has a few filters, each at all or
some of its positions. A core keeps one copy of the kernels of its filters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.nodes.windows import Windows

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Sharing:
    """A convolution between two populations.

    Attributes
    ----------
    windows
        Its geometry.
    rows
        Sums that a target neuron keeps apart: neuron i has the sums i, ``n + i``, ...
    """

    windows: Windows
    rows: int = 1

    @property
    def positions(self) -> int:
        """Neurons of a filter."""
        height, width = self.windows.out_size
        return height * width

    @property
    def neurons(self) -> int:
        """Target neurons."""
        return self.windows.filters * self.positions // self.rows

    def words(self, first: int, stop: int, per_word: float) -> int:
        """Return the words of the kernels of the neurons from `first` up to `stop`."""
        found = 0
        for row in range(self.rows):
            begin = row * self.neurons
            low, high = (begin + first) // self.positions, -(-(begin + stop) // self.positions)
            found += self._of_filters(low, high, per_word)
        return found

    def most_words(self, neurons: int, per_word: float) -> int:
        """Return the words of so many neighboring neurons, wherever they begin; never too few."""
        filters = min((neurons + self.positions - 2) // self.positions + 1, self.windows.filters)
        last = self.windows.filters - filters
        each = (self._of_filters(low, low + filters, per_word) for low in range(last + 1))
        return self.rows * max(each)

    def _of_filters(self, low: int, high: int, per_word: float) -> int:
        """Return the words of some filters: for each element of a group's kernel those of a row."""
        shape = self.windows
        each, own = shape.filters // shape.groups, shape.in_shape[0] // shape.groups
        elements = own * shape.kernel[0] * shape.kernel[1]
        found = 0
        for group in range(low // each, -(-high // each)):
            filters = min(high, (group + 1) * each) - max(low, group * each)
            found += elements * math.ceil(filters / per_word)
        return found

    def reached(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return for each source neuron the first target neuron that it may reach, and the last."""
        shape = self.windows
        area = shape.in_shape[1] * shape.in_shape[2]
        group = np.arange(shape.in_shape[0] * area) // (area * shape.in_shape[0] // shape.groups)
        size = shape.filters // shape.groups * self.positions
        if self.rows > 1:
            return np.zeros_like(group), np.full_like(group, self.neurons - 1)
        return group * size, (group + 1) * size - 1

    def operations(self, messages: Floats, weight: NDArray[np.generic] | None = None) -> Floats:
        """Return the synaptic operations of each target neuron for these activations.

        Of weights that are not 0, or of all where `weight` is None.
        """
        shape = self.windows
        own = shape.in_shape[0] // shape.groups
        there = np.ones((shape.filters, own, *shape.kernel))
        if weight is not None:
            there = (weight != 0).astype(np.float64)
        found = shape.convolve(messages.reshape(shape.in_shape), there)
        return np.asarray(found.reshape(self.rows, -1).sum(axis=0))
