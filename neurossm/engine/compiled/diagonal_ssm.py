"""`DiagonalSSM`: states packed for the vector lanes; a loop of its own on real numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import ssm_kernels
from neurossm.engine.aligned import aligned
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of, scaled
from neurossm.engine.edges import Edges
from neurossm.engine.ssm_kernels import LANES
from neurossm.engine.walk import P0, P1, P2, P3, P4, P5, Memory, N, Numbers, instruction, part
from neurossm.fixed import symmetric_limit
from neurossm.nodes import DiagonalSSM, Evaluated, Reals, State, format_of, quantized
from neurossm.nodes.step import Carried, added
from neurossm.nodes.values import reals

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


def _instruction(real_b: bool) -> Any:
    """Return the instruction: state, parameters, tiles, d (then bias), both limits."""
    kernel = ssm_kernels.step_ssm(real_b)

    @instruction
    def run(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
        n, tiles = row[N], row[P2]
        lanes = n * tiles * LANES
        state, p = part(at.real, row[P0], u.shape[0] * lanes * 2), part(at.real, row[P1], lanes * 8)
        d, bias = part(at.real, row[P3], n), part(at.real, row[P3] + n, n)
        kernel(u, y, state, p, tiles, d, bias, float(row[P4]), float(row[P5]), counts)

    return run


INSTRUCTIONS = {real_b: _instruction(real_b) for real_b in (True, False)}


@compiled(DiagonalSSM)
class DiagonalSSMForm(Form[DiagonalSSM]):
    """Rows ``(C, 8, N)`` as `ssm_kernels.diagonal_ssm` names them, feed-through and bias."""

    def __init__(self, node: DiagonalSSM, edges: Edges) -> None:
        super().__init__(node, edges)
        frac, out = edges.formats[0].frac, format_of(node).frac
        a, b, c = (quantized(p).frac_by_channel() for p in (node.a_re, node.b_re, node.c_re))
        drive, d = quantized(node.drive_re), quantized(node.d).frac_by_channel()
        state_frac = drive.frac_by_channel()
        b_shift, c_shift = b + frac - state_frac, c + state_frac - 1 - out
        rows = [
            scaled(node.a_re, a), scaled(node.a_im, a), scaled(node.b_re, b_shift),
            scaled(node.drive_re, 0), scaled(node.drive_im, 0), scaled(node.c_re, c_shift),
            scaled(node.c_im, c_shift), scaled(node.b_im, b_shift),
        ]  # fmt: skip
        self.rows = np.stack(rows, axis=1)
        self.feed, self.bias = scaled(node.d, d + frac - out), scaled(node.bias, 0)
        self.state_limit, self.limit = symmetric_limit(drive.bits), limit_of(node)
        self.real_b = not np.any(self.rows[:, 7])  # what drives the states is real
        whole_b = bool(np.all(self.rows[:, 2] % 1 == 0))  # its product has no fraction
        self.kernel = ssm_kernels.diagonal_ssm(node.modes, self.real_b, whole_b)
        self.parameters = aligned((self.rows.size,), np.float64)
        self.parameters[...] = self.rows.ravel()

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Run the loop that is compiled for this number of states a channel."""
        samples, channels, modes = state["re"].shape
        packed = aligned((samples, channels, 2, modes), np.float64)
        packed[:, :, 0], packed[:, :, 1] = state["re"], state["im"]
        limits = float(self.state_limit), float(self.limit)
        self.kernel(operands[0], y, packed.reshape(-1), self.parameters, self.feed, self.bias,
                    *limits, tally)  # fmt: skip
        state["re"][...], state["im"][...] = packed[:, :, 0], packed[:, :, 1]

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Run the loop over tiles of states, which are filled up with zeros."""
        channels, _, modes = self.rows.shape
        tiles = -(-modes // LANES)
        rows = np.zeros((channels, 8, tiles * LANES))
        rows[:, :, :modes] = self.rows
        tiled = rows.reshape(channels, 8, tiles, LANES).swapaxes(1, 2)
        state = to.room("real", (to.samples, channels, tiles, 2, LANES))
        for key, index in (("re", 0), ("im", 1)):
            to.state(name, key, state, _part_of_tiles(index, modes))
        parameters, feed = to.real.put(tiled), to.real.put(self.feed, self.bias)
        to.emit(INSTRUCTIONS[self.real_b], name, operands[0], y, state.at, parameters, tiles, feed,
                self.state_limit, self.limit)  # fmt: skip

    @staticmethod
    def evaluate(node: DiagonalSSM, operands: list[Reals], state: Carried | None) -> Evaluated:
        """Run the loop for real numbers, which keeps the largest magnitudes."""
        rows = (node.a_re, node.a_im, node.b_re, node.drive_re, node.drive_im, node.c_re,
                node.c_im, node.b_im)  # fmt: skip
        parameters = np.stack([reals(row) for row in rows], axis=1).ravel()
        u = np.ascontiguousarray(added(operands))
        states, y = np.zeros((len(u), node.in_channels, 3, node.modes)), np.empty_like(u)
        before = node.before(len(u), state)
        states[:, :, 0], states[:, :, 1] = before["re"], before["im"]
        kernel = ssm_kernels.float_ssm(node.modes)
        kernel(u, y, states.reshape(-1), parameters, reals(node.d), reals(node.bias))
        if state is not None:
            state |= {"re": states[:, :, 0], "im": states[:, :, 1]}
        return Evaluated(y, {"state": np.sqrt(states[:, :, 2].max(axis=0))})


def _part_of_tiles(index: int, modes: int) -> Any:
    def part(tiles: NDArray[Any]) -> NDArray[Any]:
        """Return one part of the states, ``(S, C, N)``, from tiles ``(S, C, K, 2, LANES)``."""
        return tiles[:, :, :, index].reshape(*tiles.shape[:2], -1)[..., :modes]

    return part
