"""`Embedding`: rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, M, Memory, Numbers, instruction, rows
from neurossm.nodes import Embedding, State
from neurossm.nodes.values import integers

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def look_up(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Look up: table ``(V, C)``, V."""
    kernels.look_up(u, y, rows(at.small, row[P0], row[P1], row[M]), counts)


@compiled(Embedding)
class EmbeddingForm(Form[Embedding]):
    """The table ``(V, C)``."""

    def __init__(self, node: Embedding, edges: Edges) -> None:
        super().__init__(node, edges)
        self.table = np.ascontiguousarray(integers(node.table), dtype=np.int32)

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Look up."""
        kernels.look_up(operands[0], y, self.table, tally)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Look up."""
        table = to.small.put(self.table)
        to.emit(look_up, name, operands[0], y, table, self.node.tokens)
