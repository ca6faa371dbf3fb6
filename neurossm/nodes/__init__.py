"""The nodes of a graph: what each means as real numbers and as integers.

A node is a frozen value: parameters, their number formats, the format ``out`` of its messages.
It does not execute; `neurossm.engine.reference` is the specification of its integer meaning.

Glossary of shapes: ``C`` channels (features), ``N`` complex states kept a channel (half of the
published ``d_state``), ``K`` segments, ``V`` tokens, ``u`` the input of a node at a time step,
``y`` its output.
``tz(p, k)`` is `neurossm.fixed.shift`, toward zero; ``sat`` saturates to the node's width.

Edges that converge on a node add, as in NIR, and must then share one number format. `Sum` and
`Product` take each edge as an operand of its own.
"""

from neurossm.nodes.accumulate import Accumulate
from neurossm.nodes.affine import Affine, message_frac
from neurossm.nodes.batch_norm import BatchNorm
from neurossm.nodes.diagonal_ssm import DiagonalSSM
from neurossm.nodes.embedding import Embedding
from neurossm.nodes.input import Input
from neurossm.nodes.lif import LIF
from neurossm.nodes.node import Array, Node, format_of, quantized
from neurossm.nodes.output import Output
from neurossm.nodes.piecewise_linear import PiecewiseLinear
from neurossm.nodes.product import Product
from neurossm.nodes.sum import Sum
from neurossm.nodes.ternary_threshold import TernaryThreshold
from neurossm.nodes.threshold import Threshold

NODE_TYPES: dict[str, type[Node]] = {
    cls.__name__: cls
    for cls in (
        Input, Output, Affine, BatchNorm, DiagonalSSM, Threshold, Sum, Product, PiecewiseLinear,
        Accumulate, TernaryThreshold, LIF, Embedding,
    )
}  # fmt: skip

SPIKING = (LIF, Threshold, TernaryThreshold)  # they compare, and send spikes

__all__ = [
    "LIF",
    "NODE_TYPES",
    "SPIKING",
    "Accumulate",
    "Affine",
    "Array",
    "BatchNorm",
    "DiagonalSSM",
    "Embedding",
    "Input",
    "Node",
    "Output",
    "PiecewiseLinear",
    "Product",
    "Sum",
    "TernaryThreshold",
    "Threshold",
    "format_of",
    "message_frac",
    "quantized",
]
