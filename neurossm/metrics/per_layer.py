"""Per-layer error: a float node on the inputs that its integer node received, channel by channel.

Errors travel, so behind the first bad node every node is far from the float run. Here each float
node runs alone on the integer run's own activations: what is left is what this node did wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.graph import Graph
from neurossm.lengths import without_padding
from neurossm.nodes import BatchNorm, Input, Node, Output, Role, format_of, message_frac
from neurossm.trace import Trace, units

Reals = NDArray[np.float64]
TOLERANCE = 0.1  # of a node's range; what the other tolerances follow from, see `PerLayerError`
# times the tolerance: what a single channel's largest and mean error may be of its own range, where
# a neuron compares it with its threshold, and where it is added to others first
COMPARED, MIXED = (2.5, 1.0), (7.5, 2.0)
SPIKES_ALLOWED = 2  # a neuron may lose or gain so many, however few it has: single flips


@dataclass(frozen=True, eq=False)
class PerLayerError:
    """Distance of an integer node to its float node, both on the same inputs.

    The tolerances were fitted on the seven checkpoints at the default widths, with 12-bit poles and
    with 16-bit activations; the largest values there, as shares of what is allowed: 0.45 for spikes
    and for all that neurons compare, and for what is mixed 0.73 at one row of 8-bit weights 100
    times smaller than others that share its exponent, 0.44 else.

    Attributes
    ----------
    node
        Its name.
    values
        Steps that were compared, the same in every channel.
    unequal, largest, total, range
        ``(C,)``: steps that differ; largest and summed distance, and the largest magnitude of the
        float node, real units.
    expected, found, lag
        ``(C,)``, of spikes: those of the float node, those of the integer node, and by how many
        their running counts differ, in the mean over the steps of a sequence, summed over the
        sequences. A spike that comes a few steps late hardly adds to it; one lost early adds 1.
    spikes
        True where it sends spikes.
    exact
        True where no rounding can change the result: an `Input`, an `Output`, and thresholds, which
        are rounded up so that comparing integers is comparing the real numbers.
    compared
        True where a `LIF` or a threshold behind it compares its activations.
    matters
        ``(C,)``: size of a change that the nodes behind it would notice, see
        `neurossm.metrics.significance`. A channel's error is held against this where it is more
        than the channel's range: a channel far below all that it is added to may be coarse. 0
        where nobody said.
    """

    node: str
    values: int
    unequal: NDArray[np.int64]
    largest: Reals
    total: Reals
    range: Reals
    expected: Reals
    found: Reals
    lag: Reals
    spikes: bool
    exact: bool
    compared: bool = False
    matters: Reals = field(default_factory=lambda: np.zeros(1))

    @property
    def scale(self) -> Reals:
        """What a channel's error is a share of, ``(C,)``: its range, or what matters behind it."""
        return np.maximum(self.range, self.matters)

    @property
    def wrong(self) -> Reals:
        """Spikes of each neuron that are lost, gained or out of place, ``(C,)``.

        Twice the lag counts as much as a count: steadily losing n spikes makes a lag of n / 2.
        """
        return np.asarray(np.maximum(np.abs(self.found - self.expected), 2 * self.lag))

    @property
    def shares(self) -> Reals:
        """Largest error of each channel, ``(C,)``: a share of its scale, or of its spikes.

        Of spikes: those lost, gained or out of place. inf for an error where nothing is expected.
        """
        if self.spikes:
            return _share(self.wrong, self.expected)
        return _share(self.largest, self.scale)

    def excess(self, tolerance: float) -> Reals:
        """Return for each channel its error over what is allowed, ``(C,)``: above 1 is too much.

        Exact nodes: any difference. Spikes of a `LIF`: half the tolerance of the float node's
        spikes and `SPIKES_ALLOWED` more may be `wrong`. Graded spikes: of a channel's scale the
        largest and the mean error may be `COMPARED` or `MIXED` times the tolerance; of the range of
        the whole node, the largest the tolerance and the mean, over all channels, a tenth of it.
        nan stays nan: write comparisons so that it is over.
        """
        if self.exact:
            return np.where(self.unequal > 0, np.inf, 0.0)
        if self.spikes:
            return np.asarray(self.wrong / (SPIKES_ALLOWED + tolerance / 2 * self.expected))
        of_node = self.range.max() * tolerance
        mean = np.full_like(self.largest, self.total.mean() / self.values)
        largest, average = COMPARED if self.compared else MIXED
        parts = (
            (self.largest, largest * tolerance * self.scale),
            (self.total / self.values, average * tolerance * self.scale),
            (self.largest, of_node),
            # of the whole node: where it is too much, the worst channel has most of it
            (np.where(self.total == self.total.max(), mean, 0.0), of_node / 10),
        )
        return np.asarray(np.max([_share(error, limit) for error, limit in parts], axis=0))

    def over(self, tolerance: float) -> bool:
        """Tell whether a channel is over the tolerance; nan is."""
        return not bool(np.all(self.excess(tolerance) <= 1))

    def worst(self, tolerance: float) -> int:
        """Return the channel that is furthest over, or closest to, what is allowed."""
        return int(np.argmax(np.nan_to_num(self.excess(tolerance), nan=np.inf, posinf=np.inf)))

    def __add__(self, other: PerLayerError) -> PerLayerError:
        """Return the error over the samples of both."""
        return PerLayerError(
            self.node,
            self.values + other.values,
            self.unequal + other.unequal,
            np.maximum(self.largest, other.largest),
            self.total + other.total,
            np.maximum(self.range, other.range),
            self.expected + other.expected,
            self.found + other.found,
            self.lag + other.lag,
            self.spikes,
            self.exact,
            self.compared,
            np.maximum(self.matters, other.matters),
        )


