"""Operations of a dense network of the same shape: every weight and every state, every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    BatchNorm,
    Delay,
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

REAL_MACS_PER_COMPLEX_STATE = 8  # 4 for a x, 2 for b u, 2 for Re(c x')


@dataclass(frozen=True)
class DenseOperations:
    """Real operations of one time step; a multiplication with its addition is one MAC.

    Attributes
    ----------
    matrix_macs
        Of the synapses: inputs times outputs.
    state_macs
        Of recurrences: 8 for each complex state (4 for the pole, 2 for the input gain, 2 for the
        real part of the readout) and one for each channel's feed-through; one for each membrane
        that leaks and for each refractory trace.
    elementwise_macs
        Of batch norms and piecewise-linear functions: one a channel.
    multiplies, adds
        The rest: products; sums, running sums, subtracting a trace and a soft reset. Comparisons,
        constant biases and looking up a row of an embedding are not counted.
    """

    matrix_macs: int = 0
    state_macs: int = 0
    elementwise_macs: int = 0
    multiplies: int = 0
    adds: int = 0

    def __add__(self, other: DenseOperations) -> DenseOperations:
        return DenseOperations(
            self.matrix_macs + other.matrix_macs,
            self.state_macs + other.state_macs,
            self.elementwise_macs + other.elementwise_macs,
            self.multiplies + other.multiplies,
            self.adds + other.adds,
        )

    @property
    def macs(self) -> int:
        """All MACs."""
        return self.matrix_macs + self.state_macs + self.elementwise_macs


def dense_operations(graph: Graph) -> dict[str, DenseOperations]:
    """Return, for each node, the dense operations of one step; float or integer graph.

    Raises
    ------
    GraphError
        For a node whose dense operations are not defined here.
    """
    found = {}
    for name, node in graph.nodes.items():
        if type(node) not in _RULES:
            raise GraphError(
                f"node {name!r}",
                expected="a node with known dense operations",
                got=type(node).__name__,
                remedy="enter its rule in neurossm.metrics.dense",
            )
        found[name] = _RULES[type(node)](node, len(graph.sources[name]))
    return found


def _nothing(node: Node, operands: int) -> DenseOperations:
    return DenseOperations()


def _affine(node: Affine, operands: int) -> DenseOperations:
    return DenseOperations(matrix_macs=operands * node.in_channels * node.out_channels)


def _diagonal_ssm(node: DiagonalSSM, operands: int) -> DenseOperations:
    complex_states = node.in_channels * node.modes
    macs = REAL_MACS_PER_COMPLEX_STATE * complex_states + node.in_channels
    return DenseOperations(state_macs=macs, adds=_converging(node, operands))


def _elementwise(node: BatchNorm | PiecewiseLinear, operands: int) -> DenseOperations:
    return DenseOperations(elementwise_macs=node.in_channels, adds=_converging(node, operands))


def _product(node: Product, operands: int) -> DenseOperations:
    return DenseOperations(multiplies=(operands - 1) * node.channels)


def _sum(node: Sum, operands: int) -> DenseOperations:
    return DenseOperations(adds=_converging(node, operands))


def _accumulate(node: Accumulate, operands: int) -> DenseOperations:
    return DenseOperations(adds=node.channels + _converging(node, operands))


def _threshold(node: Threshold | TernaryThreshold, operands: int) -> DenseOperations:
    return DenseOperations(adds=_converging(node, operands))


def _lif(node: LIF, operands: int) -> DenseOperations:
    subtracted = node.in_channels * (node.has_trace + (node.reset == "soft"))
    return DenseOperations(state_macs=node.states, adds=subtracted + _converging(node, operands))


def _converging(node: Node, operands: int) -> int:
    return (operands - 1) * node.in_channels


_RULES: dict[type[Node], Callable[..., DenseOperations]] = {
    Input: _nothing,
    Output: _nothing,
    Delay: _nothing,
    Affine: _affine,
    DiagonalSSM: _diagonal_ssm,
    BatchNorm: _elementwise,
    PiecewiseLinear: _elementwise,
    Product: _product,
    Sum: _sum,
    Accumulate: _accumulate,
    Threshold: _threshold,
    TernaryThreshold: _threshold,
    LIF: _lif,
    Embedding: _nothing,
}
