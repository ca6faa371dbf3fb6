"""`ComplexDiagonal`: one sweep over complex states; a separate loop on real numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.engine import ssm_kernels
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of, scaled
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, P2, P3, Memory, N, Numbers, instruction, matrices, rows
from neurossm.fixed import symmetric_limit
from neurossm.nodes import ComplexDiagonal, Evaluated, Reals, State, format_of, quantized
from neurossm.nodes.step import Carried, added
from neurossm.nodes.values import reals

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


def _instruction(gated: bool) -> Any:
    """Return the instruction for a gate: state ``(S, 2, C)``, parameters ``(5, C)``, limits."""

    @instruction
    def run(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
        samples, n = u.shape[0], row[N]
        state = matrices(at.real, row[P0], samples, 2, n // 2)
        parameters = rows(at.real, row[P1], 5, n // 2)
        limits = float(row[P2]), float(row[P3])
        ssm_kernels.complex_diagonal(u, y, state, parameters, gated, limits[0], limits[1], counts)

    return run


INSTRUCTIONS = {gated: _instruction(gated) for gated in (True, False)}


@compiled(ComplexDiagonal)
class ComplexDiagonalForm(Form[ComplexDiagonal]):
    """Parameters as `ssm_kernels.complex_diagonal` names them, and both limits."""

    def __init__(self, node: ComplexDiagonal, edges: Edges) -> None:
        super().__init__(node, edges)
        by_channel, frac = edges.frac_by_channel, node.frac_by_part
        arriving = edges.formats[0].frac if by_channel is None else by_channel
        entering = np.ldexp(np.ones(len(frac)), frac - arriving).reshape(2, -1)
        leaving = np.ldexp(np.ones(node.complex_states), format_of(node).frac - node.state_frac)
        pole = int(quantized(node.a_re).frac)
        poles = [scaled(part, pole) for part in (node.a_re, node.a_im)]
        self.parameters = np.stack([*poles, *entering, leaving])
        self.gated = node.gate == "relu"
        self.limits = symmetric_limit(node.state_bits), limit_of(node)

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run the loop."""
        both = np.stack([state["re"], state["im"]], axis=1).astype(np.float64)
        limits = float(self.limits[0]), float(self.limits[1])
        ssm_kernels.complex_diagonal(
            operands[0], y, both, self.parameters, self.gated, *limits, tally
        )
        state["re"][...], state["im"][...] = both[:, 0], both[:, 1]

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Run the loop."""
        state = to.room("real", (to.samples, 2, self.node.complex_states))
        for index, key in enumerate(self.node.state_parts()):
            to.state(name, key, state, _part(index))
        parameters = to.real.put(self.parameters)
        to.emit(INSTRUCTIONS[self.gated], name, operands[0], y, state.at, parameters, *self.limits)

    @staticmethod
    def evaluate(node: ComplexDiagonal, operands: list[Reals], state: Carried | None) -> Evaluated:
        """Run the loop for real numbers, which keeps the largest magnitudes."""
        u = np.ascontiguousarray(added(operands))
        y, before = np.empty_like(u), node.before(len(u), state)
        both, peaks = np.stack([before["re"], before["im"]], axis=1), np.zeros(node.complex_states)
        poles = reals(node.a_re), reals(node.a_im)
        ssm_kernels.float_complex(u, y, both, *poles, node.gate == "relu", peaks)
        if state is not None:
            state |= {"re": both[:, 0].copy(), "im": both[:, 1].copy()}
        return Evaluated(y, {"state": np.sqrt(peaks)})


def _part(index: int) -> Any:
    def part(both: Any) -> Any:
        """Return one part of the states, ``(S, C)``, of ``(S, 2, C)``."""
        return both[:, index]

    return part
