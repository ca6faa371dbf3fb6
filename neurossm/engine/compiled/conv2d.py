"""`Conv2d`: each activation adds the kernel around it; nothing is done where none arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import kernels
from neurossm.engine.compiled.affine import saturate, start
from neurossm.engine.compiled.form import Form, Messages, Tally, compiled, limit_of
from neurossm.engine.conv_kernels import FEW, LANES, add_windows
from neurossm.engine.edges import Edges
from neurossm.engine.walk import P0, P1, P2, P3, P4, P5, Memory, N, Numbers, instruction, part
from neurossm.nodes import Conv2d, State
from neurossm.nodes.values import integers

if TYPE_CHECKING:
    from neurossm.engine.writing import Writer


@instruction
def add_edge(row: Numbers, u: Numbers, y: Numbers, at: Memory, counts: Numbers) -> None:
    """Add an edge: kernel, shape, its length, fan-out, scratch, whether it multiplies."""
    shape = part(at.whole, row[P1], row[P2])
    weight = part(at.small, row[P0], shape[0] * shape[6] * shape[7] * shape[9])
    scratch = part(at.small, row[P4], shape[4] * shape[5] * (shape[8] * shape[9] + 1))
    fan_out = part(at.whole, row[P3], row[N])
    add_windows(u, y, weight, shape, fan_out, scratch, row[P5] != 0, counts)


@compiled(Conv2d)
class Conv2dForm(Form[Conv2d]):
    """The kernel with filters innermost, where inputs meet outputs, the synapses of each input."""

    def __init__(self, node: Conv2d, edges: Edges) -> None:
        super().__init__(node, edges)
        shape, weight = node.windows, integers(node.weight)
        grouped = weight.reshape(shape.groups, -1, *weight.shape[1:])  # (groups, O', I', kh, kw)
        each = grouped.shape[1]
        padded = each if each < FEW else -(-each // LANES) * LANES
        filters = np.zeros((*weight.shape[1:], shape.groups, padded), np.int32)
        filters[..., :each] = grouped.transpose(2, 3, 4, 0, 1)
        self.weight = np.moveaxis(filters, 3, 0).ravel()
        sizes = (*shape.in_shape, *shape.out_shape, *shape.kernel, shape.groups, padded)
        self.shape = np.concatenate([sizes, _met(node, 0).ravel(), _met(node, 1).ravel()])
        self.fan_out = shape.fan_out(weight).ravel()
        self.bias = node.spread(integers(node.bias)).astype(np.int32)
        self.limit = limit_of(node)
        self.multiplies = [not fmt.is_spike and not node.only_adds for fmt in edges.formats]
        self.scratch = shape.out_size[0] * shape.out_size[1] * (shape.groups * padded + 1)

    def run(self, operands: list[Messages], y: Messages, state: State, tally: Tally) -> None:
        """Start with the bias, add each edge, saturate."""
        kernels.start(y, self.bias)
        scratch = np.zeros(self.scratch, np.int32)
        for u, multiplies in zip(operands, self.multiplies, strict=True):
            add_windows(u, y, self.weight, self.shape, self.fan_out, scratch, multiplies, tally)
        kernels.saturate(y, self.limit, tally)

    def emit(self, to: Writer, name: str, operands: list[int], y: int) -> None:
        """Start with the bias, add each edge, saturate."""
        weight, scratch = to.small.put(self.weight), to.small.room(self.scratch)
        shape, fan_out = to.whole.put(self.shape), to.whole.put(self.fan_out)
        to.emit(start, name, 0, y, to.small.put(self.bias))
        for u, multiplies in zip(operands, self.multiplies, strict=True):
            to.emit(add_edge, name, u, y, weight, shape, len(self.shape), fan_out, scratch,
                    int(multiplies))  # fmt: skip
        to.emit(saturate, name, 0, y, self.limit)


def _met(node: Conv2d, axis: int) -> NDArray[np.int64]:
    """Return which output meets each input at each kernel element of an axis; -1: none."""
    shape = node.windows
    index, kernel = np.arange(shape.in_shape[1 + axis])[:, None], np.arange(shape.kernel[axis])
    start = index + shape.padding[axis] - kernel * shape.dilation[axis]
    met, rest = np.divmod(start, shape.stride[axis])
    return np.where((rest == 0) & (met >= 0) & (met < shape.out_size[axis]), met, -1)
