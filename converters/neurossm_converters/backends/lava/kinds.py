"""Integer node to Lava process, and to the arithmetic that it carries."""

from __future__ import annotations

from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)
from neurossm_converters.backends.lava import cells
from neurossm_converters.backends.lava.neuron import NeuronProcess
from neurossm_converters.backends.lava.processes import neurons

PROCESSES: dict[type[Node], type[NeuronProcess]] = {
    Input: neurons.Source,
    Output: neurons.Sink,
    Affine: neurons.Dendrite,
    DiagonalSSM: neurons.DiagonalSSM,
    Threshold: neurons.Threshold,
    Sum: neurons.Sum,
    Product: neurons.Product,
    PiecewiseLinear: neurons.PiecewiseLinear,
    Accumulate: neurons.Accumulate,
    TernaryThreshold: neurons.TernaryThreshold,
    LIF: neurons.LIF,
    Embedding: neurons.Embedding,
}
CELLS: dict[type[Node], type[cells.Cell]] = {
    Input: cells.Source,
    Output: cells.Sink,
    Affine: cells.Dendrite,
    DiagonalSSM: cells.DiagonalSSM,
    Threshold: cells.Threshold,
    Sum: cells.Sum,
    Product: cells.Product,
    PiecewiseLinear: cells.PiecewiseLinear,
    Accumulate: cells.Accumulate,
    TernaryThreshold: cells.TernaryThreshold,
    LIF: cells.LIF,
    Embedding: cells.Embedding,
}


def cell_of(node: Node, inside: bool) -> type[cells.Cell]:
    """Return the arithmetic of a node; `inside`: an `Affine` that holds its synapses itself."""
    return cells.Neuropil if inside else CELLS[type(node)]
