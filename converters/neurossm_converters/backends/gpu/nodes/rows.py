"""Nodes without state, except `Affine`: each row of activations by itself."""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm.engine.compiled.form import limit_of, product_shift
from neurossm.engine.edges import Edges
from neurossm.nodes import (
    Embedding,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
    format_of,
    quantized,
)
from neurossm.nodes.values import integers
from neurossm_converters.backends.gpu.arithmetic import shifted
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import SYN_OPS, Block, Form, RowForm, on_device


@on_device(Output)
class OutputForm(Form[Output]):
    """Nothing is computed."""

    def run(self, block: Block) -> Tensor:
        """Return what came."""
        return block.operands[0]


@on_device(Threshold)
class ThresholdForm(RowForm[Threshold]):
    """The threshold of each channel."""

    def __init__(self, node: Threshold, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        self.theta = self.tensor(integers(node.theta), torch.int32)

    def rows(self, operands: list[Tensor]) -> Tensor:
        """Compare."""
        return operands[0] >= self.theta


@on_device(TernaryThreshold)
class TernaryThresholdForm(RowForm[TernaryThreshold]):
    """The threshold of each channel."""

    def __init__(self, node: TernaryThreshold, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        self.delta = self.tensor(integers(node.delta), torch.int32)

    def rows(self, operands: list[Tensor]) -> Tensor:
        """Compare with both signs, of which at most one is reached."""
        u = operands[0]
        return (u >= self.delta).int() - (u <= -self.delta).int()


@on_device(Sum)
class SumForm(RowForm[Sum]):
    """The shift of each operand."""

    def __init__(self, node: Sum, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        self.limit = limit_of(node)
        self.right = [fmt.frac - format_of(node).frac for fmt in edges.formats]

    def rows(self, operands: list[Tensor]) -> Tensor:
        """Bring each to the exponent of the sum, add."""
        terms = [shifted(u, right) for u, right in zip(operands, self.right, strict=True)]
        return torch.stack(terms).sum(dim=0)


@on_device(Product)
class ProductForm(RowForm[Product]):
    """The shift of the product."""

    def __init__(self, node: Product, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        self.limit, self.right = limit_of(node), product_shift(node, edges)

    def rows(self, operands: list[Tensor]) -> Tensor:
        """Multiply, shift."""
        left, right = operands
        return shifted(left.long() * right.long(), self.right)


@on_device(PiecewiseLinear)
class PiecewiseLinearForm(RowForm[PiecewiseLinear]):
    """Knots, slopes and offsets, and the shift of the product."""

    def __init__(self, node: PiecewiseLinear, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        self.limit = limit_of(node)
        parts = (node.knots, node.slopes, node.offsets)
        self.knots, self.slopes, self.offsets = (self.tensor(integers(part)) for part in parts)
        self.right = int(quantized(node.slopes).frac) + edges.formats[0].frac - format_of(node).frac

    def rows(self, operands: list[Tensor]) -> Tensor:
        """Find the segment by comparing, multiply, shift, add."""
        u = operands[0].long()
        segment = torch.zeros_like(u)
        for knot in self.knots:
            segment += u >= knot
        return shifted(self.slopes[segment] * u, self.right) + self.offsets[segment]


@on_device(Embedding)
class EmbeddingForm(RowForm[Embedding]):
    """The table ``(V, C)``."""

    def __init__(self, node: Embedding, edges: Edges, device: Device) -> None:
        super().__init__(node, edges, device)
        self.table = self.tensor(integers(node.table), torch.int32)

    def rows(self, operands: list[Tensor]) -> Tensor:
        """Look up."""
        return self.table[operands[0][:, 0].long()]

    def count(self, active: list[Tensor], tally: Tensor) -> None:
        """Count all channels for each token."""
        tally[SYN_OPS] += active[0].sum() * self.node.out_channels
