"""`AdaptiveThreshold`: one lane per channel, its last candidates the bits of a number."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurossm.engine.edges import Edges
from neurossm.nodes import AdaptiveThreshold
from neurossm.nodes.values import integers
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import Block, Form, on_device
from neurossm_converters.backends.gpu.launch import power_of_two, start
from neurossm_converters.backends.gpu.nodes.lif import LANES, WARPS


@on_device(AdaptiveThreshold)
class AdaptiveThresholdForm(Form[AdaptiveThreshold]):
    """Thresholds ``(C,)``, taps ``(TAPS, C)`` filled up with zeros, what a bit stands for."""

    def __init__(self, node: AdaptiveThreshold, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        reach = node.reach
        self.filled = power_of_two(reach)
        taps = np.zeros((self.filled, node.in_channels), np.int64)
        taps[:reach] = integers(node.taps).T
        self.theta, self.taps = self.tensor(integers(node.theta)).int(), self.tensor(taps).int()
        self.bits = self.tensor(2 ** np.arange(reach)[:, None])

    def run(self, block: Block) -> Tensor:
        """Compare, raise by the earlier candidates, compare, step by step."""
        (u,), (samples, steps) = block.operands, block.size
        y, channels, kept = u.new_empty(u.shape), self.node.in_channels, block.state["candidates"]
        earlier = (kept * self.bits).sum(dim=1).int()
        lanes = samples * channels
        start(
            self.device.kernels, "adaptive_threshold",
            [u, y, earlier, self.theta, self.taps, block.ends], (steps, channels, lanes),
            lanes, LANES, WARPS, K=self.node.reach, TAPS=self.filled, ENDS=block.ends is not None,
        )  # fmt: skip
        kept.copy_(torch.bitwise_and(earlier[:, None], self.bits) != 0)
        return y
