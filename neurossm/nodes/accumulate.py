"""Running sums over time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import MESSAGE_BITS, Fixed, shift, symmetric_limit
from neurossm.nodes.arriving import Arriving, Finding, Quantizing
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.span import FanIn, Found, Register, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.traits import ByChannel


@node
class Accumulate(ByChannel, Node):
    """Running sum over time: ``y_t = y_{t-1} + u_t``, shape ``(C,)``.

    A mean over a known length is this with ``1/length`` folded into the synapses in front.
    Integer: ``y = sat24(y + sat(tz(u, u.frac - out.frac), term_bits))``. With ``term_bits`` such
    that ``steps * (2**(term_bits-1) - 1) < 2**23`` the sum cannot saturate within ``steps`` steps.

    Parameters
    ----------
    steps
        Length of sequence for which the headroom is proven.
    term_bits
        Width to which one term saturates; 0 in a float graph.
    """

    channels: int
    steps: int
    term_bits: int = 0

    ranged: ClassVar[tuple[str, ...]] = ()
    message_reason: ClassVar[str] = "the exponent of its terms"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.steps < 1:
            raise GraphError("Accumulate.steps", expected="at least 1", got=str(self.steps))

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return the running sums."""
        return {"sum": (self.channels,)}

    @property
    def is_integer(self) -> bool:
        """True where the widths of activation and term are set."""
        return self.out is not None and self.term_bits > 0

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield where the sum could leave its width."""
        out = format_of(self)
        largest = self.steps * symmetric_limit(self.term_bits)
        if largest > out.high:
            expected = f"{self.steps} terms of {self.term_bits} bits within {out.bits} bits"
            yield expected, f"{largest}"
        if out.frac - at.frac > 28:
            yield "a left shift of at most 28", str(out.frac - at.frac)

    def quantize(self, to: Quantizing) -> Self:
        """Return it with terms as wide as so many steps allow."""
        limit = symmetric_limit(MESSAGE_BITS)
        widths = [bits for bits in range(2, 25) if self.steps * symmetric_limit(bits) <= limit]
        if not widths:
            raise GraphError(
                f"node {to.name!r} (Accumulate)",
                expected=f"at most {limit} steps in {MESSAGE_BITS} bits",
                got=f"{self.steps}",
                remedy="cut sequences into shorter ones",
            )
        bits = widths[-1]
        return replace(self, term_bits=bits, out=Fixed(MESSAGE_BITS, to.term_frac(bits)))

    def explain(self) -> Iterator[tuple[str, str, str]]:
        """Yield the format of its terms."""
        terms = f"s{self.term_bits}.{format_of(self).frac}"
        yield "terms", terms, f"{self.steps} terms fit in {MESSAGE_BITS} bits"

    def bound(self, at: FanIn) -> Found:
        """Return so many terms of one sign."""
        steps = max(self.steps, at.steps or 0)
        term = at.u.shifted(at.unit if at.unit > at.unit_in else 0.0)
        terms: tuple[Register, ...] = ()
        if self.is_integer:
            register = Register("term", term.magnitude, at.unit, self.term_bits)
            term, terms = term.within(register.limit * at.unit), (register,)
        total = Span(np.minimum(steps * term.low, 0), np.maximum(steps * term.high, 0))
        sent, registers = at.message(total)
        return sent, (*at.entry(), *terms, *registers)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield sums over a few steps."""
        yield cls.drawn(rng, steps=int(rng.integers(1, 20)))

    def notices(self, at: Change) -> Reals:
        """Return what matters of its sum by the number of steps."""
        return at.own / at.steps

    def dense(self, operands: int) -> DenseOperations:
        """Return the running sums."""
        return DenseOperations(adds=self.channels + self.converging(operands))

    def step(self, at: Step) -> Integers:
        """Bring the term to the exponent of the sum, add, saturate both."""
        out = format_of(self)
        term = at.saturate(shift(at.u, at.frac - out.frac), self.term_bits)
        total = at.state["sum"] = at.saturate(at.state["sum"] + term, out.bits)
        return total

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Add up over time."""
        u = added(operands)
        total = np.cumsum(u, axis=1) + self.before(len(u), state)["sum"][:, None]
        if state is not None:
            state["sum"] = total[:, -1]
        return Evaluated(total, {})
