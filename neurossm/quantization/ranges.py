"""Which range a node's format is made for: what was seen, a percentile, or the worst case."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError, InputError
from neurossm.graph import Graph
from neurossm.quantization.bounds import Bounds
from neurossm.quantization.calibrate import Ranges

Reals = NDArray[np.float64]
RULES = ("observed", "percentile", "bound", "tightest")


@dataclass(frozen=True)
class Range:
    """The magnitude that a format must hold, and where it comes from.

    Attributes
    ----------
    value
        Largest magnitude to hold, headroom included.
    rule
        ``observed``: the largest seen, with headroom; ``percentile``: most of what was seen, with
        headroom; ``bound``: exact worst case, no headroom. Of ``tightest``, the one that was taken.
    """

    value: float
    rule: str


@dataclass(frozen=True)
class RangeRules:
    """Decides node by node; built anew for each graph that is quantized.

    Parameters
    ----------
    default
        Rule of all nodes that no pattern names.
    patterns
        Pairs of a name or pattern (``blocks.*.ssm``) and a rule; the last that fits decides.
    headroom
        Bits kept free above what was seen.
    ranges
        What calibration saw.
    worst
        Returns the bounds of the float graph; asked only where something depends on them.
    """

    default: str
    patterns: tuple[tuple[str, str], ...]
    headroom: int
    ranges: Ranges
    worst: Callable[[], Bounds]

    def rule(self, name: str) -> str:
        """Return the rule of a node."""
        fitting = [rule for pattern, rule in self.patterns if fnmatchcase(name, pattern)]
        return fitting[-1] if fitting else self.default

    def message(self, name: str) -> Range:
        """Return the range of a node's activations."""
        rule, factor = self.rule(name), 2.0**self.headroom
        seen = Range(self.ranges.messages[name] * factor, "observed")
        if rule == "observed":
            return seen
        if rule == "percentile":
            return Range(self._percentile(name) * factor, rule)
        bound = Range(self._bound(name, self.worst().messages[name].largest, rule), "bound")
        return bound if rule == "bound" or bound.value < seen.value else seen

    def state(self, name: str, possible: Reals) -> Reals:
        """Return the ranges of the states of a `DiagonalSSM`, ``(C, N)``.

        `possible` is the range of states that calibration never moved.
        """
        rule = self.rule(name)
        seen = (
            self._state_percentile(name)
            if rule == "percentile"
            else _seen(self.ranges.states, name, "state")
        )
        wanted = np.where(seen > 0, seen * 2.0**self.headroom, possible)
        return self._or_bound(name, "state", wanted, rule)

    def membrane(self, name: str, possible: Reals, register: str = "membrane") -> Reals:
        """Return the ranges of membranes, `possible` being what inputs within the headroom do.

        The worst case of that register, whatever arrives, where the rule asks for it.
        """
        return self._or_bound(name, register, possible, self.rule(name))

    def seen_membrane(self, name: str, least: Reals, part: str = "state") -> Reals:
        """Return the ranges of the membranes of a neuron that calibration saw, at least `least`.

        Infinite where the rule asks for the worst case. Another `part` is one that its `evaluate`
        tells beside the membrane.
        """
        if self.rule(name) == "bound":
            return np.full_like(least, np.inf)
        ranges = self.ranges.membranes if part == "state" else self.ranges.adaptations
        return np.maximum(_seen(ranges, name, part) * 2.0**self.headroom, least)

    def entering(self, name: str) -> Reals:
        """Return the range of what arrives at a neuron's states, ``(C,)``."""
        return np.asarray(_seen(self.ranges.inputs, name, "input") * 2.0**self.headroom)

    def _or_bound(self, name: str, what: str, wanted: Reals, rule: str) -> Reals:
        if rule not in ("bound", "tightest"):
            return wanted
        bound = self.worst().register(name, what).bound
        self._bound(name, float(bound.max()), rule)
        return bound if rule == "bound" else np.minimum(wanted, bound)

    def _bound(self, name: str, bound: float, rule: str) -> float:
        if rule == "bound" and not np.isfinite(bound):
            raise GraphError(
                f"node {name!r}",
                expected="a worst case that is finite",
                got="none",
                remedy=f"choose another range (--range '{name}=observed')",
            )
        return bound

    def _percentile(self, name: str) -> float:
        if name not in self.ranges.percentiles:
            raise _without_percentile(name)
        return self.ranges.percentiles[name]

    def _state_percentile(self, name: str) -> Reals:
        if name not in self.ranges.state_percentiles:
            raise _without_percentile(name)
        return self.ranges.state_percentiles[name]


def _seen(ranges: Mapping[str, Reals], name: str, part: str) -> Reals:
    """Return what calibration saw of a part of a node, which `Node.evaluate` tells."""
    if name not in ranges:
        raise GraphError(
            f"node {name!r}",
            expected=f"the largest magnitudes of its {part}",
            got="none",
            remedy="its evaluate returns them among its peaks",
        )
    return ranges[name]


def _without_percentile(name: str) -> InputError:
    return InputError(
        f"range of node {name!r}",
        problem="the calibration has no percentiles of it",
        remedy="give calibrate() the percentiles",
    )


def check_rules(default: str, patterns: Iterable[tuple[str, str]]) -> None:
    """Raise `InputError` for a rule that does not exist."""
    pairs = list(patterns) if isinstance(patterns, list | tuple) else [patterns]
    for pair in pairs:
        if not isinstance(pair, list | tuple) or len(pair) != 2:
            expected = "pairs of a node or pattern and a rule"
            raise InputError("quantize range_rules", expected=expected, got=repr(pair))
    named = ((f"range_rules {pattern!r}", rule) for pattern, rule in patterns)
    for where, rule in (("range_rule", default), *named):
        if rule not in RULES:
            raise InputError(f"quantize {where}", expected=" | ".join(RULES), got=repr(rule))


def check_patterns(patterns: Iterable[tuple[str, str]], graph: Graph) -> None:
    """Raise `InputError` for a pattern that names no node of the graph."""
    for pattern, _ in patterns:
        if not any(fnmatchcase(name, pattern) for name in graph.nodes):
            raise InputError(
                "quantize range_rules",
                expected=f"a name or pattern of a node, such as {next(iter(graph.nodes))!r}",
                got=repr(pattern),
            )
