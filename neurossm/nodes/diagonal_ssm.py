"""A bank of diagonal state space models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import (
    MESSAGE_BITS,
    STATE_BITS,
    WEIGHT_BITS,
    Quantized,
    shift,
    symmetric_limit,
)
from neurossm.nodes.arriving import EXACT, NARROWER, Arriving, Finding
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.poles import pole_findings
from neurossm.nodes.step import Carried, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.values import Array, as_parameter, integers, mantissas, quantized, reals


@node
class DiagonalSSM(Node):
    """A bank of discretized complex diagonal state space models, one a channel (S4D).

    Float, for each channel with its N complex states (one of each conjugate pair kept)::

        x' = a x + b u + drive        y = 2 Re(sum c x') + d u + bias

    Integer, each product shifted toward zero by itself, state and output saturating::

        re' = sat24(tz(a_re re) - tz(a_im im) + tz(b_re u) + drive_re)
        im' = sat24(tz(a_re im) + tz(a_im re) + tz(b_im u) + drive_im)
        y   = sat(sum_N [tz(c_re re') - tz(c_im im')] + tz(d u) + bias)

    Each shift follows from the formats: ``a.frac`` for the poles, ``b.frac + u.frac - state.frac``,
    ``c.frac + state.frac - 1 - out.frac`` (the 1 is the factor 2), ``d.frac + u.frac - out.frac``.
    The state's format is the drive's, at most 24 bits. Exponents of b, c, d and the state may
    differ by channel.

    Source: Gu et al. 2022 (S4D); the rounding is that of Lava's RF neuron.

    Parameters
    ----------
    a_re, a_im
        Poles, ``(C, N)``; integer: signed Q1.15 (or fewer bits), inside the unit circle.
    b_re, b_im, c_re, c_im
        Input and output gains, ``(C, N)``; integer: 8 bits, an exponent a channel.
    d
        Feed-through, ``(C,)``.
    drive_re, drive_im
        Constant drive of the state, ``(C, N)`` (what a batch norm in front leaves behind).
    bias
        Constant added to the output, ``(C,)``.
    step_size
        Learned step ``Delta`` of each channel, ``(C,)``: how a and b were discretized. Information
        for NIR and people; nothing is computed from it at run time. Stays real.
    method
        ``zoh`` or ``bilinear``.
    """

    a_re: Array = parameter("CN", bits="pole_bits")
    a_im: Array = parameter("CN", bits="pole_bits")
    b_re: Array = parameter("CN", bits="weight_bits")
    b_im: Array = parameter("CN", bits="weight_bits")
    c_re: Array = parameter("CN", bits="weight_bits")
    c_im: Array = parameter("CN", bits="weight_bits")
    d: Array = parameter("C", bits="weight_bits")
    drive_re: Array = parameter("CN", bits="state_bits")
    drive_im: Array = parameter("CN", bits="state_bits")
    bias: Array = parameter("C", exponent="output")
    step_size: NDArray[np.float64]
    method: str

    methods: ClassVar[tuple[str, ...]] = ("zoh", "bilinear")

    def __post_init__(self) -> None:
        super().__post_init__()
        step_size = as_parameter(self.step_size, "DiagonalSSM.step_size")
        if isinstance(step_size, Quantized) or step_size.shape != (self.in_channels,):
            raise GraphError(
                "DiagonalSSM.step_size",
                expected=f"real numbers of shape ({self.in_channels},)",
                got=f"shape {step_size.shape}",
            )
        object.__setattr__(self, "step_size", step_size)
        if self.method not in self.methods:
            expected = " | ".join(self.methods)
            raise GraphError("DiagonalSSM.method", expected=expected, got=repr(self.method))
        if isinstance(self.drive_re, Quantized) and isinstance(self.drive_im, Quantized):
            same = np.array_equal(np.asarray(self.drive_re.frac), np.asarray(self.drive_im.frac))
            if not same or self.drive_re.bits != self.drive_im.bits:
                raise GraphError(
                    "DiagonalSSM.drive",
                    expected="one format for both parts (it is the state's)",
                    got=f"{self.drive_re.bits} and {self.drive_im.bits} bits",
                )

    @property
    def in_channels(self) -> int:
        """C."""
        return self.a_re.shape[0]

    @property
    def modes(self) -> int:
        """N, complex states kept a channel."""
        return self.a_re.shape[1]

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return the parts of the complex states."""
        return dict.fromkeys(("re", "im"), (self.in_channels, self.modes))

    @property
    def updates(self) -> int:
        """One for each complex state."""
        return self.in_channels * self.modes

    @property
    def constant(self) -> float:
        """Largest bias."""
        return float(np.abs(reals(self.bias)).max())

    @property
    def dropped(self) -> int:
        """Less than a unit for each product of the readout."""
        return 2 * self.modes + 1

    @property
    def fed_through(self) -> bool:
        """True where some input reaches the output beside the states."""
        return bool(np.any(mantissas(self.d) != 0))

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield what breaks the rules of poles, gains, states and their sums."""
        a_re, a_im, b_re, b_im = (
            quantized(p) for p in (self.a_re, self.a_im, self.b_re, self.b_im)
        )
        c_re, c_im, d, drive = (quantized(p) for p in (self.c_re, self.c_im, self.d, self.drive_re))
        yield from pole_findings(a_re, a_im)
        for gain in (b_re, b_im, c_re, c_im, d):
            if gain.bits > WEIGHT_BITS:
                yield f"gains of {WEIGHT_BITS} bits", f"{gain.bits} bits"
        for label, left, right in (("b", b_re, b_im), ("c", c_re, c_im)):
            if not np.array_equal(left.frac_by_channel(), right.frac_by_channel()):
                yield f"one exponent for both parts of {label}", "two"
        if drive.bits > STATE_BITS:
            yield f"a state of at most {STATE_BITS} bits", f"{drive.bits}"
        out, state_frac = format_of(self), drive.frac_by_channel()
        message, state = symmetric_limit(MESSAGE_BITS), symmetric_limit(STATE_BITS)
        b_shift = b_re.frac_by_channel() + at.frac - state_frac
        c_shift = c_re.frac_by_channel() + state_frac - 1 - out.frac
        d_shift = d.frac_by_channel() + at.frac - out.frac
        b_largest = np.maximum(np.abs(b_re.values), np.abs(b_im.values))
        driven = np.ldexp(b_largest * float(message), -b_shift).max(initial=0.0)
        parts = (np.abs(c_re.values) + np.abs(c_im.values)) * float(state)
        fed = np.ldexp(np.abs(d.values) * float(message), -d_shift).max()
        read = np.ldexp(parts, -c_shift).sum(axis=1).max() + fed
        for label, bound in (("drive", driven), ("readout", read)):
            if bound > EXACT:
                yield f"a {label} that stays below 2**52", f"up to {bound:g}", NARROWER

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield stable states of each method."""
        shape = (int(rng.integers(1, 5)), int(rng.integers(1, 4)))
        for method in cls.methods:
            pole = rng.uniform(0.3, 0.97, shape) * np.exp(1j * rng.uniform(-np.pi, np.pi, shape))
            step = rng.uniform(0.001, 0.1, shape[0])
            others = {
                name: rng.standard_normal(shape[: len(axes)]) for name, axes in cls.shapes.items()
            }
            yield cls(**(others | {"a_re": pole.real, "a_im": pole.imag}), step_size=step,
                      method=method)  # fmt: skip

    def dense(self, operands: int) -> DenseOperations:
        """Return 8 MACs a complex state: 4 for a x, 2 for b u, 2 for Re(c x'); one for d u."""
        macs = 8 * self.updates + self.in_channels
        return DenseOperations(state_macs=macs, adds=self.converging(operands))

    @property
    def factors(self) -> tuple[Array, ...]:
        """Each part of a pole multiplies both parts of its state."""
        return (self.a_re, self.a_im, self.a_re, self.a_im, self.b_re, self.b_im, self.c_re,
                self.c_im, self.d)  # fmt: skip

    @property
    def extent(self) -> str:
        """Channels and complex states of each."""
        return f"{self.in_channels} \u00d7 {self.modes} modes"

    def step(self, at: Step) -> Integers:
        """Rotate and drive the states, then read them out; every product is shifted by itself."""
        a_re, a_im, b_re, b_im = (
            quantized(p) for p in (self.a_re, self.a_im, self.b_re, self.b_im)
        )
        c_re, c_im, d, drive = (quantized(p) for p in (self.c_re, self.c_im, self.d, self.drive_re))
        u = at.u
        state_frac, out = drive.frac_by_channel(), format_of(self)
        pole = a_re.frac_by_channel()
        b_shift = b_re.frac_by_channel() + at.frac - state_frac
        c_shift = c_re.frac_by_channel() + state_frac - 1 - out.frac
        d_shift = d.frac_by_channel() + at.frac - out.frac

        re, im, drive_u = at.state["re"], at.state["im"], u[:, :, None]
        new_re = (
            shift(a_re.values * re, pole)
            - shift(a_im.values * im, pole)
            + shift(b_re.values * drive_u, b_shift)
            + integers(self.drive_re)
        )
        new_im = (
            shift(a_re.values * im, pole)
            + shift(a_im.values * re, pole)
            + shift(b_im.values * drive_u, b_shift)
            + integers(self.drive_im)
        )
        re = at.state["re"] = at.saturate(new_re, drive.bits)
        im = at.state["im"] = at.saturate(new_im, drive.bits)

        terms = shift(c_re.values * re, c_shift) - shift(c_im.values * im, c_shift)
        y = terms.sum(axis=2) + shift(d.values * u, d_shift) + integers(self.bias)
        return at.saturate(y, out.bits)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Run the recurrence; the peaks of ``state`` are its largest magnitudes ``(C, N)``."""
        u = added(operands)
        a, b, c, drive = (
            reals(re) + 1j * reals(im)
            for re, im in (
                (self.a_re, self.a_im), (self.b_re, self.b_im),
                (self.c_re, self.c_im), (self.drive_re, self.drive_im),
            )
        )  # fmt: skip
        before, y, peaks = self.before(len(u), state), np.empty_like(u), np.zeros(a.shape)
        x = before["re"] + 1j * before["im"]
        for t in range(u.shape[1]):
            x = a * x + b * u[:, t, :, None] + drive
            peaks = np.maximum(peaks, np.abs(x).max(axis=0))
            y[:, t] = 2 * (c * x).real.sum(axis=2)
        if state is not None:
            state |= {"re": x.real, "im": x.imag}
        return Evaluated(y + reals(self.d) * u + reals(self.bias), {"state": peaks})
