"""What quantizing lost, by node and channel, with the width that would have kept it.

Only what its formats could not hold; that nothing is listed does not say that nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, DiagonalSSM, Embedding, Node, TernaryThreshold, Threshold
from neurossm.quantization.lost import At, Loss
from neurossm.quantization.lost_states import comparisons, leaks, membranes, out_of_reach, responses
from neurossm.quantization.lost_weights import synapses, table
from neurossm.quantization.membranes import HORIZON, steps_of

__all__ = ["LOSSES", "Loss", "losses"]


def losses(graph: Graph, integer: Graph) -> tuple[Loss, ...]:
    """Return what an integer graph lost of the float graph that it was made from, in graph order.

    Reals below are those of the float graph; `integer` has the same nodes.
    """
    steps = steps_of(graph) or HORIZON
    found: list[Loss] = []
    for name in graph.order:
        node, made = graph.nodes[name], integer.nodes[name]
        terms = sum(_terms(integer.nodes[source]) for source in integer.sources[name])
        for kind in LOSSES.get(type(node), ()):
            found.extend(kind(At(name, node, made, steps, terms)))
    return tuple(found)


def _terms(node: Node) -> int:
    """Return how many units a message may be off by: sums of spikes' weights are exact."""
    return 2 * node.modes + 1 if isinstance(node, DiagonalSSM) else 0


LOSSES: dict[type[Node], tuple[Callable[[At], Iterator[Loss]], ...]] = {
    Affine: (synapses,),
    DiagonalSSM: (responses,),
    Embedding: (table,),
    LIF: (leaks, membranes, out_of_reach),
    Threshold: (comparisons, out_of_reach),
    TernaryThreshold: (comparisons, out_of_reach),
}
