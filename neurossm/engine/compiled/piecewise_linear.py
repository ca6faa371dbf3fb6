"""`PiecewiseLinear`: the choice of a segment is unrolled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of, scaled
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, Memory, Numbers, instruction, part
from neurossm.nodes import PiecewiseLinear, State, format_of, quantized

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


SEGMENTS = 8  # of the one kernel for all in a flat program: the most that exist

_segments = kernels.piecewise_linear(SEGMENTS)


@instruction
def bend(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Choose a segment: knots, slopes and offsets, each filled up; limit."""
    first, limit = row[P0], float(row[P1])
    knots, slopes = part(at.real, first, SEGMENTS), part(at.real, first + SEGMENTS, SEGMENTS)
    _segments(u, y, knots, slopes, part(at.real, first + 2 * SEGMENTS, SEGMENTS), limit, counts)


@compiled(PiecewiseLinear)
class PiecewiseLinearForm(Form[PiecewiseLinear]):
    """Knots ``(K - 1,)``, slopes and offsets ``(K,)``."""

    def __init__(self, node: PiecewiseLinear, edges: Edges) -> None:
        super().__init__(node, edges)
        right = quantized(node.slopes).frac_by_channel() + edges.formats[0].frac
        slopes = scaled(node.slopes, right - format_of(node).frac)
        self.arrays = scaled(node.knots, 0), slopes, scaled(node.offsets, 0)
        self.kernel, self.limit = kernels.piecewise_linear(len(slopes)), limit_of(node)

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run the loop that is compiled for this number of segments."""
        self.kernel(operands[0], y, *self.arrays, float(self.limit), tally)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Run the loop for the most segments; no input reaches those that fill it up."""
        rows = np.zeros((3, SEGMENTS))
        rows[0] = np.inf
        for row, values in zip(rows, self.arrays, strict=True):
            row[: len(values)] = values
        to.emit(bend, name, operands[0], y, to.real.put(rows), self.limit)
