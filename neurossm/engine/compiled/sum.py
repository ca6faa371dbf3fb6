"""`Sum`: operands brought to one exponent; two of them, the common case, in one sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine import kernels, walk
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of
from neurossm.engine.edges import Edges
from neurossm.nodes import State, Sum, format_of

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@compiled(Sum)
class SumForm(Form[Sum]):
    """The factor that brings each operand to the exponent of the output."""

    def __init__(self, node: Sum, edges: Edges) -> None:
        super().__init__(node, edges)
        self.scales = [2.0 ** (format_of(node).frac - fmt.frac) for fmt in edges.formats]
        self.limit = limit_of(node)

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Add two at once, or one after the other, and saturate."""
        scales, limit = self.scales, float(self.limit)
        if len(scales) == 2:
            u, v = operands
            kernels.aligned_pair(u, v, y, scales[0], scales[1], limit, tally)
            return
        total = np.empty(y.shape)
        for index, (u, scale) in enumerate(zip(operands, scales, strict=True)):
            kernels.align(u, total, scale, index == 0)
        kernels.store(total, y, limit, tally)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Add two at once, or one after the other, and saturate."""
        if len(operands) == 2:
            u, v = operands
            to.emit(walk.PAIR, name, u, y, to.real.put(self.scales), self.limit, v=v)
            return
        total = to.real.room(to.samples * self.node.channels)
        for index, (u, scale) in enumerate(zip(operands, self.scales, strict=True)):
            to.emit(walk.ALIGN, name, u, y, to.real.put([scale]), int(index == 0), v=total)
        to.emit(walk.STORE, name, operands[0], y, self.limit, v=total)
