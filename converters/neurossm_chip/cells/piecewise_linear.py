"""Step kernel of `PiecewiseLinear`: an activation function made of line segments."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from neurossm_chip.arithmetic import product, scaled
from neurossm_chip.cell import Cell, State, Variables
from neurossm_chip.nssm import Fixed, Node


class PiecewiseLinear(Cell):
    """A line chosen by comparing with the knots, at most seven of them."""

    registers: ClassVar[dict[str, int]] = {
        "knots": 32,
        "slopes": 32,
        "offsets": 32,
        "right": 32,
        "out_bits": 32,
    }

    def __init__(self, values: Variables, channels: int) -> None:
        super().__init__(values, channels)
        self.knots, self.offsets = self.integers("knots"), self.integers("offsets")
        self.slopes = scaled(self.integers("slopes"), self.number("right"))
        self.out_bits = self.number("out_bits")

    @classmethod
    def variables(cls, node: Node, arriving: list[Fixed]) -> Variables:
        """Return knots and lines, the shift of a slope's product, the width of what is sent."""
        found: Variables = {name: node.values(name) for name in ("knots", "slopes", "offsets")}
        right = node.one_frac("slopes") + arriving[0].frac - node.out.frac
        return dict(found, right=right, out_bits=node.out.bits)

    def update(self, state: State, operands: list[Any]) -> Any:
        """Return ``sat(tz(slope u) + offset)``."""
        u = self.entering(operands)
        line = np.count_nonzero(u[..., np.newaxis] >= self.knots, axis=-1)
        return self.clipped(product(self.slopes[line], u) + self.offsets[line], self.out_bits)
