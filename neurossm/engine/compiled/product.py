"""`Product`: of two operands, in whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of, product_shift
from neurossm.engine.walk import P0, P1, Memory, N, Numbers, V, block, instruction
from neurossm.nodes import Product, State

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def product(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Multiply by the other operand, at V: shift, limit."""
    other = block(at.small, row[V], u.shape[0], row[N])
    kernels.product(u, other, y, row[P0], row[P1], counts)


@compiled(Product)
class ProductForm(Form[Product]):
    """Multiplies, shifts and saturates."""

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Multiply."""
        right, limit = product_shift(self.node, self.edges), limit_of(self.node)
        kernels.product(operands[0], operands[1], y, right, limit, tally)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Multiply."""
        right, limit = product_shift(self.node, self.edges), limit_of(self.node)
        to.emit(product, name, operands[0], y, right, limit, v=operands[1])
