"""Step kernel of `Affine`: the sum of weighted synapses, and a bias."""

from __future__ import annotations

from typing import Any, ClassVar

from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class Affine(Cell):
    """Adds the bias to what the synapses deliver, saturates; the weights are in the synapses."""

    registers: ClassVar[dict[str, int]] = {"bias": 32, "out_bits": 32}
    synapses = True

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.bias, self.out_bits = self.integers("bias"), self.number("out_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the bias and the width of what is sent."""
        return {"bias": node.values("bias"), "out_bits": node.out.bits}

    @classmethod
    def weights(cls, node: Node) -> Any:
        """Return the weights."""
        return node.values("weight")

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return ``sat(sum + bias)``; operands are sums of weights times messages."""
        return self.clipped(self.entering(operands) + self.bias, self.out_bits)
