"""Products of two operands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurossm.nodes.node import Node, check_channels


@dataclass(frozen=True, eq=False, kw_only=True)
class Product(Node):
    """Elementwise product of its two operands, shape ``(C,)``.

    Integer: ``y = sat(tz(u_1 u_2, u_1.frac + u_2.frac - out.frac))``.
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
