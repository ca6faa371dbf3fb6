"""`Conv2d`: for each element of the kernel one product of floating-point matrices, exact.

The bound of its sums is that of an `Affine`, and so is the type that holds them. PyTorch's own
convolutions are not used: a library may choose an algorithm whose sums are others.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

from neurossm.engine.compiled.form import limit_of
from neurossm.engine.edges import Edges
from neurossm.nodes import Conv2d
from neurossm.nodes.values import integers
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import RowForm, on_device
from neurossm_converters.backends.gpu.nodes.affine import count_synapses, exact_type


@on_device(Conv2d)
class Conv2dForm(RowForm[Conv2d]):
    """The kernel by element and group, the bias, and the synapses of each input."""

    def __init__(self, node: Conv2d, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        weight, bias = integers(node.weight), integers(node.bias)
        self.limit, self.windows = limit_of(node), node.windows
        whole = np.abs(weight).reshape(len(weight), -1).sum(axis=1)
        self.real = exact_type(whole, np.abs(bias), edges)
        groups = self.windows.groups
        grouped = weight.reshape(groups, -1, *weight.shape[1:])  # (groups, O', I', kh, kw)
        self.kernel = self.tensor(np.moveaxis(grouped, (3, 4), (0, 1)), self.real).contiguous()
        self.bias = self.tensor(bias, self.real).view(groups, -1, 1, 1)
        self.fan_out = self.tensor(node.fan_out)
        adds = node.only_adds
        self.multiplies = [not (adds or fmt.is_spike) for fmt in edges.formats]

    def rows(self, operands: list[Tensor]) -> Tensor:
        """Start with the bias, add what each element of the kernel brings from each edge."""
        shape, rows = self.windows, len(operands[0])
        each = (shape.groups, shape.filters // shape.groups)
        sums = self.bias.expand(rows, *each, *shape.out_size).clone()
        for u in operands:
            image = u.to(self.real).view(rows, shape.groups, -1, *shape.in_shape[1:])
            for tap in shape.taps():
                meeting = image[..., tap.inputs[0], tap.inputs[1]]
                product = self.kernel[tap.at] @ meeting.flatten(3)
                size = (*product.shape[:3], *meeting.shape[3:])
                sums[..., tap.outputs[0], tap.outputs[1]] += product.view(size)
        return sums.view(rows, -1)

    def count(self, active: list[Tensor], tally: Tensor) -> None:
        """Count a synaptic operation for each message and synapse of its input."""
        count_synapses(active, self.fan_out, self.multiplies, tally)