def per_layer_errors(floating: Graph, integer: Graph, trace: Trace) -> tuple[PerLayerError, ...]:
    """Return the per-layer error of every node that both graphs hold, in the integer graph's order.

    Parameters
    ----------
    floating, integer
        The same network; nodes are paired by name.
    trace
        Of the integer graph, with the values of all nodes; sequences count to their own ends.

    Raises
    ------
    InputError
        If a node has other sources or channels in the two graphs, or the trace lacks a node.
    """
    return tuple(
        per_layer_error(floating, integer, trace, name)
        for name in integer.order
        if name in floating.nodes
    )


def per_layer_error(
    floating: Graph,
    integer: Graph,
    trace: Trace,
    name: str,
) -> PerLayerError:
    """Return the per-layer error of one node; parameters and errors as `per_layer_errors`."""
    node, made = floating.nodes[name], integer.nodes[name]
    _check_pair(floating, integer, trace, name)
    messages = np.asarray(trace.values[name], dtype=np.float64)
    found = messages * units(integer)[name]
    if node.role is Role.INPUT:
        expected = messages * 2.0 ** -format_of(node).frac
    else:
        expected = _alone(node, integer, trace, name)
    lag = _lag(found - expected, trace.inside)
    found, expected = (without_padding(values, trace.lengths) for values in (found, expected))
    distance = np.abs(found - expected)
    spikes, nothing = format_of(made).is_spike, np.zeros(found.shape[1])
    return PerLayerError(
        name,
        len(distance),
        np.count_nonzero(distance, axis=0),
        distance.max(axis=0),
        distance.sum(axis=0),
        np.abs(expected).max(axis=0),
        np.abs(expected).sum(axis=0) if spikes else nothing,
        np.abs(found).sum(axis=0) if spikes else nothing,
        lag if spikes else nothing,
        spikes,
        _is_exact(made),
        any(integer.nodes[to].compares for to in integer.targets[name]),
    )


def _is_exact(node: Node) -> bool:
    compares_only = node.role is Role.SPIKING and not node.states
    return node.role is Role.INPUT or node.passes_on or compares_only


def _lag(difference: Reals, valid: NDArray[np.bool_]) -> Reals:
    running = np.abs(np.cumsum(difference * valid, axis=1)) * valid
    # added one after the other, as padding would change the pairs that a sum makes
    total = np.cumsum(running, axis=1)[:, -1]
    return np.asarray((total / valid.sum(axis=1)).sum(axis=0))


def _share(part: Reals, whole: Reals) -> Reals:
    """Return part / whole: 0 where the part is 0, inf where only the whole is; nan stays."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(part == 0, 0.0, np.asarray(part / whole))


def _alone(node: Node, integer: Graph, trace: Trace, name: str) -> Reals:
    """Return what a float node makes of the activations of the integer run."""
    sources = integer.sources[name]
    # an Output behind it closes the graph; where the node is one itself, it is enough
    nodes: dict[str, Node] = {
        source: Input(
            channels=integer.nodes[source].out_channels, out=format_of(integer.nodes[source])
        )
        for source in sources
    }
    edges = []
    for source in sources:
        frac, last = message_frac(integer.nodes[source]), source
        if not isinstance(frac, int):  # the Input has the least of them: to each its own
            least, last = format_of(integer.nodes[source]).frac, f"{source}.rows"
            nodes[last] = BatchNorm(gain=np.exp2(least - frac), offset=np.zeros(len(frac)))
            edges.append((source, last))
        edges.append((last, name))
    nodes[name] = node
    if node.role is not Role.OUTPUT:
        end = f"{name}.end"
        nodes[end] = Output(channels=node.out_channels)
        edges.append((name, end))
    inputs = {source: np.asarray(trace.values[source], dtype=np.int64) for source in sources}
    graph = Graph(nodes, tuple(edges), integer.dt)
    return np.asarray(
        run(graph, inputs, "float", (name,), lengths=trace.lengths).values[name], dtype=np.float64
    )


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
