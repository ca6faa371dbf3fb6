"""Step kernel of `TernaryThreshold`: signed spikes."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class TernaryThreshold(Cell):
    """Signed spikes where the input is above ``delta - 1`` or below ``1 - delta``."""

    registers: ClassVar[dict[str, int]] = {"delta": 32}

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.silent = self.integers("delta") - 1

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the thresholds."""
        return {"delta": node.values("delta")}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return 1 above ``delta - 1``, -1 below ``1 - delta``, else 0."""
        u = self.entering(operands)
        return (u > self.silent).astype(np.int64) - (u < -self.silent).astype(np.int64)
