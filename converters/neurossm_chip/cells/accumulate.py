"""Step kernel of `Accumulate`: a sum over a sample."""

from __future__ import annotations

from typing import Any, ClassVar

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class Accumulate(Cell):
    """Adds up over time."""

    registers: ClassVar[dict[str, int]] = {"right": 32, "term_bits": 32, "out_bits": 32}
    states = ("sum",)

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.unit = scaled(1, self.number("right"))
        self.term_bits, self.out_bits = self.number("term_bits"), self.number("out_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the shift and the width of a term, and the width of what is sent."""
        right = arriving[0].frac - node.out.frac
        return {"right": right, "term_bits": node.fields["term_bits"], "out_bits": node.out.bits}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return the running sum."""
        term = self.clipped(product(self.unit, self.entering(operands)), self.term_bits)
        total = state["sum"] = self.clipped(state["sum"] + term, self.out_bits)
        return total
