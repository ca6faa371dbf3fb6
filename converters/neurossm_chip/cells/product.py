"""Step kernel of `Product`: a gate."""

from __future__ import annotations

from typing import Any, ClassVar

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class Product(Cell):
    """Multiplies its two operands."""

    registers: ClassVar[dict[str, int]] = {"right": 32, "out_bits": 32}
    ports = 2

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.unit, self.out_bits = scaled(1, self.number("right")), self.number("out_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the shift of the product, and the width of what is sent."""
        right = arriving[0].frac + arriving[1].frac - node.out.frac
        return {"right": right, "out_bits": node.out.bits}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return ``sat(tz(u_1 u_2))``."""
        return self.clipped(product(self.unit * operands[0], operands[1]), self.out_bits)
