"""`Sum`: operands brought to one exponent; two of them, the common case, in one sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, Memory, N, Numbers, V, block, instruction
from neurossm.nodes import State, Sum, format_of

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def add_pair(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Add the other operand, at V: both scales, limit."""
    other, first = block(at.small, row[V], u.shape[0], row[N]), row[P0]
    kernels.aligned_pair(u, other, y, at.real[first], at.real[first + 1], float(row[P1]), counts)


@instruction
def align(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Bring to the output's exponent and add to the sum, a float64 at V: scale, whether first."""
    kernels.align(u, block(at.real, row[V], u.shape[0], row[N]), at.real[row[P0]], row[P1] != 0)


@instruction
def store(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Saturate the sum at V: limit."""
    kernels.store(block(at.real, row[V], u.shape[0], row[N]), y, float(row[P0]), counts)


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
            to.emit(add_pair, name, u, y, to.real.put(self.scales), self.limit, v=v)
            return
        total = to.real.room(to.samples * self.node.channels)
        for index, (u, scale) in enumerate(zip(operands, self.scales, strict=True)):
            to.emit(align, name, u, y, to.real.put([scale]), int(index == 0), v=total)
        to.emit(store, name, operands[0], y, self.limit, v=total)
