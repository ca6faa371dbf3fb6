"""Post-training quantization: settings, and the walk from a float graph to an integer graph."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from neurossm import contract
from neurossm.arguments import instance, shown
from neurossm.errors import GraphError, InputError, RangeError
from neurossm.fixed import (
    LEAK_FRAC,
    MESSAGE_BITS,
    POLE_BITS,
    STATE_BITS,
    WEIGHT_BITS,
    WIDEST_LEAK_FRAC,
)
from neurossm.graph import Graph
from neurossm.nodes import Node
from neurossm.quantization.bounds import Bounds, bounds
from neurossm.quantization.calibrate import Ranges
from neurossm.quantization.choices import Choice, choices
from neurossm.quantization.headroom import Headroom, PoleChange, headroom, pole_changes
from neurossm.quantization.losses import Loss, losses
from neurossm.quantization.quantizers import QUANTIZERS
from neurossm.quantization.ranges import RangeRules, check_patterns, check_rules
from neurossm.quantization.room import FormatNote, Here


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


@dataclass(frozen=True)
class Quantize:
    """Post-training quantization; call it with a folded float graph and its ranges.

    Attributes
    ----------
    pole_bits
        Width of each part of a pole, with sign; 16 is Q1.15.
    weight_bits
        Width of synaptic mantissas and of b, c and d.
    state_bits
        Width of the states of `DiagonalSSM` and `LIF`, at most 24.
    leak_bits
        Most fraction bits of the leaks of a `LIF`, 12 to 20. They get 12, as the decays of Lava's
        own neurons have, and more where those move the response of a slow leak.
    message_bits
        Widest graded message that a neuron sends. Sums of synapses, and the readout's sum over
        time, keep their 24 bits: they are inside of what receives them.
    stream_bits
        Width that a residual stream aims at: what graded synapses receive.
    segment_bits
        Width of the slopes and outputs of a `PiecewiseLinear`.
    headroom
        Bits kept free above the largest value (or the percentile) seen in calibration.
    range_rule
        ``observed``, ``percentile``, ``bound`` or ``tightest``, see `neurossm.quantization.ranges`.
    range_rules
        Pairs of a node's name, or a pattern of names, and another rule for it.
    """

    pole_bits: int = POLE_BITS
    weight_bits: int = WEIGHT_BITS
    state_bits: int = STATE_BITS
    leak_bits: int = WIDEST_LEAK_FRAC
    message_bits: int = MESSAGE_BITS
    stream_bits: int = 16
    segment_bits: int = 12
    headroom: int = 1
    range_rule: str = "observed"
    range_rules: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        for name, low, high in (
            ("pole_bits", 3, POLE_BITS),
            ("weight_bits", 2, WEIGHT_BITS),
            ("state_bits", 8, STATE_BITS),
            ("leak_bits", LEAK_FRAC, WIDEST_LEAK_FRAC),
            ("message_bits", 4, MESSAGE_BITS),
            ("stream_bits", 4, MESSAGE_BITS),
            ("segment_bits", 4, 16),
            ("headroom", 0, 8),
        ):
            value = getattr(self, name)
            if (
                type(value) is float
                or isinstance(value, bool | str)
                or not hasattr(value, "__index__")
                or not low <= value <= high
            ):
                raise InputError(f"quantize {name}", expected=f"{low} to {high}", got=shown(value))
        check_rules(self.range_rule, self.range_rules)

    def uses(self, *rules: str) -> bool:
        """Tell whether one of these range rules may decide for some node."""
        return bool({self.range_rule, *(rule for _, rule in self.range_rules)} & set(rules))

    def __call__(self, graph: Graph, ranges: Ranges) -> Graph:
        """Return the integer graph.

        Raises
        ------
        GraphError
            For a node that has no integer meaning (`BatchNorm` must be folded first), or where no
            format satisfies the contract; named.
        """
        self._check(graph)
        worst = bounds(graph) if self.uses("bound", "tightest") else None
        return self._quantized(graph, ranges, worst, {})

    def explained(self, graph: Graph, ranges: Ranges) -> Quantization:
        """Return the same integer graph with the report of what was chosen; raises as a call."""
        notes: dict[str, FormatNote] = {}
        self._check(graph)
        worst = bounds(graph)
        integer = self._quantized(graph, ranges, worst, notes)
        rules = self._rules(ranges, worst)
        return Quantization(
            integer,
            choices(graph, integer, rules, notes),
            pole_changes(graph, integer),
            headroom(integer),
            losses(graph, integer),
        )

    def _quantized(
        self, graph: Graph, ranges: Ranges, worst: Bounds | None, notes: dict[str, FormatNote]
    ) -> Graph:
        self._check(graph)
        rules = self._rules(ranges, worst)
        done: dict[str, Node] = {}
        bounded = cache(lambda: worst or bounds(graph))
        for name in graph.order:
            here = Here(self, graph, rules, done, name, bounded, notes)
            try:
                done[name] = QUANTIZERS[type(graph.nodes[name])](graph.nodes[name], here)
            except RangeError as error:
                raise RangeError(f"node {name!r}: {error}") from None
        # the order of nodes is the graph's own, not that of the visit
        integer = Graph(
            {name: done[name] for name in graph.nodes}, graph.edges, graph.dt, graph.meta
        )
        contract.require(integer)
        return integer

    def _rules(self, ranges: Ranges, worst: Bounds | None) -> RangeRules:
        instance("ranges", ranges, Ranges, remedy="calibrate(graph, trace) makes them")
        return RangeRules(self.range_rule, self.range_rules, self.headroom, ranges, worst)

    def _check(self, graph: Graph) -> None:
        instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
        if graph.is_integer:
            raise GraphError("quantize", expected="a float graph", got="an integer one already")
        check_patterns(self.range_rules, graph)
        for name in graph.order:
            node = graph.nodes[name]
            if type(node) not in QUANTIZERS:
                raise GraphError(
                    f"node {name!r} ({type(node).__name__})",
                    expected="a node with an integer meaning",
                    got="one without",
                    remedy="fold batch norms first (pass fold_batch_norm)",
                )
