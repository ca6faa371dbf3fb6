"""What must hold before anything runs: latencies, balancing delays and static bounds of a graph.

A Lava `Dense` delivers one time step late. Logical time has no delays, so converging paths are
balanced by waiting on the shorter ones, and what a node sends at network step ``t`` belongs to
logical step ``t - latency``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import networkx as nx

from neurossm import contract
from neurossm.errors import GraphError
from neurossm.graph import Edge, Graph
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

SUPPORTED: tuple[type[Node], ...] = (
    Input, Output, Affine, DiagonalSSM, Threshold, Sum, Product, PiecewiseLinear, Accumulate,
    TernaryThreshold, LIF, Embedding,
)  # fmt: skip
MAX_DELAY = 63  # 6 bits, as in Lava and on the chip
MAX_EDGES = 8  # ports that each process declares


@dataclass(frozen=True)
class Plan:
    """When each node works.

    Attributes
    ----------
    latencies
        Node name to network steps between an input and the node's answer to it.
    delays
        Edge to network steps that its messages wait at the receiving node.
    """

    latencies: Mapping[str, int]
    delays: Mapping[Edge, int]

    @property
    def latency(self) -> int:
        """Network steps by which the slowest node lags behind the inputs."""
        return max(self.latencies.values())


def make_plan(graph: Graph) -> Plan:
    """Check that Lava can carry an integer graph and return when each node works.

    Raises
    ------
    GraphError
        For a breach of the integer contract (`neurossm.contract`; it bounds the synaptic sums,
        as Lava's accumulator wraps at 32 bits in silence), a node that has no Lava process, too
        many edges into one node, a graph in several parts, paths that converge with more than
        63 steps between them.
    """
    contract.require(graph)
    _check_nodes(graph)
    latencies: dict[str, int] = {}
    for name in graph.order:
        arrivals = [latencies[source] for source in graph.sources[name]]
        latencies[name] = max(arrivals, default=0) + _hop(graph.nodes[name])
    delays = {
        (source, target): latencies[target] - latencies[source] - _delivery(graph.nodes[target])
        for source, target in graph.edges
    }
    for edge, delay in delays.items():
        if delay > MAX_DELAY:
            raise GraphError(
                f"edge {edge}",
                expected=f"paths that differ by at most {MAX_DELAY} synapse layers",
                got=str(delay),
                remedy="shorten the longer path or put a layer into the shorter one",
            )
    return Plan(latencies, delays)


def _hop(node: Node) -> int:
    """Return the steps from a message to the answer: one through a layer of synapses."""
    return 1 if isinstance(node, Affine | Embedding) else 0


def _delivery(node: Node) -> int:
    """Return the steps that Lava's own synapses take; ours, of an `Embedding`, wait instead."""
    return 1 if isinstance(node, Affine) else 0


def _check_nodes(graph: Graph) -> None:
    for name, node in graph.nodes.items():
        where = f"node {name!r} ({type(node).__name__})"
        if type(node) not in SUPPORTED:
            known = ", ".join(kind.__name__ for kind in SUPPORTED)
            raise GraphError(where, expected=f"one of {known} for Lava", got="another")
        if len(graph.sources[name]) > MAX_EDGES:
            raise GraphError(
                where,
                expected=f"at most {MAX_EDGES} edges into one Lava process",
                got=str(len(graph.sources[name])),
                remedy="add in two stages with Sum nodes",
            )
    net = nx.Graph(graph.edges)
    net.add_nodes_from(graph.nodes)
    parts = list(nx.connected_components(net))
    if len(parts) > 1:
        raise GraphError(
            "graph",
            expected="one connected network for Lava",
            got=f"{len(parts)} parts, one with {min(parts[1])!r}",
            remedy="run the parts as graphs of their own",
        )
