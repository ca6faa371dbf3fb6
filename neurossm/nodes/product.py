"""Products of two operands."""

from __future__ import annotations

from typing import ClassVar

from neurossm.fixed import shift
from neurossm.nodes.node import Meets, Node, check_channels, format_of, node
from neurossm.nodes.step import Evaluated, Integers, Reals, Step


@node
class Product(Node):
    """Elementwise product of its two operands, shape ``(C,)``.

    Integer: ``y = sat(tz(u_1 u_2, u_1.frac + u_2.frac - out.frac))``.
    """

    channels: int

    meets: ClassVar[Meets] = Meets.OPERANDS
    operands: ClassVar[int] = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_channels(self, self.channels)

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels

    def step(self, at: Step) -> Integers:
        """Multiply the operands, shift, saturate."""
        out, (left, right) = format_of(self), at.operands
        at.count(dendrite_updates=left.size)
        frac = at.formats[0].frac + at.formats[1].frac
        return at.saturate(shift(left * right, frac - out.frac), out.bits)

    def evaluate(self, operands: list[Reals]) -> Evaluated:
        """Multiply the operands."""
        return Evaluated(operands[0] * operands[1], {})
