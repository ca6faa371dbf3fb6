"""`ResonateAndFire`: one sweep over complex states; a separate loop on real numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, scaled
from neurossm.engine.edges import Edges
from neurossm.engine.neuron_kernels import float_resonate, resonate
from neurossm.engine.walk import P0, P1, P2, M, Memory, Numbers, instruction, part, rows
from neurossm.fixed import symmetric_limit
from neurossm.nodes import Evaluated, Reals, ResonateAndFire, State, quantized
from neurossm.nodes.step import Carried, added
from neurossm.nodes.values import reals

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


def _instruction(soft: bool, both: bool) -> Any:
    """Return the instruction: real parts (then imaginary ones), parameters, limit."""
    kernel = resonate(soft, both)

    @instruction
    def run(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
        samples, n, p0, p1, limit = u.shape[0], row[M], row[P0], row[P1], float(row[P2])
        re, im = rows(at.real, p0, samples, n), rows(at.real, p0 + samples * n, samples, n)
        a_re, a_im = part(at.real, p1, n), part(at.real, p1 + n, n)
        theta, scale_re = part(at.real, p1 + 2 * n, n), part(at.real, p1 + 3 * n, n)
        scale_im = part(at.real, p1 + 4 * n, n)
        kernel(u, y, re, im, a_re, a_im, theta, scale_re, scale_im, limit, counts)

    return run


INSTRUCTIONS = {(soft, both): _instruction(soft, both)
                for soft in (False, True) for both in (False, True)}  # fmt: skip


@compiled(ResonateAndFire)
class ResonatorForm(Form[ResonateAndFire]):
    """``(C,)`` each: poles, theta, and what brings either part of the drive to the state."""

    def __init__(self, node: ResonateAndFire, edges: Edges) -> None:
        super().__init__(node, edges)
        theta, pole = quantized(node.theta), quantized(node.a_re).frac_by_channel()
        arriving = edges.frac_by_channel
        if arriving is None:
            arriving = np.full(node.in_channels, edges.formats[0].frac)
        own, size = theta.frac_by_channel(), node.out_channels
        scale_re, scale_im = (np.ldexp(np.ones(size), own - arriving[part])
                              for part in (slice(size), slice(-size, None)))  # fmt: skip
        self.arrays = (scaled(node.a_re, pole), scaled(node.a_im, pole), scaled(node.theta, 0),
                       scale_re, scale_im)  # fmt: skip
        self.limit = symmetric_limit(theta.bits)
        self.kind = node.reset == "soft", node.drive == "complex"

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run the loop that is compiled for this reset and drive."""
        re, im = state["re"].astype(np.float64), state["im"].astype(np.float64)
        resonate(*self.kind)(operands[0], y, re, im, *self.arrays, float(self.limit), tally)
        state["re"][...], state["im"][...] = re, im

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Run the loop in place."""
        states = to.room("real", (2, to.samples, self.node.out_channels))
        for index, key in enumerate(self.node.state_parts()):
            to.state(name, key, states.part(index))
        parameters = to.real.put(*self.arrays)
        to.emit(INSTRUCTIONS[self.kind], name, operands[0], y, states.at, parameters, self.limit)

    @staticmethod
    def evaluate(node: ResonateAndFire, operands: list[Reals], state: Carried | None) -> Evaluated:
        """Run the loop for real numbers, which keeps the largest states."""
        u, size = np.ascontiguousarray(added(operands)), node.out_channels
        y, before = np.empty((*u.shape[:2], size)), node.before(len(u), state)
        parameters = (reals(p) for p in (node.a_re, node.a_im, node.theta))
        peaks, parts = np.zeros(size), u.reshape(*u.shape[:2], -1, size)
        kernel = float_resonate(node.reset == "soft", node.drive == "complex")
        kernel(u, y, before["re"], before["im"], *parameters, peaks)
        if state is not None:
            state |= before
        largest = np.sqrt((parts**2).sum(axis=2)).max(axis=(0, 1))
        return Evaluated(y, {"state": peaks, "input": largest})
