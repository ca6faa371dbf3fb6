"""`AdaptiveLIF`: membranes and adaptations, one lane per neuron."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from neurossm.engine.edges import Edges
from neurossm.fixed import symmetric_limit
from neurossm.nodes import AdaptiveLIF, Integers, quantized
from neurossm.nodes.values import integers
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import SATURATIONS, Block, Form, on_device
from neurossm_converters.backends.gpu.launch import start
from neurossm_converters.backends.gpu.nodes.lif import LANES, RESETS, WARPS

FURTHEST = 62  # bits to the right: of 64, what is shifted further is 0


@on_device(AdaptiveLIF)
class AdaptiveForm(Form[AdaptiveLIF]):
    """The table of the kernel, ``(11, C)``, and what it is compiled for."""

    def __init__(self, node: AdaptiveLIF, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        theta, a, b = (quantized(p) for p in (node.theta, node.a, node.b))
        by_channel = edges.frac_by_channel
        arriving = edges.formats[0].frac if by_channel is None else by_channel
        own, leak = theta.frac_by_channel(), int(quantized(node.tau).frac)
        finer = b.frac_by_channel() - own
        # as the upper half of 64 bits, times twice a state: a leak of 1 still fits
        tau, rho = (integers(part) * 2 ** (31 - leak) for part in (node.tau, node.rho))
        shifts = [part for right in (arriving - own, finer, a.frac_by_channel() - finer)
                  for part in _ways(right)]  # fmt: skip
        rows = (theta.values, tau, rho, a.values, b.values, *shifts)
        self.table = self.tensor(np.stack(rows)).int()
        self.limits = symmetric_limit(theta.bits), symmetric_limit(b.bits)
        self.constants = {"RESET": RESETS[node.reset], "BEFORE": node.adapts_on == "before"}

    def run(self, block: Block) -> Tensor:
        """Leak, integrate, hold back, compare, reset, adapt, step by step."""
        (u,), (samples, steps), state = block.operands, block.size, block.state
        y, channels = u.new_empty(u.shape), self.node.in_channels
        own = {part: tensor.int() for part, tensor in state.items()}
        tensors = [u, y, own["u"], own["w"], self.table, block.ends,
                   block.tally[SATURATIONS:]]  # fmt: skip
        lanes = samples * channels
        start(
            self.device.kernels, "adaptive_lif", tensors, (steps, channels, lanes, *self.limits),
            lanes, LANES, WARPS, ENDS=block.ends is not None, **self.constants,
        )  # fmt: skip
        for part, tensor in state.items():
            tensor.copy_(own[part])
        return y


def _ways(right: Integers) -> tuple[Integers, Integers]:
    """Return the bits to the right and those to the left."""
    return np.minimum(np.maximum(right, 0), FURTHEST), np.maximum(-right, 0)
