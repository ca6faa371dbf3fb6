"""The nodes of a graph: what each means as real numbers and as integers.

A node is a frozen value: parameters, their number formats, the format ``out`` of its activations.
Its `Node.step` is the specification of its integers, `Node.evaluate` its float meaning. A new node
is one more module here, see `neurossm.nodes.node`; `NODE_TYPES` finds it by itself.

Glossary of shapes: ``C`` channels (features), ``N`` complex states kept a channel (half of the
published ``d_state``), ``K`` segments, ``V`` tokens, ``u`` the input of a node at a time step,
``y`` its output.
``tz(p, k)`` is `neurossm.fixed.shift`, toward zero; ``sat`` saturates to the node's width.

Edges that converge on a node add, as in NIR, and must then share one number format. `Sum` and
`Product` take each edge as an operand of its own.
"""

import pkgutil
from importlib import import_module

from neurossm.nodes.accumulate import Accumulate
from neurossm.nodes.adaptive_lif import AdaptiveLIF
from neurossm.nodes.adaptive_threshold import AdaptiveThreshold
from neurossm.nodes.affine import Affine
from neurossm.nodes.arriving import NARROWER, Arriving, Finding, Frac, Quantizing, alike, same
from neurossm.nodes.batch_norm import BatchNorm
from neurossm.nodes.complex_diagonal import ComplexDiagonal
from neurossm.nodes.conv2d import Conv2d
from neurossm.nodes.delay import Delay
from neurossm.nodes.diagonal_ssm import DiagonalSSM
from neurossm.nodes.embedding import Embedding
from neurossm.nodes.input import Input
from neurossm.nodes.lif import LIF
from neurossm.nodes.node import Node, format_of, message_frac
from neurossm.nodes.output import Output
from neurossm.nodes.parameter import Parameter
from neurossm.nodes.piecewise_linear import PiecewiseLinear
from neurossm.nodes.product import Product
from neurossm.nodes.resonate_and_fire import ResonateAndFire
from neurossm.nodes.span import FanIn, Found, Register, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, State, Step
from neurossm.nodes.sum import Sum
from neurossm.nodes.ternary_threshold import TernaryThreshold
from neurossm.nodes.threshold import Threshold
from neurossm.nodes.traits import Meets, Role
from neurossm.nodes.values import Array, quantized, reals

Weighted = Affine | Conv2d  # synapses that share no neuron: weights, and a bias a row or filter


def _found() -> dict[str, type[Node]]:
    """Return the types of node that the modules of this package define, by name."""
    modules = [import_module(f"{__name__}.{info.name}") for info in pkgutil.iter_modules(__path__)]
    return {
        cls.__name__: cls
        for module in modules
        for cls in vars(module).values()
        if isinstance(cls, type) and issubclass(cls, Node) and cls is not Node
        and cls.__module__ == module.__name__
    }  # fmt: skip


NODE_TYPES = _found()

__all__ = [
    "LIF",
    "NARROWER",
    "NODE_TYPES",
    "Accumulate",
    "AdaptiveLIF",
    "AdaptiveThreshold",
    "Affine",
    "Array",
    "Arriving",
    "BatchNorm",
    "Carried",
    "Change",
    "ComplexDiagonal",
    "Conv2d",
    "Delay",
    "DiagonalSSM",
    "Embedding",
    "Evaluated",
    "FanIn",
    "Finding",
    "Found",
    "Frac",
    "Input",
    "Integers",
    "Meets",
    "Node",
    "Output",
    "Parameter",
    "PiecewiseLinear",
    "Product",
    "Quantizing",
    "Reals",
    "Register",
    "ResonateAndFire",
    "Role",
    "Span",
    "State",
    "Step",
    "Sum",
    "TernaryThreshold",
    "Threshold",
    "Weighted",
    "alike",
    "format_of",
    "message_frac",
    "quantized",
    "reals",
    "same",
]
