"""`AdaptiveLIF`: one sweep over membranes and adaptations; a separate loop on real numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, scaled
from neurossm.engine.edges import Edges
from neurossm.engine.neuron_kernels import adaptive, float_adaptive
from neurossm.engine.walk import P0, P1, P2, P3, Memory, N, Numbers, instruction, part, rows
from neurossm.fixed import symmetric_limit
from neurossm.nodes import AdaptiveLIF, Evaluated, Reals, State, quantized
from neurossm.nodes.step import Carried, added
from neurossm.nodes.values import reals

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


def _instruction(reset: str, before: bool) -> Any:
    """Return the instruction for a reset and side: both states, parameters, limits."""
    kernel = adaptive(reset, before)

    @instruction
    def run(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
        samples, n, p0, p1 = u.shape[0], row[N], row[P0], row[P1]
        v, w = rows(at.real, p0, samples, n), rows(at.real, p0 + samples * n, samples, n)
        theta, tau = part(at.real, p1, n), part(at.real, p1 + n, n)
        rho, a = part(at.real, p1 + 2 * n, n), part(at.real, p1 + 3 * n, n)
        b, scale = part(at.real, p1 + 4 * n, n), part(at.real, p1 + 5 * n, n)
        held, limit, most = part(at.real, p1 + 6 * n, n), float(row[P2]), float(row[P3])
        kernel(u, y, v, w, theta, tau, rho, a, b, scale, held, limit, most, counts)

    return run


INSTRUCTIONS = {(reset, side): _instruction(reset, side == "before")
                for reset in AdaptiveLIF.resets for side in AdaptiveLIF.sides}  # fmt: skip


@compiled(AdaptiveLIF)
class AdaptiveForm(Form[AdaptiveLIF]):
    """``(C,)`` each: theta, leaks, a, b, and what brings input and adaptation to the membrane."""

    def __init__(self, node: AdaptiveLIF, edges: Edges) -> None:
        super().__init__(node, edges)
        theta, b, leak = quantized(node.theta), quantized(node.b), int(quantized(node.tau).frac)
        by_channel = edges.frac_by_channel
        arriving = edges.formats[0].frac if by_channel is None else by_channel
        own, finer = theta.frac_by_channel(), b.frac_by_channel() - theta.frac_by_channel()
        ones = np.ones(theta.shape)
        self.arrays = (
            scaled(node.theta, 0), scaled(node.tau, leak), scaled(node.rho, leak),
            scaled(node.a, quantized(node.a).frac_by_channel() - finer), scaled(node.b, 0),
            np.ldexp(ones, own - arriving), np.ldexp(ones, -finer),
        )  # fmt: skip
        self.limits = (symmetric_limit(theta.bits), symmetric_limit(b.bits))
        self.kernel = adaptive(node.reset, node.adapts_on == "before")

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run the loop that is compiled for this reset and side."""
        u, w = state["u"].astype(np.float64), state["w"].astype(np.float64)
        limit, most = (float(limit) for limit in self.limits)
        self.kernel(operands[0], y, u, w, *self.arrays, limit, most, tally)
        state["u"][...], state["w"][...] = u, w

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Run the loop in place."""
        membrane = to.room("real", (2, to.samples, self.node.in_channels))
        for index, key in enumerate(self.node.state_parts()):
            to.state(name, key, membrane.part(index))
        op = INSTRUCTIONS[self.node.reset, self.node.adapts_on]
        to.emit(op, name, operands[0], y, membrane.at, to.real.put(*self.arrays), *self.limits)

    @staticmethod
    def evaluate(node: AdaptiveLIF, operands: list[Reals], state: Carried | None) -> Evaluated:
        """Run the loop for real numbers, which keeps the largest states."""
        u = np.ascontiguousarray(added(operands))
        y, before = np.empty_like(u), node.before(len(u), state)
        parameters = (reals(p) for p in (node.theta, node.tau, node.rho, node.a, node.b))
        peaks, largest = np.zeros((2, node.in_channels)), np.abs(u).max(axis=(0, 1))
        kernel = float_adaptive(node.reset, node.adapts_on == "before")
        kernel(u, y, before["u"], before["w"], *parameters, peaks)
        if state is not None:
            state |= before
        return Evaluated(y, {"state": peaks[0], "adaptation": peaks[1], "input": largest})
