"""`Threshold`: the spike of a comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled
from neurossm.engine.walk import P0, Memory, N, Numbers, instruction, part
from neurossm.nodes import State, Threshold
from neurossm.nodes.values import integers

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def threshold(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Compare: theta ``(C,)``."""
    kernels.threshold(u, y, part(at.whole, row[P0], row[N]))


@compiled(Threshold)
class ThresholdForm(Form[Threshold]):
    """Compares with integers of the input's exponent."""

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Compare."""
        kernels.threshold(operands[0], y, integers(self.node.theta))

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Compare."""
        to.emit(threshold, name, operands[0], y, to.whole.put(integers(self.node.theta)))
