"""`Embedding`: rows of a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine import kernels, walk
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled
from neurossm.engine.edges import Edges
from neurossm.nodes import Embedding, State
from neurossm.nodes.values import integers

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


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
        to.emit(walk.LOOK_UP, name, operands[0], y, table, self.node.tokens)
