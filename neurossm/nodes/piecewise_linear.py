"""Functions by segments of lines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import MESSAGE_BITS, Quantized, shift, symmetric_limit
from neurossm.nodes.arriving import EXACT, NARROWER, Arriving, Finding
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.span import FanIn, Found, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.traits import ByChannel
from neurossm.nodes.values import Array, integers, quantized, reals


@node
class PiecewiseLinear(ByChannel, Node):
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
    knots: Array = parameter("J", exponent="input", rounding="up", label="knot")
    slopes: Array = parameter("K", exponent="own", bits="segment_bits", reason="the steepest fits")
    offsets: Array = parameter("K", exponent="output", label="offset")

    ranged: ClassVar[tuple[str, ...]] = ("segment_bits", "activation_bits")
    max_segments: ClassVar[int] = 8
    nir: ClassVar[str] = "NIR has no such function"

    def __post_init__(self) -> None:
        super().__post_init__()
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
    def activates(self) -> bool:
        """True."""
        return True

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield where a segment gets too large."""
        slopes = quantized(self.slopes)
        shifted = format_of(self).frac - int(np.max(slopes.frac)) - at.frac
        steepest = int(np.abs(slopes.values).max())
        # slopes may be wider than 8 bits, so the product is held against it before its shift too
        largest = float(symmetric_limit(MESSAGE_BITS) * steepest) * 2.0 ** max(shifted, 0)
        if largest > EXACT:
            expected = "segments that stay below 2**52"
            yield expected, f"up to {largest:g}", NARROWER

    def bound(self, at: FanIn) -> Found:
        """Return the largest and least of each segment that the input's span meets."""
        u, slopes, offsets = at.u, reals(self.slopes), reals(self.offsets)
        low, high = np.full(self.channels, np.inf), np.full(self.channels, -np.inf)
        edges = np.concatenate([[-np.inf], reals(self.knots), [np.inf]])
        for segment, (slope, offset) in enumerate(zip(slopes, offsets, strict=True)):
            start, stop = np.maximum(u.low, edges[segment]), np.minimum(u.high, edges[segment + 1])
            met = start <= stop  # the part of the span that this segment covers
            for place in (start, stop):
                value = slope * np.where(met, place, 0.0) + offset
                low = np.where(met, np.minimum(low, value), low)
                high = np.where(met, np.maximum(high, value), high)
        sent, registers = at.message(Span(low, high).wider(at.unit))
        return sent, (*at.entry(), *registers)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield a few segments; they need not join."""
        segments = int(rng.integers(2, 5))
        slopes, offsets = rng.standard_normal((2, segments))
        knots = np.sort(rng.standard_normal(segments - 1))
        yield cls.drawn(rng, function="other", max_error=0.0, knots=knots, slopes=slopes,
                        offsets=offsets)  # fmt: skip

    def notices(self, at: Change) -> Reals:
        """Return what matters behind its steepest segment."""
        return np.asarray(at.own / np.abs(reals(self.slopes)).max())

    def dense(self, operands: int) -> DenseOperations:
        """Return one MAC a channel."""
        return DenseOperations(elementwise_macs=self.in_channels, adds=self.converging(operands))

    @property
    def title(self) -> str:
        """The function, and how far it is off."""
        return self.function + ("" if self.max_error == 0 else f" ± {self.max_error:.1g}")

    @property
    def note(self) -> str:
        """The function that the segments stand for, and their largest error."""
        error = "exact" if self.max_error == 0 else f"largest error {self.max_error:.2g}"
        return f"{self.function} by {self.slopes.shape[0]} segments, {error}"

    def step(self, at: Step) -> Integers:
        """Find the segment by comparing, multiply, shift, add, saturate."""
        slopes, out, u = quantized(self.slopes), format_of(self), at.u
        segment = np.count_nonzero(u[..., None] >= integers(self.knots), axis=-1)
        product = slopes.values[segment] * u
        right = int(slopes.frac) + at.frac - out.frac
        return at.saturate(shift(product, right) + integers(self.offsets)[segment], out.bits)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Find the segment, multiply, add."""
        u = added(operands)
        segment = np.searchsorted(reals(self.knots), u, side="right")
        return Evaluated(
            np.asarray(reals(self.slopes)[segment] * u + reals(self.offsets)[segment]), {}
        )
