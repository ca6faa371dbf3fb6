"""Step kernel of `Input`: activations that the host sends."""

from __future__ import annotations

from typing import Any

from neurossm_chip.cell import Cell, State


class Input(Cell):
    """Sends the integers that it is given; on the host."""

    host = True

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return what is played at this step."""
        return self.entering(operands)
