"""`Affine`: columns are added for spikes, rows are multiplied for graded spikes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, P2, M, Memory, N, Numbers, instruction, part, rows
from neurossm.nodes import Affine, State
from neurossm.nodes.values import integers

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def start(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Begin with the bias ``(O,)``."""
    kernels.start(y, part(at.small, row[P0], row[M]))


@instruction
def add_spikes(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Add an edge of spikes: columns ``(I, O)``, their non-zeros."""
    columns, fan_out = rows(at.small, row[P0], row[N], row[M]), part(at.whole, row[P1], row[N])
    kernels.add_spikes(u, y, columns, fan_out, counts)


@instruction
def add_graded(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Add an edge of graded spikes: rows ``(O, I)``, non-zeros by column, multiplies."""
    weight, fan_out = rows(at.small, row[P0], row[M], row[N]), part(at.whole, row[P1], row[N])
    kernels.add_graded(u, y, weight, fan_out, row[P2] != 0, counts)


@instruction
def saturate(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Saturate what was added up: limit."""
    kernels.saturate(y, row[P0], counts)


@compiled(Affine)
class AffineForm(Form[Affine]):
    """Weight by row ``(O, I)`` and by column, its non-zeros by column, the bias."""

    def __init__(self, node: Affine, edges: Edges) -> None:
        super().__init__(node, edges)
        self.rows = np.ascontiguousarray(integers(node.weight), dtype=np.int32)
        self.columns = np.ascontiguousarray(self.rows.T)
        self.fan_out = np.count_nonzero(self.rows, axis=0).astype(np.int64)
        self.bias = integers(node.bias).astype(np.int32)
        self.multiplies, self.limit = not node.only_adds, limit_of(node)
        self.spikes = [fmt.is_spike for fmt in edges.formats]

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Start with the bias, add each edge, saturate."""
        kernels.start(y, self.bias)
        for u, only_spikes in zip(operands, self.spikes, strict=True):
            if only_spikes:
                kernels.add_spikes(u, y, self.columns, self.fan_out, tally)
            else:
                kernels.add_graded(u, y, self.rows, self.fan_out, self.multiplies, tally)
        kernels.saturate(y, self.limit, tally)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Start with the bias, add each edge, saturate."""
        fan_out = to.whole.put(self.fan_out)
        to.emit(start, name, 0, y, to.small.put(self.bias))
        for u, only_spikes in zip(operands, self.spikes, strict=True):
            if only_spikes:
                to.emit(add_spikes, name, u, y, to.small.put(self.columns), fan_out)
            else:
                weight = to.small.put(self.rows)
                to.emit(add_graded, name, u, y, weight, fan_out, int(self.multiplies))
        to.emit(saturate, name, 0, y, self.limit)
