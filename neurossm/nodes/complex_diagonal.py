"""Complex states that are driven by complex inputs and send both of their parts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import STATE_BITS, shift
from neurossm.nodes.arriving import EXACT, NARROWER, Arriving, Finding
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.poles import pole_findings
from neurossm.nodes.step import Carried, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.values import Array, quantized, reals

LEFT = 28  # bits that a state may be shifted to the left on its way out


@node
class ComplexDiagonal(Node):
    """Complex diagonal recurrence between synapses: ``x' = a x + u``, all of it complex (S5).

    2C channels arrive and 2C are sent: the C real parts first, then the C imaginary parts. With
    gate ``none`` it sends ``x'``; with gate ``relu`` ``x'`` where ``Re x' > 0``, else 0, both parts
    alike. The gate acts on what is sent, never on the state. What is 0 is no message.

    Integer, each product shifted toward zero by itself, state and output saturating, f the fraction
    bits of a channel's state::

        re' = sat(tz(a_re re) - tz(a_im im) + tz(u_re, u.frac - f))
        im' = sat(tz(a_re im) + tz(a_im re) + tz(u_im, u.frac - f))
        y   = sat(tz(re', f - out.frac)), sat(tz(im', f - out.frac));  both 0 unless re' > 0 (relu)

    A state has a unit of its own, by channel, as fine as its register allows; what arrives is
    brought to it by a shift, to the left exactly. So it may arrive with an exponent a channel.

    Source: Pierro et al. 2025, arXiv 2502.01330, and their code (the ReLU of a complex number
    orders by the real part); Smith et al. 2023 (S5).

    Parameters
    ----------
    a_re, a_im
        Poles, ``(C,)``; integer: signed Q1.15 (or fewer bits), inside the unit circle.
    gate
        ``none`` or ``relu``.
    state_bits
        Width of the states, at most 24; 0 in a float graph.
    state_frac
        Fraction bits of the states, ``(C,)``, or one number for all; 0 in a float graph.
    """

    a_re: Array = parameter("C", bits="pole_bits")
    a_im: Array = parameter("C", bits="pole_bits")
    gate: str
    state_bits: int = 0
    state_frac: NDArray[np.int64] = field(default_factory=lambda: np.zeros((), np.int64))

    aligns: ClassVar[bool] = True
    gates: ClassVar[tuple[str, ...]] = ("none", "relu")
    nir: ClassVar[str] = "NIR has no complex state that sends both of its parts"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gate not in self.gates:
            expected = " | ".join(self.gates)
            raise GraphError("ComplexDiagonal.gate", expected=expected, got=repr(self.gate))
        given, states = np.asarray(self.state_frac), self.a_re.shape
        if given.dtype.kind not in "iu" or given.shape not in ((), states):
            expected = f"whole numbers of shape {states}, or one"
            got = f"{given.dtype} of shape {given.shape}"
            raise GraphError("ComplexDiagonal.state_frac", expected=expected, got=got)
        fracs = np.broadcast_to(given, states).astype(np.int64)
        if np.any(np.abs(fracs) > 64) or not 0 <= self.state_bits <= STATE_BITS:
            expected = f"0 to {STATE_BITS} bits, of which -64 to 64 are fraction bits"
            got = f"{self.state_bits} bits, {fracs.min()} to {fracs.max()}"
            raise GraphError("ComplexDiagonal.state_bits", expected=expected, got=got)
        fracs.setflags(write=False)
        object.__setattr__(self, "state_frac", fracs)

    @property
    def in_channels(self) -> int:
        """2C, real parts first."""
        return 2 * self.a_re.shape[0]

    @property
    def complex_states(self) -> int:
        """C."""
        return self.a_re.shape[0]

    @property
    def frac_by_part(self) -> NDArray[np.int64]:
        """Fraction bits of the state behind each channel, ``(2C,)``."""
        return np.concatenate([self.state_frac, self.state_frac])

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return the parts of the complex states."""
        return dict.fromkeys(("re", "im"), (self.complex_states,))

    @property
    def updates(self) -> int:
        """One for each complex state."""
        return self.complex_states

    @property
    def activates(self) -> bool:
        """True with a gate."""
        return self.gate != "none"

    @property
    def is_integer(self) -> bool:
        """True where the width of the states is set too."""
        return super().is_integer and self.state_bits > 0

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield what breaks the rules of poles and states."""
        yield from pole_findings(quantized(self.a_re), quantized(self.a_im))
        if self.state_bits < 2:
            yield f"states of 2 to {STATE_BITS} bits", f"{self.state_bits}"
        right = np.broadcast_to(at.by_channel, (self.in_channels,)) - self.frac_by_part
        largest = float(np.ldexp(float(at.high), -right).max())
        if largest > EXACT:
            expected = "an input that stays below 2**52 at the state's exponent"
            yield expected, f"up to {largest:g}", NARROWER
        left = int((format_of(self).frac - self.state_frac).max())
        if left > LEFT:
            yield f"a left shift of at most {LEFT}", str(left)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield stable states with each gate."""
        for gate in cls.gates:
            states = int(rng.integers(1, 5))
            pole = rng.uniform(0.3, 0.97, states) * np.exp(1j * rng.uniform(-np.pi, np.pi, states))
            yield cls(a_re=pole.real, a_im=pole.imag, gate=gate)

    def dense(self, operands: int) -> DenseOperations:
        """Return 4 MACs a complex state; what arrives is where they begin to add."""
        macs = 4 * self.complex_states
        return DenseOperations(state_macs=macs, adds=self.converging(operands))

    @property
    def factors(self) -> tuple[Array, ...]:
        """Each part of a pole multiplies both parts of its state."""
        return (self.a_re, self.a_im, self.a_re, self.a_im)

    @property
    def extent(self) -> str:
        """Channels and complex states."""
        return f"{self.out_channels} ({self.complex_states} complex)"

    @property
    def note(self) -> str:
        """The gate."""
        return "sends where the real part is above 0" if self.gate == "relu" else ""

    def step(self, at: Step) -> Integers:
        """Rotate, add what arrives, and send both parts in the format of the activations."""
        a_re, a_im, out = quantized(self.a_re), quantized(self.a_im), format_of(self)
        re, im, pole = at.state["re"], at.state["im"], int(a_re.frac)
        arriving = at.frac if at.frac_by_channel is None else at.frac_by_channel
        entering = shift(at.u, arriving - self.frac_by_part)
        half = self.complex_states
        new_re = shift(a_re.values * re, pole) - shift(a_im.values * im, pole) + entering[:, :half]
        new_im = shift(a_re.values * im, pole) + shift(a_im.values * re, pole) + entering[:, half:]
        re = at.state["re"] = at.saturate(new_re, self.state_bits)
        im = at.state["im"] = at.saturate(new_im, self.state_bits)
        if self.gate == "relu":
            passes = re > 0
            re, im = np.where(passes, re, 0), np.where(passes, im, 0)
        both = np.concatenate([re, im], axis=1)
        return at.saturate(shift(both, self.frac_by_part - out.frac), out.bits)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Run the recurrence; the peaks of ``state`` are its largest magnitudes ``(C,)``."""
        u, half = added(operands), self.complex_states
        a = reals(self.a_re) + 1j * reals(self.a_im)
        before, y, peaks = self.before(len(u), state), np.empty_like(u), np.zeros(half)
        x = before["re"] + 1j * before["im"]
        for t in range(u.shape[1]):
            x = a * x + (u[:, t, :half] + 1j * u[:, t, half:])
            peaks = np.maximum(peaks, np.abs(x).max(axis=0))
            sent = np.where(x.real > 0, x, 0) if self.gate == "relu" else x
            y[:, t, :half], y[:, t, half:] = sent.real, sent.imag
        if state is not None:
            state |= {"re": x.real.copy(), "im": x.imag.copy()}
        return Evaluated(y, {"state": peaks})
