"""Step kernel of `Embedding`: the synapses of a one-hot spike."""

from __future__ import annotations

from typing import Any, ClassVar

from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class Embedding(Cell):
    """The row of a table that a token selects; a token 0 is a message like any other."""

    registers: ClassVar[dict[str, int]] = {"table": 8}
    synapses = True

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.table = self.integers("table")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return the table."""
        return {"table": node.values("table")}

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return the rows of the tokens."""
        return self.table[operands[0][..., 0]]
