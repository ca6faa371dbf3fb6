"""Which nodes share a Lava process, and which synapses carry each edge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import networkx as nx

from neurossm.graph import Edge, Graph
from neurossm.nodes import Weighted
from neurossm_converters.backends.lava.options import LavaOptions
from neurossm_converters.backends.lava.orders import Carrier, Layout, Plan

# the index beside each weight is as wide as the weight: at a quarter, half of a dense matrix
SPARSE_SHARE = 0.25


def lay_out(graph: Graph, plan: Plan, options: LavaOptions) -> Layout:
    """Return which processes a graph becomes.

    Notes
    -----
    With ``fuse="stage"`` nodes are together that answer at the same network step and are joined
    without synapses: what lies between one layer of synapses and the next, as on a core of the
    chip. What lies at the inputs and feeds one
    stage only is in that stage. Nodes that feed each other are in one process, with synapses of
    ours, as Lava's would deliver a step late.
    """
    synapses: dict[Edge, Carrier] = {}
    looped = {name for loop in graph.loops for name in loop}
    for source, target in graph.edges:
        node = graph.nodes[target]
        if isinstance(node, Weighted) and target not in looped and options.synapses_used != "own":
            synapses[source, target] = _carrier(node, options.synapses_used)
    groups = _groups(graph, plan, options.fuse_used)
    return Layout(groups, synapses, _bundles(graph, groups, synapses))


def _carrier(node: Weighted, chosen: Literal["lava", "dense", "sparse"]) -> Carrier:
    if chosen != "lava":
        return chosen
    share = int(node.fan_out.sum()) / (node.in_channels * node.out_channels)
    most = 1.0 if node.sparse_fields else SPARSE_SHARE
    return "sparse" if 0 < share <= most else "dense"


def _groups(graph: Graph, plan: Plan, fuse: str) -> tuple[tuple[str, ...], ...]:
    late = plan.latencies
    net = nx.Graph()
    net.add_nodes_from(graph.order)
    net.add_edges_from(
        (source, target)
        for source, target in graph.edges
        if fuse == "network" or late[source] == late[target]
    )
    parts = list(nx.connected_components(net))
    for name in graph.inputs:
        (own,) = (part for part in parts if name in part)
        fed = {target for source in own for target in graph.targets[source]} - own
        # of two inputs that fed two stages each, the stages could wait for each other
        beyond = [part for part in parts if part & fed]
        if len(beyond) == 1:
            parts.remove(own)
            beyond[0].update(own)
    place = {name: index for index, name in enumerate(graph.order)}
    ordered = [sorted(part, key=place.__getitem__) for part in parts]
    return tuple(tuple(part) for part in sorted(ordered, key=lambda part: place[part[0]]))


def _bundles(
    graph: Graph, groups: tuple[tuple[str, ...], ...], synapses: Mapping[Edge, Carrier]
) -> dict[tuple[int, int], tuple[str, ...]]:
    group_of = {name: index for index, group in enumerate(groups) for name in group}
    found: dict[tuple[int, int], tuple[str, ...]] = {}
    for source in graph.order:
        for target in graph.targets[source]:
            pair = group_of[source], group_of[target]
            if pair[0] != pair[1] and (source, target) not in synapses:
                found[pair] = tuple(dict.fromkeys((*found.get(pair, ()), source)))
    return found
