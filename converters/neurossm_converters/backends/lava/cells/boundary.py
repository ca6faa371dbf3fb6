"""Where integers enter the network and leave it."""

from __future__ import annotations

import numpy as np

from neurossm_converters.backends.lava.cells.cell import Cell, Parameters, Samples, Words
from neurossm_converters.backends.lava.record import Integers, Recorder, input_file


class Source(Cell):
    """Plays the integers of an `Input`, which lie in a file beside its records."""

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        super().__init__(recorder, parameters)
        path = input_file(self.frame.folder, self.frame.index)
        self._played = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return the input of this step."""
        return self._played[samples, step].astype(np.int64)


class Sink(Cell):
    """Writes down what arrives at an `Output`."""

    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return what arrived."""
        self.count_arrivals(operands)
        return operands[0].astype(np.int64)
