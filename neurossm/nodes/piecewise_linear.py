"""Functions by segments of lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import Quantized
from neurossm.nodes.node import Array, Node, check_channels


@dataclass(frozen=True, eq=False, kw_only=True)
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
    knots: Array
    slopes: Array
    offsets: Array

    shapes: ClassVar[dict[str, str]] = {"knots": "J", "slopes": "K", "offsets": "K"}
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
