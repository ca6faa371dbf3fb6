"""Step kernel of `Sum`: adds operands of different exponents."""

from __future__ import annotations

from typing import Any, ClassVar

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class Sum(Cell):
    """Adds its operands after bringing each to the exponent of the output."""

    registers: ClassVar[dict[str, int]] = {"shifts": 32, "out_bits": 32}
    ports = 8  # fixed, because a model declares its ports

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.units = [scaled(1, right) for right in self.integers("shifts")]
        self.out_bits = self.number("out_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return one shift for each operand, and the width of what is sent."""
        shifts = [fmt.frac - node.out.frac for fmt in arriving]
        return {"shifts": shifts, "out_bits": node.out.bits}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return ``sat(sum of the aligned operands)``."""
        total = product(self.units[0], operands[0])
        for unit, operand in zip(self.units[1:], operands[1:]):
            total += product(unit, operand)
        return self.clipped(total, self.out_bits)
