"""Nodes that act on each channel by itself, at one time step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import Fixed, Quantized
from neurossm.nodes.node import Array, Node, check_channels, check_spikes, mantissas


@dataclass(frozen=True, eq=False, kw_only=True)
class Threshold(Node):
    """Spike: ``y = 1[u >= theta]``, without membrane or reset.

    Integer: ``theta`` is rounded up, so that comparing integers is comparing the real numbers.
    NIR's Threshold and Lava's LIF compare with ``>``; on integers that is ``u > theta - 1``.

    Parameters
    ----------
    theta
        ``(C,)``; integers with the exponent of the input, by channel where it has one each.
    """

    theta: Array

    shapes: ClassVar[dict[str, str]] = {"theta": "C"}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spikes(self, Fixed.binary())

    @property
    def in_channels(self) -> int:
        """C."""
        return self.theta.shape[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class TernaryThreshold(Node):
    """Signed spike: ``y = sign(u) 1[|u| >= delta]``, without membrane or reset.

    Integer: ``delta`` is rounded up, so that comparing integers is comparing the real numbers.

    Source: the ternary branch of the Gated Spiking Unit, Stan and Rhodes, arXiv 2401.00955; there
    ``delta`` follows the largest value of the moment, here it is a parameter.

    Parameters
    ----------
    delta
        ``(C,)``, above 0; integers with the exponent of the input, by channel where it has one
        each.
    """

    delta: Array

    shapes: ClassVar[dict[str, str]] = {"delta": "C"}

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spikes(self, Fixed.ternary())
        least = mantissas(self.delta).min()
        if not least > 0:
            raise GraphError("TernaryThreshold.delta", expected="above 0", got=f"{least:g}")

    @property
    def in_channels(self) -> int:
        """C."""
        return self.delta.shape[0]


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
