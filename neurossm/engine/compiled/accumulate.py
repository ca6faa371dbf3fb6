"""`Accumulate`: running sums in whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm.engine import kernels, walk
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of, product_shift
from neurossm.engine.edges import Edges
from neurossm.fixed import symmetric_limit
from neurossm.nodes import Accumulate, State

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@compiled(Accumulate)
class AccumulateForm(Form[Accumulate]):
    """The shift of a term, its limit and that of the sum."""

    def __init__(self, node: Accumulate, edges: Edges) -> None:
        super().__init__(node, edges)
        right = product_shift(node, Edges(edges.formats[:1]))
        self.numbers = right, symmetric_limit(node.term_bits), limit_of(node)

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Add up."""
        kernels.accumulate(operands[0], y, state["sum"], *self.numbers, tally)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Add up."""
        total = to.room("whole", (to.samples, self.node.channels))
        to.state(name, "sum", total)
        to.emit(walk.ACCUMULATE, name, operands[0], y, total.at, *self.numbers)
