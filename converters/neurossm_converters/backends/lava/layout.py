"""Which nodes share a Lava process, and what carries the synapses of each edge."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import networkx as nx
import numpy as np

from neurossm.graph import Edge, Graph
from neurossm.nodes import Affine, quantized
from neurossm_converters.backends.lava.options import LavaOptions
from neurossm_converters.backends.lava.plan import Plan

# the index beside each weight is as wide as the weight: at a quarter, half of a dense matrix
SPARSE_SHARE = 0.25
Carrier = Literal["dense", "sparse", "own"]


@dataclass(frozen=True)
class Layout:
    """How a graph becomes processes.

    Attributes
    ----------
    groups
        Names of the nodes that share a process, each in graph order.
    synapses
        Edge into an `Affine` to the process that forms its sums; edges whose sums are formed
        where they arrive are not in it.
    bundles
        Positions of two groups to the nodes of the first whose messages go straight to the second:
        they travel side by side, as Lava's cost is for each message.
    fused
        Whether a group becomes one stage; else every group is one node.
    """

    groups: tuple[tuple[str, ...], ...]
    synapses: Mapping[Edge, Carrier]
    bundles: Mapping[tuple[int, int], tuple[str, ...]]
    fused: bool

    @property
    def processes(self) -> int:
        """Lava processes in the network."""
        return len(self.groups) + len(self.synapses)


def lay_out(graph: Graph, plan: Plan, options: LavaOptions) -> Layout:
    """Return which processes a graph becomes.

    Notes
    -----
    With ``fuse="stage"`` nodes are together that answer at the same network step and are joined
    without synapses: what lies between one layer of synapses and the next, as on a core of the
    chip. What lies at the inputs and feeds one
    stage only is in that stage.
    """
    fused = options.fuse_used != "none"
    inside = fused and options.synapses_used == "own"
    synapses: dict[Edge, Carrier] = {}
    for source, target in graph.edges:
        node = graph.nodes[target]
        if isinstance(node, Affine) and not inside:
            synapses[source, target] = _carrier(node, options)
    groups = _groups(graph, plan, options.fuse_used)
    return Layout(groups, synapses, _bundles(graph, groups, synapses), fused)


def _carrier(node: Affine, options: LavaOptions) -> Carrier:
    if options.synapses_used != "lava":
        return options.synapses_used
    weight = quantized(node.weight).values
    share = np.count_nonzero(weight) / weight.size
    return "sparse" if 0 < share <= SPARSE_SHARE else "dense"


def _groups(graph: Graph, plan: Plan, fuse: str) -> tuple[tuple[str, ...], ...]:
    if fuse == "none":
        return tuple((name,) for name in graph.order)
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
