"""`LIF`: membranes and refractory variables, one lane per neuron."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from neurossm.engine.edges import Edges
from neurossm.fixed import symmetric_limit
from neurossm.nodes import LIF, quantized
from neurossm.nodes.values import integers
from neurossm_converters.backends.gpu.arithmetic import shift_table
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import SATURATIONS, Block, Form, on_device
from neurossm_converters.backends.gpu.launch import start

LANES, WARPS = 128, 4
RESETS = {"none": 0, "soft": 1, "hard": 2}


@on_device(LIF)
class LIFForm(Form[LIF]):
    """The table of the kernel, ``(8, C)``, and what it is compiled for."""

    def __init__(self, node: LIF, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        theta = quantized(node.theta)
        by_channel = edges.frac_by_channel
        arriving = edges.formats[0].frac if by_channel is None else by_channel
        right, leak = arriving - theta.frac_by_channel(), int(quantized(node.tau).frac)
        # as the upper half of 64 bits, times twice a membrane: a leak of 1 still fits
        tau, rho = (integers(part) * 2 ** (31 - leak) for part in (node.tau, node.rho))
        rows = (theta.values, tau, rho, integers(node.kappa), *shift_table(right))
        self.table = self.tensor(np.stack(rows)).int()
        self.limit = symmetric_limit(theta.bits)
        self.constants = {
            "RESET": RESETS[node.reset], "TRACE": node.has_trace, "SHIFTED": bool(np.any(right)),
        }  # fmt: skip

    def run(self, block: Block) -> Tensor:
        """Leak, integrate, compare, reset, step by step."""
        (u,), (samples, steps), state = block.operands, block.size, block.state
        y, channels = u.new_empty(u.shape), self.node.in_channels
        own = {part: tensor.int() for part, tensor in state.items()}
        tensors = [u, y, own["u"], own.get("r"), self.table, block.ends,
                   block.tally[SATURATIONS:]]  # fmt: skip
        lanes = samples * channels
        start(
            self.device.kernels, "lif", tensors, (steps, channels, lanes, self.limit), lanes, LANES,
            WARPS, ENDS=block.ends is not None, **self.constants,
        )  # fmt: skip
        for part, tensor in state.items():
            tensor.copy_(own[part])
        return y
