"""`TernaryThreshold`: the signed spike of two comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled
from neurossm.engine.walk import P0, Memory, N, Numbers, instruction, part
from neurossm.nodes import State, TernaryThreshold
from neurossm.nodes.values import integers

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def ternary_threshold(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Compare: delta ``(C,)``."""
    kernels.ternary_threshold(u, y, part(at.whole, row[P0], row[N]))


@compiled(TernaryThreshold)
class TernaryThresholdForm(Form[TernaryThreshold]):
    """Compares with integers of the input's exponent."""

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Compare."""
        kernels.ternary_threshold(operands[0], y, integers(self.node.delta))

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Compare."""
        to.emit(ternary_threshold, name, operands[0], y, to.whole.put(integers(self.node.delta)))
