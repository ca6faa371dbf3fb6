"""The plan of a run: latencies, balancing delays, and static bounds of a graph.

A Lava `Dense` delivers one time step late. Logical time has no delays, so converging paths are
balanced by waiting on the shorter ones, and what a node sends at network step ``t`` belongs to
logical step ``t - latency``. Nodes that feed each other have one latency, and synapses between them
take no step: what goes round must be there at the next step.
"""

from __future__ import annotations

import networkx as nx

from neurossm import contract
from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm_chip.cell import Cell
from neurossm_chip.cells import cell_of, file_of
from neurossm_chip.refusal import Refusal
from neurossm_converters.backends.lava.orders import Plan

MAX_DELAY = 63  # 6 bits, as in Lava and on the chip


def make_plan(graph: Graph) -> Plan:
    """Check that Lava can carry an integer graph and return when each node works.

    Raises
    ------
    GraphError
        For a breach of the integer contract (`neurossm.contract`; it bounds the synaptic sums,
        as Lava's accumulator wraps at 32 bits in silence), a node that has no cell, a graph in
        several parts, paths that converge with more than 63 steps between them.
    """
    contract.require(graph)
    hops = {name: int(_cell(graph, name).synapses) for name in graph.order}
    _check_connected(graph)
    latencies: dict[str, int] = {}
    for block in graph.blocks:
        arrivals = [
            latencies[source] + hops[name]
            for name in block for source in graph.sources[name] if source not in block
        ]  # fmt: skip
        latencies |= dict.fromkeys(block, max(arrivals, default=0))
    delays = {
        (source, target): latencies[target] - latencies[source] - hops[target]
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


def _cell(graph: Graph, name: str) -> type[Cell]:
    kind = type(graph.nodes[name]).__name__
    try:
        return cell_of(name, kind)
    except Refusal:
        raise GraphError(
            f"node {name!r} ({kind})",
            expected="a node with a cell for Lava",
            got=f"none (neurossm_chip/cells/{file_of(kind)}.py)",
            remedy="run the graph on the fast engine, or write the cell",
        ) from None


def _check_connected(graph: Graph) -> None:
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
