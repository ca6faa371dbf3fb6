"""Step kernel of `Delay`: activations that arrive some steps later."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import NO_SATURATION, Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class Delay(Cell):
    """Keeps what arrives; row k of what waits is sent k steps later."""

    registers: ClassVar[dict[str, int]] = {"steps": 8, "right": 32, "out_bits": 32}
    states = ("waiting",)
    late = True

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.steps = np.broadcast_to(self.integers("steps"), (channels,))
        self.unit, self.out_bits = scaled(1, self.number("right")), self.number("out_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the steps of each channel; shift and width where the message changes its unit."""
        steps, out = np.asarray(node.fields["steps"], np.int64), node.out
        if arriving[0] == out:
            return {"steps": steps, "right": 0, "out_bits": NO_SATURATION}
        return {"steps": steps, "right": arriving[0].frac - out.frac, "out_bits": out.bits}

    def initial(self, *rows: int) -> State:
        """Return zeros."""
        return {"waiting": np.zeros((*rows, int(self.steps.max()), self.channels), np.int64)}

    def send(self, state: State) -> Any:
        """Return the messages that have waited long enough."""
        return state["waiting"][..., 0, :].copy()

    def take(self, state: State, operands: list[Any]) -> None:
        """Let the others move up, and put what arrives behind them."""
        moved = np.zeros_like(state["waiting"])
        moved[..., :-1, :] = state["waiting"][..., 1:, :]
        arrived = product(self.unit, self.entering(operands))
        moved[..., self.steps - 1, np.arange(self.channels)] = self.clipped(arrived, self.out_bits)
        state["waiting"] = moved
