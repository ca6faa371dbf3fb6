"""The readout after Lava's S4d: D, bias and saturation; no node of a file has this type."""

from __future__ import annotations

from typing import Any, ClassVar

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables


class Readout(Cell):
    """Adds direct term and bias to the sum of the states, saturates.

    What arrives first is real on the CPU: its fraction is dropped.
    """

    registers: ClassVar[dict[str, int]] = {"d": 8, "d_shift": 32, "bias": 32, "out_bits": 32}
    ports = 2

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.d = scaled(self.integers("d"), self.integers("d_shift"))
        self.bias, self.out_bits = self.integers("bias"), self.number("out_bits")

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return ``sat(sum of states + tz(d u) + bias)``."""
        direct = product(self.d, self.entering(operands[1:]))
        return self.clipped(operands[0] + direct + self.bias, self.out_bits)
