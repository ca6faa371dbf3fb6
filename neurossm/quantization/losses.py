"""What quantizing lost, by node and channel, with the width that would have kept it.

Only what its formats could not hold; that nothing is listed does not say that nothing is rounded.
"""

from __future__ import annotations

from collections.abc import Iterator

from neurossm.graph import Graph
from neurossm.quantization.bounds import steps_of
from neurossm.quantization.fit import HORIZON
from neurossm.quantization.lost import At, Loss, lost_of_type
from neurossm.quantization.lost_states import thresholds
from neurossm.quantization.lost_weights import weights

__all__ = ["Loss", "losses"]


def losses(graph: Graph, integer: Graph) -> tuple[Loss, ...]:
    """Return what an integer graph lost of the float graph that it was made from, in graph order.

    Reals below are those of the float graph; `integer` has the same nodes.
    """
    steps = steps_of(graph) or HORIZON
    found: list[Loss] = []
    for name in graph.order:
        node, made = graph.nodes[name], integer.nodes[name]
        # sums of spikes' weights are exact
        terms = sum(integer.nodes[source].dropped for source in integer.sources[name])
        found += _losses(At(name, node, made, steps, terms))
    return tuple(found)


def _losses(at: At) -> Iterator[Loss]:
    yield from weights(at)
    yield from lost_of_type(at.real, at.made, at)
    yield from thresholds(at)
