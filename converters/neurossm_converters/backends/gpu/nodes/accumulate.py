"""`Accumulate`: running sums."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from neurossm.engine.compiled.form import limit_of, product_shift
from neurossm.engine.edges import Edges
from neurossm.fixed import symmetric_limit
from neurossm.nodes import Accumulate
from neurossm_converters.backends.gpu.arithmetic import shift_table
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import SATURATIONS, Block, Form, on_device
from neurossm_converters.backends.gpu.launch import start

LANES, WARPS = 128, 4


@on_device(Accumulate)
class AccumulateForm(Form[Accumulate]):
    """The shift of a term, its limit and that of the sum."""

    def __init__(self, node: Accumulate, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        right = np.array([product_shift(node, Edges(edges.formats[:1]))])
        shifts = [int(one[0]) for one in shift_table(right)]
        self.numbers = (*shifts, symmetric_limit(node.term_bits), limit_of(node))

    def run(self, block: Block) -> Tensor:
        """Add up, a lane a sum."""
        (u,), (samples, steps) = block.operands, block.size
        y, channels, sums = u.new_empty(u.shape), self.node.channels, block.state["sum"].int()
        tensors = [u, y, sums, block.ends, block.tally[SATURATIONS:]]
        lanes = samples * channels
        start(
            self.device.kernels, "accumulate", tensors, (steps, channels, lanes, *self.numbers),
            lanes, LANES, WARPS, ENDS=block.ends is not None,
        )  # fmt: skip
        block.state["sum"].copy_(sums)
        return y
