"""Where the synapses of a sparse matrix are, and the words that they take: `Pattern`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Pattern:
    """Synapses of a matrix whose zeros are no synapses.

    Parameters
    ----------
    there
        ``(targets, axons)``: how many synapses there are from an axon to a target, one where a
        weight is not 0; more where a target keeps several sums.
    """

    there: NDArray[np.int64]

    def folded(self, rows: int) -> Pattern:
        """Return the synapses of neurons that keep so many sums: target i has i, n + i, ..."""
        if rows == 1:
            return self
        return Pattern(self.there.reshape(rows, -1, self.there.shape[1]).sum(axis=0))

    def of_axons(self, first: int, axons: int) -> Pattern:
        """Return the synapses of some axons, where a fan-in had to be cut."""
        if first == 0 and axons == self.there.shape[1]:
            return self
        return Pattern(self.there[:, first : first + axons])

    def synapses(self, first: int, stop: int) -> int:
        """Return how many synapses reach the neurons from `first` up to `stop`."""
        return int(self._before[stop] - self._before[first])

    def words(self, first: int, stop: int, per_word: float) -> int:
        """Return the words of these synapses, axon by axon: each begins with a word of its own."""
        each = self.there[first:stop].sum(axis=0)
        return sum(math.ceil(count / per_word) for count in each.tolist())

    def most_synapses(self, neurons: int) -> int:
        """Return the synapses of so many neighboring neurons, where there are most."""
        return int((self._before[neurons:] - self._before[: len(self._before) - neurons]).max())

    @cached_property
    def _before(self) -> NDArray[np.int64]:
        """Synapses of the neurons in front of each, ``(targets + 1,)``."""
        return np.concatenate([[0], np.cumsum(self.there.sum(axis=1))])
