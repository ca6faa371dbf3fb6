"""Step kernel of `Threshold`: a spike where the input reaches the threshold."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class Threshold(Cell):
    """Spikes where the input is above ``theta - 1``; strictly, as Lava's LIF compares."""

    registers: ClassVar[dict[str, int]] = {"theta": 32}

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.silent = self.integers("theta") - 1

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the thresholds."""
        return {"theta": node.values("theta")}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return 1 above ``theta - 1``, else 0."""
        return (self.entering(operands) > self.silent).astype(np.int64)
