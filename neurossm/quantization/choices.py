"""The report of quantizing: for every node what was chosen, from which range, and why."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import singledispatch

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Quantized
from neurossm.graph import Graph
from neurossm.nodes import Node, Role, format_of, quantized, reals
from neurossm.quantization.bounds import steps_of
from neurossm.quantization.context import QuantizeContext
from neurossm.quantization.fit import HORIZON
from neurossm.quantization.ranges import RangeRules

_REASONS = {Role.INPUT: "given by the data", Role.SPIKING: "spikes"}


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
        Largest rounding error of the parameters, real units; None for activations, states and
        leaks.
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
    """A node that was quantized: in which context, and for how many steps."""

    to: QuantizeContext
    steps: int

    @property
    def rules(self) -> RangeRules:
        """Which ranges decided."""
        return self.to.rules

    def choice(
        self, what: str, fmt: str, rule: str, reason: str, **numbers: float | None
    ) -> Choice:
        """Return a choice of this node."""
        return Choice(self.to.name, type(self.to.node).__name__, what, fmt, rule, reason, **numbers)

    def messages(self, made: Node) -> Choice:
        """Return the choice of its activations."""
        name, decision = self.to.name, self.to.decide() if self.to.is_ranged else None
        reason = made.message_reason or _REASONS.get(made.role, "")
        bound = self.rules.worst().messages[name].largest
        return self.choice(
            "messages",
            str(format_of(made)),
            decision.held.rule if decision else "follows",
            decision.reason if decision else "what arrives" if made.passes_on else reason,
            seen=self.rules.ranges.messages[name],
            bound=bound if np.isfinite(bound) else None,
            held=decision.held.value if decision else None,
        )

    def parameters(self, what: str, made: object, before: object, reason: str) -> Choice:
        """Return the choice of a parameter, with its largest rounding error."""
        found = quantized(made)
        return self._rounded(what, found, np.abs(found.dequantize() - reals(before)), reason)

    def thresholds(self, what: str, made: object, before: object, reason: str) -> Choice:
        """Return the choice of thresholds; one that no input reaches is not rounded.

        The largest integer stands for it then, and `neurossm.quantization.losses` names it.
        """
        found = quantized(made)
        apart = np.abs(found.dequantize() - reals(before))
        rounded = apart < np.ldexp(1.0, -found.frac_by_channel())
        return self._rounded(what, found, apart[rounded], reason)

    def _rounded(
        self, what: str, found: Quantized, apart: NDArray[np.float64], reason: str
    ) -> Choice:
        error = float(apart.max(initial=0.0))
        return self.choice(what, shown(found), "parameters", reason, error=error)


@singledispatch
def explain(node: Node, made: Node, around: Around) -> Iterator[Choice]:
    """Yield the choices for a float node and the integer node made of it, by the fields' roles."""
    for name, role in node.roles.items():
        if role.reason:
            listed = around.thresholds if role.is_compared else around.parameters
            yield listed(name, getattr(made, name), getattr(node, name), role.reason)
    for what, fmt, reason in made.explain():
        yield around.choice(what, fmt, "follows", reason)
    yield around.messages(made)


def choices(integer: Graph, contexts: Mapping[str, QuantizeContext]) -> tuple[Choice, ...]:
    """Return every choice for an integer graph, by the contexts in which its nodes were made."""
    steps = steps_of(integer) or HORIZON
    return tuple(
        choice
        for name, to in contexts.items()
        for choice in explain(to.node, integer.nodes[name], Around(to, steps))
    )


def shown(parameter: Quantized) -> str:
    """Return the format of a parameter; a range of exponents where they differ by channel."""
    fracs = np.unique(np.asarray(parameter.frac))
    ends = f"{fracs[0]}" if len(fracs) == 1 else f"{fracs[0]}..{fracs[-1]}"
    return f"s{parameter.bits}.{ends}"
