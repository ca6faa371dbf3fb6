"""Step kernel of `AdaptiveThreshold`: spikes above a threshold that candidates raise."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class AdaptiveThreshold(Cell):
    """Keeps the last K candidates, ``(K, C)``; each adds its tap, ``(C, K)``, to the threshold."""

    registers: ClassVar[dict[str, int]] = {"theta": 32, "taps": 24}
    states = ("candidates",)

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.theta = self.integers("theta")
        self.taps = self.integers("taps").T

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return thresholds and taps."""
        return {"theta": node.values("theta"), "taps": node.values("taps")}

    def initial(self, *rows: int) -> State:
        """Return zeros."""
        return {"candidates": np.zeros((*rows, *self.taps.shape), np.int64)}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return 1 where the input reaches the raised threshold, else 0."""
        u, earlier = self.entering(operands), state["candidates"]
        raised = self.theta + (self.taps * earlier).sum(axis=-2)
        moved = np.empty_like(earlier)
        moved[..., 1:, :] = earlier[..., :-1, :]
        moved[..., 0, :] = u > self.theta - 1
        state["candidates"] = moved
        return (u > raised - 1).astype(np.int64)
