"""`ComplexDiagonal`: one lane per complex state, which sends both of its parts."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from neurossm.engine.compiled.form import limit_of
from neurossm.engine.edges import Edges
from neurossm.fixed import symmetric_limit
from neurossm.nodes import ComplexDiagonal, format_of, quantized
from neurossm.nodes.values import integers
from neurossm_converters.backends.gpu.arithmetic import shift_table
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import SATURATIONS, Block, Form, on_device
from neurossm_converters.backends.gpu.launch import start
from neurossm_converters.backends.gpu.nodes.lif import LANES, WARPS


@on_device(ComplexDiagonal)
class ComplexDiagonalForm(Form[ComplexDiagonal]):
    """The table of the kernel, ``(16, C)``, both limits, and what it is compiled for."""

    def __init__(self, node: ComplexDiagonal, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        by_channel, size = edges.frac_by_channel, node.complex_states
        arriving = edges.formats[0].frac if by_channel is None else by_channel
        entering = arriving - node.frac_by_part
        moves = (entering[:size], entering[size:], node.state_frac - format_of(node).frac)
        pole, poles = int(quantized(node.a_re).frac), (integers(node.a_re), integers(node.a_im))
        # as the upper half of 64 bits, times a magnitude: inside of the circle it is below 2**32
        rows = [*(np.abs(part) * 2 ** (32 - pole) for part in poles),
                *(np.where(part < 0, -1, 0) for part in poles),
                *(row for right in moves for row in shift_table(right))]  # fmt: skip
        self.table = self.tensor(np.stack(rows)).int()
        self.limits = symmetric_limit(node.state_bits), limit_of(node)
        self.gated = node.gate == "relu"

    def run(self, block: Block) -> Tensor:
        """Rotate, drive, send, step by step."""
        (u,), (samples, steps), state = block.operands, block.size, block.state
        y, states = u.new_empty(u.shape), self.node.complex_states
        own = {part: tensor.int() for part, tensor in state.items()}
        tensors = [u, y, own["re"], own["im"], self.table, block.ends,
                   block.tally[SATURATIONS:]]  # fmt: skip
        lanes = samples * states
        start(
            self.device.kernels, "complex_diagonal", tensors, (steps, states, lanes, *self.limits),
            lanes, LANES, WARPS, ENDS=block.ends is not None, GATED=self.gated,
        )  # fmt: skip
        for part, tensor in state.items():
            tensor.copy_(own[part])
        return y
