"""A network without its numbers: what placement reads of a graph, or of a plan for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import Quantized
from neurossm.graph import Edge, Graph
from neurossm.nodes import DiagonalSSM, Embedding, Meets, Node, Role

SYNAPSES = ("Affine", "Embedding")


@dataclass(frozen=True, kw_only=True)
class NodeShape:
    """One node: its type and its sizes.

    Parameters
    ----------
    type
        Name of its node type, such as ``DiagonalSSM``.
    inputs, outputs
        Channels in and out; of an `Embedding` its tokens and C.
    modes
        States a channel, of a `DiagonalSSM`.
    real
        Whether those states are real numbers, as in Intel's S4D networks.
    fed_through
        Whether some input reaches the output beside the states (D is not zero).
    memory
        Whether a neuron of it keeps a value from step to step, states of an SSM apart.
    operands
        Whether each of its edges is an operand of its own.
    updates
        Neuron updates that a channel takes each step; of an SSM those of one state.
    delay
        Most steps that it delays messages by: a property of the synapses behind it, it has no
        neurons. 0: it is no delay.
    """

    type: str
    inputs: int
    outputs: int
    modes: int = 0
    real: bool = False
    fed_through: bool = False
    memory: bool = False
    operands: bool = False
    updates: int = 1
    delay: int = 0

    @property
    def is_synapse(self) -> bool:
        """True where it has no neurons of its own."""
        return self.type in SYNAPSES


@dataclass(frozen=True)
class Shape:
    """A network of `NodeShape`, its nodes in an order in which sources come first.

    What feeds a delay may come behind it, where messages go round.

    Raises
    ------
    GraphError
        If a node comes before one that feeds it.
    """

    nodes: Mapping[str, NodeShape]
    edges: tuple[Edge, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "nodes", MappingProxyType(dict(self.nodes)))
        place = {name: index for index, name in enumerate(self.nodes)}
        for source, target in self.edges:
            if target in self.nodes and self.nodes[target].delay and source in self.nodes:
                continue
            if place.get(source, len(place)) >= place.get(target, -1):
                expected = "nodes in an order in which sources come first"
                raise GraphError(f"edge {(source, target)}", expected=expected, got="another")

    @cached_property
    def sources(self) -> Mapping[str, tuple[str, ...]]:
        """For each node the names that feed it."""
        return {n: tuple(s for s, t in self.edges if t == n) for n in self.nodes}

    @cached_property
    def targets(self) -> Mapping[str, tuple[str, ...]]:
        """For each node the names that it feeds."""
        return {n: tuple(t for s, t in self.edges if s == n) for n in self.nodes}


def shape_of(graph: Graph) -> Shape:
    """Return the shape of a graph, float or integer.

    Raises
    ------
    GraphError
        If a `BatchNorm` is left in it: that is no neuron, it must be folded first.
    """
    nodes = {name: _node_shape(name, graph.nodes[name]) for name in graph.order}
    return Shape(nodes, graph.edges)


def _node_shape(name: str, node: Node) -> NodeShape:
    if type(node).__name__ == "BatchNorm":
        raise GraphError(
            f"node {name!r}",
            expected="a node that a chip has",
            got="a BatchNorm",
            remedy="fold it into its neighbors (neurossm quantize does)",
        )
    is_ssm = isinstance(node, DiagonalSSM)
    feed = node.d if isinstance(node, DiagonalSSM) else np.zeros(1)
    return NodeShape(
        type=type(node).__name__,
        inputs=node.tokens if isinstance(node, Embedding) else node.in_channels,
        outputs=node.out_channels,
        modes=node.modes if isinstance(node, DiagonalSSM) else 0,
        fed_through=bool(np.any((feed.values if isinstance(feed, Quantized) else feed) != 0)),
        memory=not is_ssm and node.states > 0,
        operands=node.meets is Meets.OPERANDS,
        updates=1 if is_ssm else node.updates // max(1, node.out_channels),
        # a row of what waits for each step
        delay=node.states // node.out_channels if node.role is Role.DELAY else 0,
    )
