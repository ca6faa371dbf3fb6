"""Functions by segments of lines."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import Quantized, shift
from neurossm.nodes.node import (
    Array,
    Node,
    check_channels,
    format_of,
    integers,
    node,
    quantized,
    reals,
)
from neurossm.nodes.parameter import parameter
from neurossm.nodes.step import Evaluated, Integers, Reals, Step, added


@node
class PiecewiseLinear(Node):
    """A function by at most 8 segments: ``y = slope_i u + offset_i``, ``i`` = knots at or below u.

    Integer: ``y = sat(tz(slope_i u, slope.frac + u.frac - out.frac) + offset_i)``; shifts,
    multiplications and comparisons only, as microcode has no tables.

    Parameters
    ----------
    function
        What it stands for, such as ``relu`` (exact), ``sigmoid``, ``gelu``; see
        `neurossm.piecewise`.
    max_error
        Largest distance to that function over all real inputs, as real segments.
    channels
        C; all channels share the segments.
    knots
        ``(K - 1,)``, strictly rising; integers in the format of the input, rounded up.
    slopes, offsets
        ``(K,)``; integer offsets in the format of the output.
    """

    function: str
    max_error: float
    channels: int
    knots: Array = parameter("J")
    slopes: Array = parameter("K")
    offsets: Array = parameter("K")

    max_segments: ClassVar[int] = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        check_channels(self, self.channels)
        segments = self.slopes.shape[0]
        if self.knots.shape[0] != segments - 1 or segments > self.max_segments:
            raise GraphError(
                "PiecewiseLinear",
                expected=f"2 to {self.max_segments} segments and one knot between neighbors",
                got=f"{segments} segments, {self.knots.shape[0]} knots",
            )
        knots = self.knots.values if isinstance(self.knots, Quantized) else self.knots
        if np.any(np.diff(knots) < 0):
            raise GraphError("PiecewiseLinear.knots", expected="rising knots", got="falling ones")

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels

    def step(self, at: Step) -> Integers:
        """Find the segment by comparing, multiply, shift, add, saturate."""
        slopes, out, u = quantized(self.slopes), format_of(self), at.u
        segment = np.count_nonzero(u[..., None] >= integers(self.knots), axis=-1)
        at.count(dendrite_updates=u.size)
        product = slopes.values[segment] * u
        right = int(slopes.frac) + at.frac - out.frac
        return at.saturate(shift(product, right) + integers(self.offsets)[segment], out.bits)

    def evaluate(self, operands: list[Reals]) -> Evaluated:
        """Find the segment, multiply, add."""
        u = added(operands)
        segment = np.searchsorted(reals(self.knots), u, side="right")
        return Evaluated(
            np.asarray(reals(self.slopes)[segment] * u + reals(self.offsets)[segment]), {}
        )
