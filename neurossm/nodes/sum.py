"""Sums of operands, as of a residual connection."""

from __future__ import annotations

from typing import ClassVar

from neurossm.fixed import shift
from neurossm.nodes.node import Meets, Node, check_channels, format_of, node
from neurossm.nodes.step import Evaluated, Integers, Reals, Step, added, sum_of


@node
class Sum(Node):
    """Sum of its operands, one an edge (a residual connection), shape ``(C,)``.

    Integer: each operand is brought to the output's exponent first, toward zero or exactly:
    ``y = sat(sum_i tz(u_i, u_i.frac - out.frac))``.
    """

    channels: int

    meets: ClassVar[Meets] = Meets.OPERANDS

    def __post_init__(self) -> None:
        super().__post_init__()
        check_channels(self, self.channels)

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels

    def step(self, at: Step) -> Integers:
        """Bring each operand to the exponent of the output, add, saturate."""
        out = format_of(self)
        aligned = [
            shift(operand, fmt.frac - out.frac)
            for operand, fmt in zip(at.operands, at.formats, strict=True)
        ]
        at.count(dendrite_updates=aligned[0].size)
        return at.saturate(sum_of(aligned), out.bits)

    def evaluate(self, operands: list[Reals]) -> Evaluated:
        """Add the operands."""
        return Evaluated(added(operands), {})
