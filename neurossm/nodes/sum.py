"""Sums of operands, as of a residual connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurossm.nodes.node import Node, check_channels


@dataclass(frozen=True, eq=False, kw_only=True)
class Sum(Node):
    """Sum of its operands, one an edge (a residual connection), shape ``(C,)``.

    Integer: each operand is brought to the output's exponent first, toward zero or exactly:
    ``y = sat(sum_i tz(u_i, u_i.frac - out.frac))``.
    """

    channels: int

    separate_operands: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_channels(self, self.channels)

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels
