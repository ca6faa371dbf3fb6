"""Step kernel of `Output`: activations that the host reads."""

from __future__ import annotations

from typing import Any

from neurossm_chip.cell import Cell, State


class Output(Cell):
    """Keeps what arrives; on the host."""

    host = True

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return what arrived."""
        return self.entering(operands)
