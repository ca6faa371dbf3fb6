"""Cells at the end of synapses, with the synapses inside or before them."""

from __future__ import annotations

import numpy as np

from neurossm_converters.backends.lava.cells.cell import Cell, Parameters, Samples, Words, together
from neurossm_converters.backends.lava.record import Integers, Recorder


class Dendrite(Cell):
    """Where the synapses of an `Affine` end: adds their sums and the bias, saturates."""

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        self.bias, self.out_bits = self.integers("bias"), self.number("out_bits")

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return ``sat(sum + bias)``."""
        total = together(operands)
        return self.clipped(total + self.bias, self.out_bits)


class Neuropil(Dendrite):
    """An `Affine` with its synapses inside: messages arrive, not their weighted sums."""

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        self.columns = np.ascontiguousarray(self.integers("weight").T, dtype=np.float64)

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return ``sat(weights messages + bias)``."""
        messages = together(operands).astype(np.float64)
        # NumPy multiplies integer matrices slowly; float64 is exact below 2**53, and the contract
        # bounds every sum below 2**31
        sums = (messages @ self.columns).astype(np.int64)
        return self.clipped(sums + self.bias, self.out_bits)


class Embedding(Cell):
    """The synapses of a one-hot spike: the row of a token."""

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        self.table = self.integers("table")

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return the rows of the tokens; each is a message, whichever it is."""
        tokens = operands[0][:, 0]
        self.recorder.spikes_in += tokens.size
        self.recorder.syn_ops += tokens.size * self.table.shape[1]
        return self.table[tokens]
