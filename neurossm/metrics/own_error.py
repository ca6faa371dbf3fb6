"""What each node adds of its own: a float node on the inputs that its integer node received.

Errors travel, so behind the first bad node every node is far from the float run. Here each float
node runs alone on the integer run's own messages: what is left is what this node did wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.graph import Graph
from neurossm.nodes import Input, Node, Output, TernaryThreshold, Threshold, format_of
from neurossm.trace import Trace

# at the default widths trained networks stay below 0.06, and a tenth of it in the mean
TOLERANCE = 0.1


@dataclass(frozen=True)
class OwnError:
    """Distance of an integer node to its float node, both on the same inputs.

    Attributes
    ----------
    node
        Its name.
    values, unequal
        Values that were compared, and those that differ.
    largest, total
        Largest and summed distance, real units.
    range
        Largest magnitude of the float node, real units.
    spikes
        True where it sends spikes.
    exact
        True where no rounding can change the result: an `Input`, an `Output`, and thresholds, which
        are rounded up so that comparing integers is comparing the real numbers.
    """

    node: str
    values: int
    unequal: int
    largest: float
    total: float
    range: float
    spikes: bool
    exact: bool

    @property
    def mean(self) -> float:
        """Mean distance, real units."""
        return self.total / self.values

    def over(self, tolerance: float) -> bool:
        """Tell whether the error is over a tolerance, such as `TOLERANCE`.

        Graded messages: a largest error of more than this share of the range, or a mean error of
        more than a tenth of it. Spikes of a `LIF`: more than a tenth of this share differ. Exact
        nodes: any difference. Written so that nan is over.
        """
        if self.exact:
            return self.unequal > 0
        if self.spikes:
            return self.unequal > tolerance / 10 * self.values
        limit = tolerance * self.range
        return not (self.largest <= limit and self.mean <= limit / 10)

    def __add__(self, other: OwnError) -> OwnError:
        """Return the error over the samples of both."""
        return OwnError(
            self.node,
            self.values + other.values,
            self.unequal + other.unequal,
            max(self.largest, other.largest),
            self.total + other.total,
            max(self.range, other.range),
            self.spikes,
            self.exact,
        )


def own_errors(floating: Graph, integer: Graph, trace: Trace) -> tuple[OwnError, ...]:
    """Return the own error of every node that both graphs hold, in the integer graph's order.

    Parameters
    ----------
    floating, integer
        The same network; nodes are paired by name.
    trace
        Of the integer graph, with the values of all nodes.

    Raises
    ------
    InputError
        If a node has other sources or channels in the two graphs, or the trace lacks a node.
    """
    return tuple(
        own_error(floating, integer, trace, name)
        for name in integer.order
        if name in floating.nodes
    )


def own_error(floating: Graph, integer: Graph, trace: Trace, name: str) -> OwnError:
    """Return the own error of one node; raises as `own_errors`."""
    node, made = floating.nodes[name], integer.nodes[name]
    _check_pair(floating, integer, trace, name)
    messages = np.asarray(trace.values[name], dtype=np.float64)
    found = messages * 2.0 ** -format_of(made).frac
    if isinstance(node, Input):
        expected = messages * 2.0 ** -format_of(node).frac
    else:
        expected = _alone(node, integer, trace, name)
    distance = np.abs(found - expected)
    return OwnError(
        name,
        int(distance.size),
        int(np.count_nonzero(distance)),
        float(distance.max()),
        float(distance.sum()),
        float(np.abs(expected).max()),
        format_of(made).is_spike,
        isinstance(node, Input | Output | Threshold | TernaryThreshold),
    )


def _alone(node: Node, integer: Graph, trace: Trace, name: str) -> NDArray[np.float64]:
    """Return what a float node makes of the messages of the integer run."""
    sources = integer.sources[name]
    # an Output behind it closes the graph; where the node is one itself, it is enough
    nodes: dict[str, Node] = {
        source: Input(
            channels=integer.nodes[source].out_channels, out=format_of(integer.nodes[source])
        )
        for source in sources
    }
    edges = [(source, name) for source in sources]
    nodes[name] = node
    if not isinstance(node, Output):
        end = f"{name}.end"
        nodes[end] = Output(channels=node.out_channels)
        edges.append((name, end))
    inputs = {source: np.asarray(trace.values[source], dtype=np.int64) for source in sources}
    graph = Graph(nodes, tuple(edges), integer.dt)
    return np.asarray(run(graph, inputs, "float", (name,)).values[name], dtype=np.float64)


def _check_pair(floating: Graph, integer: Graph, trace: Trace, name: str) -> None:
    pairs = (
        ("sources", floating.sources[name], integer.sources[name]),
        ("type", type(floating.nodes[name]).__name__, type(integer.nodes[name]).__name__),
        ("channels", floating.nodes[name].out_channels, integer.nodes[name].out_channels),
    )
    for what, expected, got in pairs:
        if expected != got:
            raise InputError(
                f"node {name!r} of the integer graph", expected=f"{what} {expected}", got=f"{got}"
            )
    for needed in (name, *integer.sources[name]):
        if needed not in trace.values:
            raise InputError(f"trace of {needed!r}", expected="its values", got="none")
