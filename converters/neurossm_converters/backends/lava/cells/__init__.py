"""The arithmetic of each integer node on plain NumPy, whichever Lava process carries it.

Written as for microcode, on its own: 32-bit words in and out, exact products, shifts toward zero,
saturation where a register is written. It shares saturation with the reference and nothing else,
so that their agreement means something. Nothing here imports Lava.
"""

from neurossm_converters.backends.lava.cells.boundary import Sink, Source
from neurossm_converters.backends.lava.cells.cell import Cell, NodeFailed, Words, recorder_of
from neurossm_converters.backends.lava.cells.pointwise import (
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)
from neurossm_converters.backends.lava.cells.recurrent import LIF, Accumulate, DiagonalSSM
from neurossm_converters.backends.lava.cells.synaptic import Dendrite, Embedding, Neuropil

__all__ = [
    "LIF",
    "Accumulate",
    "Cell",
    "Dendrite",
    "DiagonalSSM",
    "Embedding",
    "Neuropil",
    "NodeFailed",
    "PiecewiseLinear",
    "Product",
    "Sink",
    "Source",
    "Sum",
    "TernaryThreshold",
    "Threshold",
    "Words",
    "recorder_of",
]
