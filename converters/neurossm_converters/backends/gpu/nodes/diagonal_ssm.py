"""`DiagonalSSM`: a program per group of channels with all their states, a loop over time."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurossm.engine.compiled.form import limit_of
from neurossm.engine.edges import Edges
from neurossm.fixed import symmetric_limit
from neurossm.nodes import DiagonalSSM, Integers, format_of, quantized
from neurossm.nodes.values import integers
from neurossm_converters.backends.gpu.arithmetic import FAR, grown, shift_table
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import SATURATIONS, Block, Form, on_device
from neurossm_converters.backends.gpu.launch import power_of_two, start

WARP = 32  # threads that run together
MODES_A_THREAD = 4  # with their parameters they fit into its registers; 8 do not


@on_device(DiagonalSSM)
class DiagonalSSMForm(Form[DiagonalSSM]):
    """Parameters as the kernel names them: of modes ``(10, MODES, C)``, of channels ``(14, C)``."""

    def __init__(self, node: DiagonalSSM, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        frac, out = edges.formats[0].frac, format_of(node).frac
        b, c = (quantized(p).frac_by_channel()[:, 0] for p in (node.b_re, node.c_re))
        drive, d = quantized(node.drive_re), quantized(node.d).frac_by_channel()
        state_frac = drive.frac_by_channel()[:, 0]
        shifts = b + frac - state_frac, c + state_frac - 1 - out, d + frac - out
        wide = is_wide(node, shifts[1])
        tables = [
            *shift_table(shifts[0]),
            *shift_table(shifts[1], wide),
            *shift_table(shifts[2], wide),
        ]
        self.table = self.tensor(np.stack([integers(node.d), integers(node.bias), *tables])).int()
        self.filled = power_of_two(node.modes)
        self.modes = self.tensor(_by_mode(node, self.filled)).int()
        self.limits = symmetric_limit(drive.bits), limit_of(node)
        self.constants = {
            "N": node.modes, "MODES": self.filled, "REAL": not np.any(integers(node.b_im)),
            "LEFT": bool(np.any(np.stack(shifts) < 0)), "WIDE": wide,
        }  # fmt: skip

    def run(self, block: Block) -> Tensor:
        """Rotate and drive the states, and read them out, step by step."""
        (u,), (samples, steps), state = block.operands, block.size, block.state
        y, channels = u.new_empty(u.shape), self.node.in_channels
        # a lane beside the other, as in memory the threads are
        states = torch.stack([state[part].int().permute(2, 0, 1) for part in ("re", "im")])
        states = states.contiguous()
        tensors = [u, y, states, self.modes, self.table, block.ends, block.tally[SATURATIONS:]]
        lanes = samples * channels
        start(
            self.device.kernels, "diagonal_ssm", tensors, (steps, channels, lanes, *self.limits),
            lanes, lanes_of(self.filled), 1, ENDS=block.ends is not None, **self.constants,
        )  # fmt: skip
        for part, own in zip(("re", "im"), states, strict=True):
            state[part].copy_(own.permute(1, 2, 0))
        return y


def lanes_of(filled: int) -> int:
    """Return how many lanes a program of one warp has, of so many modes each."""
    return max(1, WARP // max(1, filled // MODES_A_THREAD))


def is_wide(node: DiagonalSSM, right: Integers) -> bool:
    """Tell whether what is read of the states of a channel may need more than 32 bits.

    Parameters
    ----------
    right
        Bits by which the products with c are shifted to the right, ``(C,)``.
    """
    state = symmetric_limit(quantized(node.drive_re).bits)
    parts = np.abs(integers(node.c_re)) + np.abs(integers(node.c_im))
    read = grown(parts * state, right[:, None]).sum(axis=1) + np.abs(integers(node.bias))
    # what is fed past the states may end at 2**FAR only if the rest is less than half of that
    return bool(np.any(right < 0) or read.max() >= 2.0 ** (FAR - 1))


def _by_mode(node: DiagonalSSM, filled: int) -> Integers:
    """Return the parameters of each mode, filled up with zeros, as the kernel takes them."""
    pole = int(quantized(node.a_re).frac)
    poles = [integers(part) for part in (node.a_re, node.a_im)]
    # as the upper half of 64 bits, times a magnitude: inside of the circle it is below 2**32
    rows = [np.abs(part) * 2 ** (32 - pole) for part in poles]
    rows += [np.where(part < 0, -1, 0) for part in poles]
    rows += [integers(part) for part in (node.b_re, node.b_im, node.c_re, node.c_im)]
    rows += [integers(part) for part in (node.drive_re, node.drive_im)]
    modes = np.zeros((len(rows), filled, node.in_channels), np.int64)
    modes[:, : node.modes] = [row.T for row in rows]
    return modes
