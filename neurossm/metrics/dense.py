"""Operations of a dense network of the same shape: every weight and every state, every step."""

from __future__ import annotations

from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.nodes import Node
from neurossm.nodes.dense import DenseOperations

__all__ = ["DenseOperations", "dense_operations"]


def dense_operations(graph: Graph) -> dict[str, DenseOperations]:
    """Return, for each node, the dense operations of one step; float or integer graph.

    Raises
    ------
    GraphError
        For a node that does not say what its dense operations are.
    """
    found = {}
    for name, node in graph.nodes.items():
        if type(node).dense is Node.dense:
            kind = type(node).__name__
            raise GraphError(f"node {name!r}", expected="a node with known dense operations",
                             got=kind, remedy=f"write {kind}.dense")  # fmt: skip
        found[name] = node.dense(len(graph.sources[name]))
    return found
