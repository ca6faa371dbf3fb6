"""`Accumulate`: running sums in whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of, product_shift
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, P2, P3, Memory, N, Numbers, instruction, rows
from neurossm.fixed import symmetric_limit
from neurossm.nodes import Accumulate, State

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def accumulate(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Add up: sum ``(S, C)``, shift, limit of a term, limit."""
    total = rows(at.whole, row[P0], u.shape[0], row[N])
    kernels.accumulate(u, y, total, row[P1], row[P2], row[P3], counts)


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
        to.emit(accumulate, name, operands[0], y, total.at, *self.numbers)
