"""Products of two operands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from neurossm.fixed import Fixed, shift
from neurossm.nodes.arriving import EXACT, NARROWER, Arriving, Finding
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.span import FanIn, Found, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step
from neurossm.nodes.traits import ByChannel, Meets


@node
class Product(ByChannel, Node):
    """Elementwise product of its two operands, shape ``(C,)``.

    Integer: ``y = sat(tz(u_1 u_2, u_1.frac + u_2.frac - out.frac))``.
    """

    channels: int

    meets: ClassVar[Meets] = Meets.OPERANDS
    operands: ClassVar[int] = 2
    nir: ClassVar[str] = "NIR has no product of two signals"

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield where the product gets too large at the exponent of the output."""
        left, right = at.formats
        shifted = format_of(self).frac - left.frac - right.frac
        largest = float(np.ldexp(float(left.high * right.high), shifted))
        if largest > EXACT:
            expected = "a product that stays below 2**52 at the output's exponent"
            yield expected, f"up to {largest:g}", NARROWER

    def finest(self, formats: Sequence[Fixed]) -> int:
        """Return the fraction bits of both operands together."""
        return sum(fmt.frac for fmt in formats)

    def bound(self, at: FanIn) -> Found:
        """Multiply the ends."""
        left, right = at.operands
        ends = [a * b for a in (left.low, left.high) for b in (right.low, right.high)]
        return at.message(Span(np.min(ends, axis=0), np.max(ends, axis=0)).shifted(at.unit))

    def notices(self, at: Change) -> Reals:
        """Return what matters by the range of the other operand."""
        return at.own / at.others[0]

    def dense(self, operands: int) -> DenseOperations:
        """Return one product a channel."""
        return DenseOperations(multiplies=self.converging(operands))

    def step(self, at: Step) -> Integers:
        """Multiply the operands, shift, saturate."""
        out, (left, right) = format_of(self), at.operands
        frac = at.formats[0].frac + at.formats[1].frac
        return at.saturate(shift(left * right, frac - out.frac), out.bits)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Multiply the operands."""
        return Evaluated(operands[0] * operands[1], {})
