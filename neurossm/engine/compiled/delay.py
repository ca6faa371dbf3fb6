"""`Delay`: sequences moved in one piece; step by step, the activations that wait move up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neurossm.engine.compiled.form import Form, Messages, Tally, compiled
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, Memory, N, Numbers, U, Y, instruction, part
from neurossm.nodes import Delay, State, format_of

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def send(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Send the first row of what waits, ``(S, rows, C)`` at U: rows."""
    n, size = row[N], row[P0] * row[N]
    for s in range(u.shape[0]):
        waiting = part(at.small, row[U] + s * size, size)
        for h in range(n):
            y[s, 0, h] = waiting[h]


@instruction
def take(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Move up what waits, at Y, and put in what arrives: rows, steps of each channel."""
    n, size, steps = row[N], row[P0] * row[N], part(at.whole, row[P1], row[N])
    for s in range(u.shape[0]):
        waiting = part(at.small, row[Y] + s * size, size)
        for k in range(size - n):
            waiting[k] = waiting[n + k]
        for h in range(n):
            waiting[size - n + h] = 0
        for h in range(n):
            waiting[(steps[h] - 1) * n + h] = u[s, 0, h]


@compiled(Delay)
class DelayForm(Form[Delay]):
    """Channels by their delay. What changes its format on the way goes by the steps of the node."""

    def __init__(self, node: Delay, edges: Edges) -> None:
        super().__init__(node, edges)
        self.exact = edges.formats[0] == format_of(node)
        self.channels = [(int(n), np.flatnonzero(node.steps == n)) for n in np.unique(node.steps)]

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Put what waits in front, and what arrives behind it."""
        if not self.exact:
            return super().run(operands, y, state, tally)
        u, waiting = operands[0], state["waiting"]
        for n, here in self.channels:
            joined = np.concatenate([waiting[:, :n, here], u[:, :, here]], axis=1)
            y[:, :, here] = joined[:, : u.shape[1]]
            waiting[:, :n, here] = joined[:, u.shape[1] :]
        return None

    def emit_send(self, to: Writer, name: str, y: int) -> None:
        """Send the first row of what waits."""
        if not self.exact:
            return super().emit_send(to, name, y)
        rows, channels = self.node.state_parts()["waiting"]
        waiting = to.room("small", (to.samples, rows, channels))
        to.state(name, "waiting", waiting)
        return to.emit(send, name, waiting.at, y, rows)

    def emit_take(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Move up, and put what arrives into the last row of each channel."""
        if not self.exact:
            return super().emit_take(to, name, operands, y)
        waiting, steps = to.states[f"{name}.waiting"].place, to.whole.put(self.node.steps)
        return to.emit(take, name, operands[0], waiting.at, waiting.shape[1], steps)
