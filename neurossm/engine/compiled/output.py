"""`Output`: a copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm.engine.compiled.form import Form, Messages, Tally, compiled
from neurossm.engine.walk import copy
from neurossm.nodes import Output, State

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@compiled(Output)
class OutputForm(Form[Output]):
    """What came."""

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Copy."""
        y[...] = operands[0]

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Copy."""
        to.emit(copy, name, operands[0], y)
