"""`Affine`: columns are added for spikes, rows are multiplied for graded spikes.

Of a sparse one only the weights that are not 0, where that is faster: vectors of the processor hold
16 weights of a dense column, and a synapse by itself takes as long as all of them.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import kernels, sparse_kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, P2, P3, P4, M, Memory, N, Numbers, instruction, part, rows
from neurossm.nodes import Affine, State
from neurossm.nodes.values import integers

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


# share of the weights beyond which adding dense columns, 16 weights at once, is faster; measured
# with 64 to 1024 channels, see benchmarks/sparse.py
FEW = 1 / 16


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
def add_synapses(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Add an edge by its synapses: starts, targets, weights, how many, multiplies."""
    starts = part(at.whole, row[P0], row[N] + 1)
    targets, weights = part(at.small, row[P1], row[P3]), part(at.small, row[P2], row[P3])
    sparse_kernels.add_columns(u, y, starts, targets, weights, row[P4] != 0, counts)


@instruction
def saturate(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Saturate what was added up: limit."""
    kernels.saturate(y, row[P0], counts)


class Synapses(NamedTuple):
    """Weights that are not 0, row by row of a matrix ``(R, W)``.

    Attributes
    ----------
    starts
        ``(R + 1,)`` int64; row r has those from ``starts[r]`` up to ``starts[r + 1]``.
    places, weights
        ``(S,)`` int32: column and value of each.
    """

    starts: NDArray[np.int64]
    places: NDArray[np.int32]
    weights: NDArray[np.int32]

    @classmethod
    def of(cls, matrix: NDArray[np.int32]) -> Synapses:
        """Return the synapses of a matrix."""
        rows, places = np.nonzero(matrix)
        starts = np.searchsorted(rows, np.arange(len(matrix) + 1)).astype(np.int64)
        return cls(starts, places.astype(np.int32), matrix[rows, places])


@compiled(Affine)
class AffineForm(Form[Affine]):
    """Weight by row ``(O, I)`` and by column, its non-zeros by column, the bias."""

    def __init__(self, node: Affine, edges: Edges) -> None:
        super().__init__(node, edges)
        self.rows = np.ascontiguousarray(integers(node.weight), dtype=np.int32)
        self.fan_out = np.count_nonzero(self.rows, axis=0).astype(np.int64)
        self.bias = integers(node.bias).astype(np.int32)
        self.multiplies, self.limit = not node.only_adds, limit_of(node)
        self.spikes = [fmt.is_spike for fmt in edges.formats]
        self.sparse = node.sparse
        self.few = node.sparse and self.fan_out.sum() <= FEW * self.rows.size

    @cached_property
    def columns(self) -> NDArray[np.int32]:
        """The weight by column ``(I, O)``."""
        return np.ascontiguousarray(self.rows.T)

    @cached_property
    def by_row(self) -> Synapses:
        """The weights that are not 0, row by row."""
        return Synapses.of(self.rows)

    @cached_property
    def by_column(self) -> Synapses:
        """The weights that are not 0, column by column."""
        return Synapses.of(self.columns)

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Start with the bias, add each edge, saturate."""
        kernels.start(y, self.bias)
        for u, only_spikes in zip(operands, self.spikes, strict=True):
            if only_spikes and self.few:
                sparse_kernels.add_columns(u, y, *self.by_column, False, tally)
            elif only_spikes:
                kernels.add_spikes(u, y, self.columns, self.fan_out, tally)
            elif self.sparse:
                more = self.fan_out, self.multiplies
                sparse_kernels.add_rows(u, y, *self.by_row, *more, tally)
            else:
                kernels.add_graded(u, y, self.rows, self.fan_out, self.multiplies, tally)
        kernels.saturate(y, self.limit, tally)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Start with the bias, add each edge, saturate."""
        fan_out = to.whole.put(self.fan_out)
        to.emit(start, name, 0, y, to.small.put(self.bias))
        for u, only_spikes in zip(operands, self.spikes, strict=True):
            if self.few:
                starts, places, weights = self.by_column
                multiplies, put = int(self.multiplies and not only_spikes), to.small.put
                to.emit(add_synapses, name, u, y, to.whole.put(starts), put(places), put(weights),
                        len(weights), multiplies)  # fmt: skip
            elif only_spikes:
                to.emit(add_spikes, name, u, y, to.small.put(self.columns), fan_out)
            else:
                weight = to.small.put(self.rows)
                to.emit(add_graded, name, u, y, weight, fan_out, int(self.multiplies))
        to.emit(saturate, name, 0, y, self.limit)
