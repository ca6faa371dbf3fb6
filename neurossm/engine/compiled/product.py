"""`Product`: of two operands, in whole numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm.engine import kernels, walk
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of, product_shift
from neurossm.nodes import Product, State

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


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
        to.emit(walk.PRODUCT, name, operands[0], y, right, limit, v=operands[1])
