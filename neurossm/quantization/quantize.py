"""Post-training quantization: the walk from a float graph to an integer graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from neurossm import contract
from neurossm.arguments import instance
from neurossm.deprecation import renamed
from neurossm.errors import GraphError, RangeError
from neurossm.graph import Graph
from neurossm.nodes import Node
from neurossm.quantization.bounds import bounds
from neurossm.quantization.calibrate import Ranges
from neurossm.quantization.choices import Choice, choices
from neurossm.quantization.context import QuantizeContext, quantize_node
from neurossm.quantization.headroom import Headroom, PoleChange, headroom, pole_changes
from neurossm.quantization.losses import Loss, losses
from neurossm.quantization.ranges import RangeRules, check_patterns
from neurossm.quantization.settings import Settings


@dataclass(frozen=True)
class Quantization:
    """An integer graph with what was chosen for it, and why.

    Attributes
    ----------
    graph
        The integer graph.
    choices
        Every format of every node, in graph order.
    poles
        What rounding and projection did to the poles of each `DiagonalSSM`.
    headroom
        Every register of the integer graph: proven not to saturate, or not.
    losses
        What the formats could not hold, by node and channel, with the width that could.
    """

    graph: Graph
    choices: tuple[Choice, ...]
    poles: tuple[PoleChange, ...]
    headroom: tuple[Headroom, ...]
    losses: tuple[Loss, ...]


@renamed(message_bits="activation_bits")
@dataclass(frozen=True)
class Quantize(Settings):
    """Post-training quantization; call it with a folded float graph and its ranges.

    Its settings are those of `Settings`.

    Examples
    --------
    >>> ranges = neurossm.calibrate(graph, "mnist:train:512")
    >>> narrow = neurossm.Quantize(pole_bits=8)(graph, ranges)
    """

    def __call__(self, graph: Graph, ranges: Ranges) -> Graph:
        """Return the integer graph.

        Raises
        ------
        GraphError
            For a node that has no integer meaning (`BatchNorm` must be folded first), or where no
            format satisfies the contract; named.
        """
        return self._quantized(graph, ranges)[0]

    def explained(self, graph: Graph, ranges: Ranges) -> Quantization:
        """Return the same integer graph with the report of what was chosen; raises as a call."""
        integer, contexts = self._quantized(graph, ranges)
        return Quantization(
            integer,
            choices(integer, contexts),
            pole_changes(graph, integer),
            headroom(integer),
            losses(graph, integer),
        )

    def _quantized(self, graph: Graph, ranges: Ranges) -> tuple[Graph, dict[str, QuantizeContext]]:
        self._check(graph, ranges)
        worst = cache(lambda: bounds(graph))
        rules = RangeRules(self.range_rule, self.range_rules, self.headroom, ranges, worst)
        done: dict[str, Node] = {}
        contexts = {}
        for name in graph.order:
            # in a loop a source comes later; what it sends is then known where it spikes
            senders = [done.get(source, graph.nodes[source]) for source in graph.sources[name]]
            known = [sender for sender in senders if sender.out is not None]
            at = contract.arriving(known)
            contexts[name] = to = QuantizeContext(name, graph, self, rules, at)
            try:
                done[name] = quantize_node(to.node, to)
            except RangeError as error:
                raise RangeError(f"node {name!r}: {error}") from None
        # the order of nodes is the graph's own, not that of the visit
        integer = graph.with_nodes({name: done[name] for name in graph.nodes})
        contract.require(integer)
        return integer, contexts

    def _check(self, graph: Graph, ranges: Ranges) -> None:
        instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
        if graph.is_integer:
            raise GraphError("quantize", expected="a float graph", got="an integer one already")
        check_patterns(self.range_rules, graph)
        for name in graph.order:
            node = graph.nodes[name]
            if not node.has_integers:
                kind = type(node).__name__
                raise GraphError(
                    f"node {name!r} ({kind})",
                    problem="it has no integer equation",
                    remedy=node.float_only or f"write {kind}.step",
                )
        instance("ranges", ranges, Ranges, remedy="calibrate(graph, trace) makes them")
