"""A network without its numbers: what placement needs of a graph, or of a plan for one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import numpy as np

from neurossm.errors import GraphError, nearest
from neurossm.graph import Edge, Graph
from neurossm.nodes import NODE_TYPES, Conv2d, Meets, Node, Role
from neurossm.nodes.values import mantissas
from neurossm.nodes.windows import Windows
from neurossm.placement.pattern import Pattern

NodeType = type[Node]


@dataclass(frozen=True, kw_only=True)
class NodeShape:
    """One node: its type and its sizes.

    Parameters
    ----------
    type
        Name of its node type, such as ``DiagonalSSM``; by it a chip file knows its passes.
    inputs, outputs
        Channels in and out; of an `Embedding` its tokens and C.
    modes
        States a channel, of a `DiagonalSSM`: each may be a neuron of its own.
    real
        Whether those states are real numbers, as in Intel's S4D networks.
    parts
        Whether each neuron keeps one part of a complex state, and sends it.
    whole
        Whether each neuron keeps a complex state of its own. Its inputs may be twice as many: the
        real parts of a drive, then the imaginary ones.
    fed_through
        Whether some input reaches the output beside the states (D is not zero).
    memory
        Whether a neuron of it keeps a value from step to step, states of an SSM apart.
    operands
        Whether each of its edges is an operand of its own.
    updates
        Neuron updates that a channel takes each step; of an SSM those of one state.
    delay
        Most steps that it delays activations by: a property of the synapses behind it, it has no
        neurons. 0: it is no delay.
    pattern
        Where the synapses are, of a sparse `Affine`; None: each input reaches each output.
    windows
        Geometry of a `Conv2d`.
    traits
        The node type itself, which says what it is in a network; found by its name.

    Raises
    ------
    GraphError
        If there is no such type of node.
    """

    type: str
    inputs: int
    outputs: int
    modes: int = 0
    real: bool = False
    parts: bool = False
    whole: bool = False
    fed_through: bool = False
    memory: bool = False
    operands: bool = False
    updates: int = 1
    delay: int = 0
    pattern: Pattern | None = field(default=None, repr=False, compare=False)
    windows: Windows | None = field(default=None, repr=False)
    traits: NodeType | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.traits is None:
            if self.type not in NODE_TYPES:
                raise GraphError(
                    "shape of a network",
                    expected=f"a type of node: {', '.join(NODE_TYPES)}",
                    got=repr(self.type),
                    remedy=nearest(self.type, NODE_TYPES),
                )
            object.__setattr__(self, "traits", NODE_TYPES[self.type])

    @property
    def role(self) -> Role:
        """What it is in a network."""
        assert self.traits is not None  # found by its name
        return self.traits.role

    @property
    def is_synapse(self) -> bool:
        """True where it has no neurons of its own."""
        return self.role is Role.SYNAPSES

    @property
    def one_hot(self) -> bool:
        """True where its input are tokens, of which one speaks at a time."""
        assert self.traits is not None
        return self.traits.reads_tokens


@dataclass(frozen=True)
class Shape:
    """A network of `NodeShape`, its nodes in an order in which sources come first.

    What feeds a delay may come behind it, where activations go round.

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
                problem = "its source does not come before its target in the order of nodes"
                raise GraphError(f"edge {source} -> {target}", problem=problem)

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
    kind = type(node).__name__
    if not node.has_integers:
        raise GraphError(
            f"node {name!r}",
            expected="a node that a chip has",
            got=f"a {kind}",
            remedy=node.float_only or f"write {kind}.step",
        )
    whole = not node.modes and node.complex_states == node.out_channels > 0
    return NodeShape(
        type=kind,
        inputs=node.tokens if node.reads_tokens else node.in_channels,
        outputs=node.out_channels,
        modes=node.modes,
        parts=not node.modes and not whole and node.complex_states > 0,
        whole=whole,
        fed_through=node.fed_through,
        memory=not node.modes and not whole and node.states > 0,
        operands=node.meets is Meets.OPERANDS,
        updates=1 if node.modes else node.updates // max(1, node.out_channels),
        # a row of what waits for each step
        delay=node.states // node.out_channels if node.role is Role.DELAY else 0,
        pattern=_pattern(node),
        windows=node.windows if isinstance(node, Conv2d) else None,
        traits=type(node),
    )


def _pattern(node: Node) -> Pattern | None:
    """Return where the weights of sparse synapses are not 0."""
    if node.role is not Role.SYNAPSES or not node.sparse_fields:
        return None
    (name,) = node.sparse_fields
    return Pattern((mantissas(getattr(node, name)) != 0).astype(np.int64))
