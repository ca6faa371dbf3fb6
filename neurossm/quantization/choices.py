"""The report of quantizing: for every node what was chosen, from which range, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import MESSAGE_BITS, Quantized
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
    format_of,
    quantized,
)
from neurossm.quantization.lost_states import leak_change
from neurossm.quantization.membranes import HORIZON, steps_of
from neurossm.quantization.ranges import RangeRules
from neurossm.quantization.response import real
from neurossm.quantization.room import FormatNote


@dataclass(frozen=True)
class Choice:
    """One format that quantizing chose.

    Attributes
    ----------
    node, type, what
        Where: a node, its type, and ``messages``, ``weights``, ``poles``, ``states`` and so on.
    format
        The number format: ``s24.12`` is signed, 24 bits, 12 of them behind the point.
    rule
        ``observed``, ``percentile`` or ``bound`` where a range decided; ``follows`` where other
        formats did; ``parameters`` where the largest parameter did.
    seen
        Largest magnitude in calibration, real units; None for parameters.
    bound
        Largest magnitude possible, real units; None for parameters or where there is none.
    held
        Magnitude that the format was made for, headroom included; None where no range decided.
    error
        Largest rounding error of the parameters, real units; None for messages, states and leaks.
    reason
        What set the exponent, in words.
    """

    node: str
    type: str
    what: str
    format: str
    rule: str
    reason: str
    seen: float | None = None
    bound: float | None = None
    held: float | None = None
    error: float | None = None


@dataclass(frozen=True)
class Around:
    """A node before and after, and what decided its format."""

    name: str
    real: Node
    rules: RangeRules
    note: FormatNote | None
    steps: int

    def messages(self, node: Node, reason: str) -> Choice:
        """Return the choice of its messages; `reason` where no range decided."""
        held = self.note.held if self.note else None
        worst = self.rules.worst
        bound = worst.messages[self.name].largest if worst else float("inf")
        return Choice(
            self.name,
            type(node).__name__,
            "messages",
            str(format_of(node)),
            held.rule if held else "follows",
            self.note.reason if self.note else reason,
            seen=self.rules.ranges.messages[self.name],
            bound=bound if np.isfinite(bound) else None,
            held=held.value if held else None,
        )

    def leaks(self, what: str, made: object, before: object) -> Choice:
        """Return the choice of leaks, with what rounding makes of the worst of them."""
        found, kind = quantized(made), type(self.real).__name__
        change = leak_change(real(before), int(np.max(found.frac)), self.steps)
        return Choice(self.name, kind, what, shown(found), "parameters", f"to nearest: {change}")

    def parameters(self, what: str, made: object, before: object, reason: str) -> Choice:
        """Return the choice of a parameter, with its largest rounding error."""
        found = quantized(made)
        return self._rounded(what, found, np.abs(found.dequantize() - real(before)), reason)

    def thresholds(self, what: str, made: object, before: object, reason: str) -> Choice:
        """Return the choice of thresholds; one that no input reaches is not rounded.

        The largest integer stands for it then, and `neurossm.quantization.losses` names it.
        """
        found = quantized(made)
        apart = np.abs(found.dequantize() - real(before))
        rounded = apart < np.ldexp(1.0, -found.frac_by_channel())
        return self._rounded(what, found, apart[rounded], reason)

    def _rounded(
        self, what: str, found: Quantized, apart: NDArray[np.float64], reason: str
    ) -> Choice:
        error = float(apart.max(initial=0.0))
        kind = type(self.real).__name__
        return Choice(self.name, kind, what, shown(found), "parameters", reason, error=error)


def choices(
    graph: Graph, integer: Graph, rules: RangeRules, notes: Mapping[str, FormatNote]
) -> tuple[Choice, ...]:
    """Return every choice for an integer graph made from a float graph, in graph order."""
    found: list[Choice] = []
    steps = steps_of(graph) or HORIZON
    for name in graph.order:
        around = Around(name, graph.nodes[name], rules, notes.get(name), steps)
        found.extend(CHOICES[type(graph.nodes[name])](integer.nodes[name], around))
    return tuple(found)


def shown(parameter: Quantized) -> str:
    """Return the format of a parameter; a range of exponents where they differ by channel."""
    fracs = np.unique(np.asarray(parameter.frac))
    ends = f"{fracs[0]}" if len(fracs) == 1 else f"{fracs[0]}..{fracs[-1]}"
    return f"s{parameter.bits}.{ends}"


def _follows(reason: str) -> Callable[..., Iterator[Choice]]:
    def choose(node: Node, around: Around) -> Iterator[Choice]:
        yield around.messages(node, reason)

    return choose


def _affine(node: Affine, around: Around) -> Iterator[Choice]:
    before = around.real
    assert isinstance(before, Affine)
    reason = "ternary: messages are added" if node.only_adds else "the largest weight fits"
    if not isinstance(quantized(node.weight).frac, int):
        reason = "the largest weight of each row fits"
    yield around.parameters("weights", node.weight, before.weight, reason)
    if np.any(np.asarray(before.bias)):
        reason = "in the unit of the messages: those of what arrives and of weights"
        yield around.parameters("bias", node.bias, before.bias, reason)
    yield around.messages(node, "exact: fraction bits of weights and messages add up")


def _diagonal_ssm(node: DiagonalSSM, around: Around) -> Iterator[Choice]:
    before = around.real
    assert isinstance(before, DiagonalSSM)
    state, kind = quantized(node.drive_re), type(node).__name__
    poles = quantized(node.a_re)
    yield Choice(around.name, kind, "poles", f"Q1.{poles.bits - 1}", "parameters",
                 "to nearest, then inside the unit circle")  # fmt: skip
    rule = around.rules.rule(around.name)
    seen, worst = around.rules.ranges.states[around.name], around.rules.worst
    possible = float(worst.register(around.name, "state").bound.max()) if worst else np.inf
    yield Choice(
        around.name, kind, "states", shown(state), rule, "each state scaled to use its width",
        seen=float(seen.max()), bound=possible if np.isfinite(possible) else None,
    )  # fmt: skip
    b, c = shown(quantized(node.b_re)), shown(quantized(node.c_re))
    yield Choice(around.name, kind, "gains b, c", f"{b}, {c}", "parameters",
                 "b a power of two; the largest c of each channel fits")  # fmt: skip
    yield around.parameters("gain d", node.d, before.d, "the largest of each channel fits")
    yield around.messages(node, "")


def _compared(node: Threshold | TernaryThreshold, around: Around) -> Iterator[Choice]:
    before = around.real
    reason = "the input's exponent, rounded up: comparing stays exact"
    if isinstance(node, Threshold) and isinstance(before, Threshold):
        yield around.thresholds("theta", node.theta, before.theta, reason)
    if isinstance(node, TernaryThreshold) and isinstance(before, TernaryThreshold):
        yield around.thresholds("delta", node.delta, before.delta, reason)
    yield around.messages(node, "spikes")


def _lif(node: LIF, around: Around) -> Iterator[Choice]:
    before, reason = around.real, "the membrane's exponent"
    assert isinstance(before, LIF)
    yield around.thresholds("theta", node.theta, before.theta, f"{reason}, rounded up")
    yield around.leaks("tau", node.tau, before.tau)
    if node.has_trace:
        yield around.parameters("kappa", node.kappa, before.kappa, reason)
        yield around.leaks("rho", node.rho, before.rho)
    yield around.messages(node, "spikes")


def _embedding(node: Embedding, around: Around) -> Iterator[Choice]:
    before = around.real
    assert isinstance(before, Embedding)
    yield around.parameters("table", node.table, before.table, "the largest entry fits")
    yield around.messages(node, "rows are sent as they are")


def _piecewise_linear(node: PiecewiseLinear, around: Around) -> Iterator[Choice]:
    before = around.real
    assert isinstance(before, PiecewiseLinear)
    yield around.parameters("slopes", node.slopes, before.slopes, "the steepest fits")
    yield around.messages(node, "")


def _accumulate(node: Accumulate, around: Around) -> Iterator[Choice]:
    terms = f"s{node.term_bits}.{format_of(node).frac}"
    reason = f"{node.steps} terms fit in {MESSAGE_BITS} bits"
    yield Choice(around.name, type(node).__name__, "terms", terms, "follows", reason)
    yield around.messages(node, "the exponent of its terms")


CHOICES: dict[type[Node], Callable[..., Iterator[Choice]]] = {
    Input: _follows("given by the data"),
    Output: _follows("what arrives"),
    Affine: _affine,
    DiagonalSSM: _diagonal_ssm,
    Threshold: _compared,
    TernaryThreshold: _compared,
    LIF: _lif,
    Embedding: _embedding,
    Sum: _follows(""),
    Product: _follows(""),
    PiecewiseLinear: _piecewise_linear,
    Accumulate: _accumulate,
}
