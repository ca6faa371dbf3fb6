"""Sums of operands, as of a residual connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

import numpy as np

from neurossm.fixed import shift
from neurossm.nodes.arriving import EXACT, NARROWER, Arriving, Finding
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.span import FanIn, Found
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added, sum_of
from neurossm.nodes.traits import ByChannel, Meets


@node
class Sum(ByChannel, Node):
    """Sum of its operands, one an edge (a residual connection), shape ``(C,)``.

    Integer: each operand is brought to the output's exponent first, toward zero or exactly:
    ``y = sat(sum_i tz(u_i, u_i.frac - out.frac))``.
    """

    channels: int

    meets: ClassVar[Meets] = Meets.OPERANDS
    ranged: ClassVar[tuple[str, ...]] = ("stream_bits", "activation_bits")

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield where operands get too large at the exponent of the output."""
        frac = format_of(self).frac
        total = sum(float(np.ldexp(fmt.high, frac - fmt.frac)) for fmt in at.formats)
        if total > EXACT:
            expected = "operands that stay below 2**52 at the output's exponent"
            yield expected, f"up to {total:g}", NARROWER

    def bound(self, at: FanIn) -> Found:
        """Add the operands, each in the unit of the output."""
        # an operand whose unit is not smaller is shifted exactly
        exact = [fmt is None or 2.0**-fmt.frac >= at.unit for fmt in at.formats]
        operands = [
            operand if whole else operand.shifted(at.unit)
            for operand, whole in zip(at.operands, exact, strict=True)
        ]
        return at.message(sum(operands[1:], start=operands[0]))

    def notices(self, at: Change) -> Reals:
        """Return what matters of its own activations."""
        return at.own

    def dense(self, operands: int) -> DenseOperations:
        """Return the sums."""
        return DenseOperations(adds=self.converging(operands))

    def step(self, at: Step) -> Integers:
        """Bring each operand to the exponent of the output, add, saturate."""
        out = format_of(self)
        aligned = [
            shift(operand, fmt.frac - out.frac)
            for operand, fmt in zip(at.operands, at.formats, strict=True)
        ]
        return at.saturate(sum_of(aligned), out.bits)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Add the operands."""
        return Evaluated(added(operands), {})
