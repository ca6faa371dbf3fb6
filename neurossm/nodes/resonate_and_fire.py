"""Resonate-and-fire neurons: one complex state each, and a spike where its real part is large."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import STATE_BITS, Fixed, shift
from neurossm.nodes.arriving import EXACT, NARROWER, Arriving, Finding
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.poles import pole_findings
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.traits import Role
from neurossm.nodes.values import Array, integers, quantized, reals


@node
class ResonateAndFire(Node):
    """Resonate-and-fire neurons: a complex state that rotates, decays, and spikes on its real part.

    At each step, with the state starting at zero::

        z' = a z + d                           d is what arrives
        s  = 1[Re z' >= theta]                 it spikes at equality too; s is sent
        z  = z' - theta s           (soft)     the real part alone is reset
             z'                     (none)

    With the drive ``real`` what arrives is d, one channel a neuron. With ``complex`` it has 2C
    channels: the real parts of all neurons, then their imaginary parts.

    C-SiLIF has a real drive, a threshold of 0.5 and a soft reset; S5-RF a complex drive and none.
    A comparison of the magnitude, ``|z| > 1``, cannot be expressed.

    Integer: both parts of z have the format of theta, at most 24 bits, and saturate; its exponent
    is its own, as in `LIF`. Poles are Q1.15, inside the unit circle after rounding. Each product is
    shifted toward zero by itself, and what arrives by the difference of exponents::

        re' = sat(tz(a_re re) - tz(a_im im) + tz(d_re, d.frac - theta.frac))
        im' = sat(tz(a_re im) + tz(a_im re) + tz(d_im, d.frac - theta.frac))

    theta is rounded up. ``re' - theta`` after a spike lies between 0 and re': a reset cannot
    saturate.

    Source: Izhikevich 2001; C-SiLIF, arXiv 2506.06374; S5-RF, arXiv 2504.00719.

    Parameters
    ----------
    a_re, a_im
        Poles, ``(C,)``; integer: signed Q1.15 (or fewer bits), inside the unit circle.
    theta
        Threshold, ``(C,)``, above 0.
    reset
        ``soft`` or ``none``.
    drive
        ``real`` or ``complex``.
    """

    a_re: Array = parameter("C", bits="pole_bits")
    a_im: Array = parameter("C", bits="pole_bits")
    theta: Array = parameter("C", bits="state_bits", above=0, label="threshold")
    reset: str
    drive: str

    role: ClassVar[Role] = Role.SPIKING
    compares: ClassVar[bool] = True
    integrates: ClassVar[bool] = True
    sends: ClassVar[Fixed | None] = Fixed.binary()
    nir: ClassVar[str] = (
        "NIR has no resonator that spikes; with a real drive and no reset, a DiagonalSSM of one"
        " mode and a Threshold are the same"
    )
    resets: ClassVar[tuple[str, ...]] = ("soft", "none")
    drives: ClassVar[tuple[str, ...]] = ("real", "complex")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in (("reset", self.resets), ("drive", self.drives)):
            if getattr(self, name) not in choices:
                got = repr(getattr(self, name))
                raise GraphError(f"ResonateAndFire.{name}", expected=" | ".join(choices), got=got)

    @property
    def in_channels(self) -> int:
        """C, or 2C where the drive is complex."""
        return self.out_channels * (2 if self.drive == "complex" else 1)

    @property
    def out_channels(self) -> int:
        """C."""
        return self.theta.shape[0]

    @property
    def complex_states(self) -> int:
        """C."""
        return self.out_channels

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return the parts of the complex states."""
        return dict.fromkeys(("re", "im"), (self.out_channels,))

    @property
    def updates(self) -> int:
        """One for each complex state."""
        return self.out_channels

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield what breaks the rules of poles and states."""
        theta, a_re, a_im = (quantized(p) for p in (self.theta, self.a_re, self.a_im))
        yield from pole_findings(a_re, a_im)
        if theta.bits > STATE_BITS:
            yield f"a state of at most {STATE_BITS} bits", f"{theta.bits}"
        # once for each operand of a complex drive: its parts arrive one behind the other
        own = np.tile(theta.frac_by_channel(), self.in_channels // self.out_channels)
        largest = float(np.ldexp(float(at.high), np.max(own - at.by_channel)))
        if largest > EXACT:
            expected = "an input that stays below 2**52 at the state's exponent"
            yield expected, f"up to {largest:g}", NARROWER

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield stable resonators of each reset and drive."""
        for reset in cls.resets:
            for drive in cls.drives:
                size = int(rng.integers(1, 5))
                pole = rng.uniform(0.3, 0.97, size) * np.exp(1j * rng.uniform(-np.pi, np.pi, size))
                yield cls.drawn(rng, a_re=pole.real, a_im=pole.imag,
                                theta=rng.uniform(0.1, 2, size), reset=reset,
                                drive=drive)  # fmt: skip

    def notices(self, at: Change) -> Reals:
        """Return what its thresholds see of a state that decays."""
        lost = np.maximum(1 - np.hypot(reals(self.a_re), reals(self.a_im)), 1 / at.steps)
        return np.tile(reals(self.theta) * lost, self.in_channels // self.out_channels)

    def dense(self, operands: int) -> DenseOperations:
        """Return 4 MACs a complex state, and what a soft reset subtracts."""
        adds = self.out_channels * (self.reset == "soft") + self.converging(operands)
        return DenseOperations(state_macs=4 * self.out_channels, adds=adds)

    @property
    def factors(self) -> tuple[Array, ...]:
        """Each part of a pole multiplies both parts of its state."""
        return (self.a_re, self.a_im, self.a_re, self.a_im)

    @property
    def extent(self) -> str:
        """Neurons, behind what arrives where that is twice as many."""
        size = str(self.out_channels)
        return f"{self.in_channels} \u2192 {size}" if self.drive == "complex" else size

    @property
    def note(self) -> str:
        """The drive and the reset."""
        reset = "no reset" if self.reset == "none" else f"{self.reset} reset"
        return f"{self.drive} drive, {reset}"

    def step(self, at: Step) -> Integers:
        """Rotate and drive, compare the real part, reset it."""
        theta, bits, state = integers(self.theta), quantized(self.theta).bits, at.state
        a_re, a_im = integers(self.a_re), integers(self.a_im)
        pole, size = quantized(self.a_re).frac_by_channel(), self.out_channels
        own = np.tile(quantized(self.theta).frac_by_channel(), self.in_channels // size)
        arriving = at.frac if at.frac_by_channel is None else at.frac_by_channel
        driven = shift(at.u, arriving - own)
        re, im = state["re"], state["im"]
        new_re = shift(a_re * re, pole) - shift(a_im * im, pole) + driven[:, :size]
        new_im = shift(a_re * im, pole) + shift(a_im * re, pole)
        if self.drive == "complex":
            new_im = new_im + driven[:, size:]
        re, im = at.saturate(new_re, bits), at.saturate(new_im, bits)
        fires = re >= theta  # a spike selects: nothing is multiplied by it
        state["re"] = np.where(fires, re - theta, re) if self.reset == "soft" else re
        state["im"] = im
        return np.asarray(fires, dtype=np.int64)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Run the states; peaks ``(C,)`` of ``state``, magnitudes before a reset, and ``input``."""
        y, size = added(operands), self.out_channels
        pole, theta = reals(self.a_re) + 1j * reals(self.a_im), reals(self.theta)
        drive = y[:, :, :size] + (1j * y[:, :, size:] if self.drive == "complex" else 0.0)
        before, sent = self.before(len(y), state), np.empty(drive.shape)
        peaks, z = np.zeros(size), before["re"] + 1j * before["im"]
        for t in range(y.shape[1]):
            z = pole * z + drive[:, t]
            peaks = np.maximum(peaks, np.abs(z).max(axis=0))
            fires = sent[:, t] = (z.real >= theta).astype(np.float64)
            if self.reset == "soft":
                z = z - theta * fires
        if state is not None:
            state |= {"re": z.real, "im": z.imag}
        return Evaluated(sent, {"state": peaks, "input": np.abs(drive).max(axis=(0, 1))})
