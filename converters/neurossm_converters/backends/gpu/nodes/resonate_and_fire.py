"""`ResonateAndFire`: complex states, one lane per neuron."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from neurossm.engine.edges import Edges
from neurossm.fixed import symmetric_limit
from neurossm.nodes import ResonateAndFire, quantized
from neurossm.nodes.values import integers
from neurossm_converters.backends.gpu.arithmetic import shift_table
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import SATURATIONS, Block, Form, on_device
from neurossm_converters.backends.gpu.launch import start
from neurossm_converters.backends.gpu.nodes.lif import LANES, WARPS


@on_device(ResonateAndFire)
class ResonatorForm(Form[ResonateAndFire]):
    """The table of the kernel, ``(13, C)``, and what it is compiled for."""

    def __init__(self, node: ResonateAndFire, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        theta, size = quantized(node.theta), node.out_channels
        arriving = edges.frac_by_channel
        if arriving is None:
            arriving = np.full(node.in_channels, edges.formats[0].frac)
        shifts = [row for part in (slice(size), slice(-size, None))
                  for row in shift_table(arriving[part] - theta.frac_by_channel())]  # fmt: skip
        pole, poles = int(quantized(node.a_re).frac), (integers(node.a_re), integers(node.a_im))
        # as the upper half of 64 bits, times a magnitude: inside of the circle it is below 2**32
        rows = [theta.values, *(np.abs(part) * 2 ** (32 - pole) for part in poles),
                *(np.where(part < 0, -1, 0) for part in poles), *shifts]  # fmt: skip
        self.table = self.tensor(np.stack(rows)).int()
        self.limit = symmetric_limit(theta.bits)
        self.constants = {"SOFT": node.reset == "soft", "BOTH": node.drive == "complex"}

    def run(self, block: Block) -> Tensor:
        """Rotate, drive, compare, reset, step by step."""
        (u,), (samples, steps), state = block.operands, block.size, block.state
        channels = self.node.out_channels
        y = u.new_empty((samples, steps, channels))
        own = {part: tensor.int() for part, tensor in state.items()}
        tensors = [u, y, own["re"], own["im"], self.table, block.ends,
                   block.tally[SATURATIONS:]]  # fmt: skip
        lanes = samples * channels
        start(
            self.device.kernels, "resonate_and_fire", tensors, (steps, channels, lanes, self.limit),
            lanes, LANES, WARPS, ENDS=block.ends is not None, **self.constants,
        )  # fmt: skip
        for part, tensor in state.items():
            tensor.copy_(own[part])
        return y
