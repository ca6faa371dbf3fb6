"""`LIF`: one sweep over membranes and refractory variables; a separate loop on real numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.engine import kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, scaled
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, P2, Memory, N, Numbers, instruction, part, rows
from neurossm.fixed import symmetric_limit
from neurossm.nodes import LIF, Evaluated, Reals, State, quantized
from neurossm.nodes.step import Carried, added
from neurossm.nodes.values import reals

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


def _instruction(reset: str) -> Any:
    """Return the instruction for a reset: membrane (then trace), parameters, limit."""
    kernel = kernels.lif(reset, has_trace=True, shifted=True)

    @instruction
    def run(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
        samples, n, p0, p1, limit = u.shape[0], row[N], row[P0], row[P1], float(row[P2])
        v, r = rows(at.real, p0, samples, n), rows(at.real, p0 + samples * n, samples, n)
        theta, tau = part(at.real, p1, n), part(at.real, p1 + n, n)
        rho, kappa = part(at.real, p1 + 2 * n, n), part(at.real, p1 + 3 * n, n)
        scale = part(at.real, p1 + 4 * n, n)
        kernel(u, y, v, r, theta, tau, rho, kappa, scale, limit, counts)

    return run


INSTRUCTIONS = {reset: _instruction(reset) for reset in ("hard", "soft", "none")}


@compiled(LIF)
class LIFForm(Form[LIF]):
    """``(C,)`` each: theta, leaks, kappa, and what brings the input to the membrane's exponent."""

    def __init__(self, node: LIF, edges: Edges) -> None:
        super().__init__(node, edges)
        theta, leak = quantized(node.theta), int(quantized(node.tau).frac)
        by_channel = edges.frac_by_channel
        arriving = edges.formats[0].frac if by_channel is None else by_channel
        scale = np.ldexp(np.ones(theta.shape), theta.frac_by_channel() - arriving)
        self.arrays = (scaled(node.theta, 0), scaled(node.tau, leak), scaled(node.rho, leak),
                       scaled(node.kappa, 0), scale)  # fmt: skip
        self.limit = symmetric_limit(theta.bits)
        self.kernel = kernels.lif(node.reset, node.has_trace, bool(np.any(scale != 1.0)))

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run the loop that is compiled for this reset."""
        u = state["u"].astype(np.float64)
        r = state["r"].astype(np.float64) if self.node.has_trace else np.zeros_like(u)
        self.kernel(operands[0], y, u, r, *self.arrays, float(self.limit), tally)
        state["u"][...] = u
        if self.node.has_trace:
            state["r"][...] = r

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Run the loop for every trace and exponent."""
        shape = (to.samples, self.node.in_channels)
        membrane = to.room("real", (2, *shape))  # and the trace behind it
        for index, key in enumerate(self.node.state_parts()):
            to.state(name, key, membrane.part(index))
        op, parameters = INSTRUCTIONS[self.node.reset], to.real.put(*self.arrays)
        to.emit(op, name, operands[0], y, membrane.at, parameters, self.limit)

    @staticmethod
    def evaluate(node: LIF, operands: list[Reals], state: Carried | None) -> Evaluated:
        """Run the loop for real numbers, which keeps the largest membranes."""
        u = np.ascontiguousarray(added(operands))
        y, before = np.empty_like(u), node.before(len(u), state)
        membrane = before["u"]
        trace = before.get("r", np.zeros_like(membrane))
        parameters = (reals(p) for p in (node.theta, node.tau, node.rho, node.kappa))
        peaks = np.zeros(node.in_channels)
        kernels.float_lif(node.reset)(u, y, membrane, trace, *parameters, peaks)
        if state is not None:
            state |= before
        return Evaluated(y, {"state": peaks, "input": np.abs(u).max(axis=(0, 1))})
