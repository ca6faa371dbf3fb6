"""`AdaptiveThreshold`: two comparisons, and the candidates that move on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled
from neurossm.engine.edges import Edges
from neurossm.engine.walk import (
    P0,
    P1,
    P2,
    P3,
    Memory,
    N,
    Numbers,
    instruction,
    matrices,
    part,
    rows,
)
from neurossm.nodes import AdaptiveThreshold, State
from neurossm.nodes.values import integers

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def adaptive_threshold(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Compare twice: candidates ``(S, K, C)``, K, theta, taps ``(K, C)``."""
    n, reach = row[N], row[P1]
    kept = matrices(at.whole, row[P0], u.shape[0], reach, n)
    theta, taps = part(at.whole, row[P2], n), rows(at.whole, row[P3], reach, n)
    kernels.adaptive_threshold(u, y, kept, theta, taps)


@compiled(AdaptiveThreshold)
class AdaptiveThresholdForm(Form[AdaptiveThreshold]):
    """Thresholds ``(C,)`` and taps ``(K, C)`` of the input's exponent."""

    def __init__(self, node: AdaptiveThreshold, edges: Edges) -> None:
        super().__init__(node, edges)
        self.theta = integers(node.theta)
        self.taps = np.ascontiguousarray(integers(node.taps).T)

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Compare twice."""
        kernels.adaptive_threshold(operands[0], y, state["candidates"], self.theta, self.taps)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Compare twice."""
        kept = to.room("whole", (to.samples, *self.taps.shape))
        to.state(name, "candidates", kept)
        theta, taps = to.whole.put(self.theta), to.whole.put(self.taps)
        to.emit(adaptive_threshold, name, operands[0], y, kept.at, len(self.taps), theta, taps)
