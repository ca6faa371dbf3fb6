"""Adaptive leaky integrate-and-fire neurons: a membrane and what it adapts by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import (
    LEAK_FRAC,
    POLE_BITS,
    STATE_BITS,
    WIDEST_LEAK_FRAC,
    Fixed,
    shift,
    symmetric_limit,
)
from neurossm.nodes.arriving import EXACT, NARROWER, Arriving, Finding, same
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.traits import Role
from neurossm.nodes.values import Array, integers, quantized, reals


@node
class AdaptiveLIF(Node):
    """Adaptive leaky integrate-and-fire neurons: two states, membrane u and adaptation w.

    At each step with input ``y``, in this order (both states start at zero)::

        u'  = tau u + y - w                    the membrane leaks, integrates, is held back
        s   = 1[u' >= theta]                   it spikes at equality too; s is sent
        u   = 0 where s else u'     (hard)     the membrane after the spike
              u' - theta s          (soft)
              u'                    (none)
        w   = rho w + a v + b s                v = u' (adapts on what is ``before`` the reset)
                                               v = u  (on what is left ``after`` it)

    SiLIF, ``w_t = beta w_{t-1} + alpha' u_{t-1} + b s_{t-1}`` and ``u_t = alpha (u_{t-1} - s_{t-1})
    + (1 - alpha) (I_t - w_t)``, is this with a soft reset, adapting on what is before it: tau is
    alpha, rho beta, and w is kept times ``1 - alpha``, so that a, b and the synapses in front have
    that factor. SE-adLIF (symplectic Euler, hard reset) adapts on what is after the reset. The
    order of plain Euler, in which ``u_t`` is held back by the w of the step before (which does not
    hold ``u_{t-1}`` yet), cannot be expressed.

    Integer: u has the format of theta and w that of b, at most 24 bits each, and both saturate.
    Their exponents are their own, one for all channels or one each, as in `LIF`: w enters a slow
    membrane at every step, so that it is small and needs a finer unit. Leaks are fractions of k
    bits, 12 to 20; a has 16 bits and an exponent for each channel. Each product is shifted toward
    zero by itself, and so are what arrives and w, to the left exactly::

        u' = sat(tz(tau u, k) + tz(y, y.frac - u.frac) - tz(w, w.frac - u.frac))
        w  = sat(tz(rho w, k) + tz(a v, a.frac + u.frac - w.frac) + b s)

    theta is rounded up. ``u' - theta`` after a spike lies between 0 and u': a reset cannot
    saturate. Without input and spikes both states decay to exactly zero where tau and rho are below
    1 and ``-(1 - tau)(1 - rho) < a < 1``: below, the real neuron has a pole beyond 1, and with an a
    of 1 and more, whose product loses nothing, integers would keep oscillating.

    Source: SiLIF, arXiv 2506.06374 (models/snns.py of its code); Bittar and Garner 2022 (adLIF of
    sparch); SE-adLIF, arXiv 2408.07517.

    Parameters
    ----------
    theta
        Threshold, ``(C,)``, above 0.
    tau, rho
        What is left of membrane and adaptation after a step, ``(C,)``, at least 0; tau at most 1,
        rho below 1 (as an integer it may round to 1). Integer: mantissas of 12 to 20 fraction bits.
    a
        How much of the membrane adds to the adaptation at a step, ``(C,)``, above -1 and below 1.
    b
        What a spike adds to the adaptation, ``(C,)``, of either sign.
    reset
        ``hard``, ``soft`` or ``none``.
    adapts_on
        ``before`` or ``after``: which membrane a multiplies, that before its reset or after it.
    """

    theta: Array = parameter("C", bits="state_bits", above=0, label="threshold")
    tau: Array = parameter("C", at_least=0, at_most=1)
    rho: Array = parameter("C", at_least=0, below=1)
    a: Array = parameter("C", above=-1, below=1)
    b: Array = parameter("C", bits="state_bits")
    reset: str
    adapts_on: str

    role: ClassVar[Role] = Role.SPIKING
    compares: ClassVar[bool] = True
    integrates: ClassVar[bool] = True
    sends: ClassVar[Fixed | None] = Fixed.binary()
    nir: ClassVar[str] = "NIR has no neuron that adapts"
    resets: ClassVar[tuple[str, ...]] = ("hard", "soft", "none")
    sides: ClassVar[tuple[str, ...]] = ("before", "after")

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in (("reset", self.resets), ("adapts_on", self.sides)):
            if getattr(self, name) not in choices:
                got = repr(getattr(self, name))
                raise GraphError(f"AdaptiveLIF.{name}", expected=" | ".join(choices), got=got)

    @property
    def in_channels(self) -> int:
        """C."""
        return self.theta.shape[0]

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return membranes and adaptations."""
        return dict.fromkeys(("u", "w"), (self.in_channels,))

    @property
    def updates(self) -> int:
        """One for each membrane and each adaptation."""
        return self.states

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield what breaks the rules of states, leaks and couplings."""
        theta, a, b, tau = (quantized(p) for p in (self.theta, self.a, self.b, self.tau))
        if not isinstance(tau.frac, int) or not LEAK_FRAC <= tau.frac <= WIDEST_LEAK_FRAC:
            yield f"one leak exponent, {LEAK_FRAC} to {WIDEST_LEAK_FRAC}", str(tau.frac)
            return
        yield from same("leak exponent", tau.frac, quantized(self.rho).frac)
        if a.bits > POLE_BITS:
            yield f"a of at most {POLE_BITS} bits", f"{a.bits}"
        if np.abs(a.dequantize()).max() >= 1:
            yield "a above -1 and below 1", f"{np.abs(a.dequantize()).max():g}"
        for what, states in (("a membrane", theta), ("an adaptation", b)):
            if states.bits > STATE_BITS:
                yield f"{what} of at most {STATE_BITS} bits", f"{states.bits}"
        own, finer = theta.frac_by_channel(), b.frac_by_channel() - theta.frac_by_channel()
        state, shifts = float(symmetric_limit(STATE_BITS)), finer - a.frac_by_channel()
        for label, bound in (
            ("an input", np.ldexp(float(at.high), np.max(own - at.by_channel))),
            ("an adaptation", np.ldexp(state, np.max(-finer))),
            ("a product a u", np.ldexp(np.abs(a.values) * state, shifts).max()),
        ):
            if bound > EXACT:
                yield f"{label} that stays below 2**52", f"up to {bound:g}", NARROWER

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield neurons of each reset that adapt on either side of it."""
        for reset in cls.resets:
            for side in cls.sides:
                size = int(rng.integers(1, 5))
                yield cls(theta=rng.uniform(0.1, 2, size), tau=rng.uniform(0.3, 1, size),
                          rho=rng.uniform(0.3, 0.97, size), a=rng.uniform(0, 0.5, size),
                          b=rng.uniform(0, 1, size), reset=reset, adapts_on=side)  # fmt: skip

    def notices(self, at: Change) -> Reals:
        """Return what its thresholds see of a membrane that leaks and that a negative a drives."""
        back = np.minimum(reals(self.a), 0) / np.maximum(1 - reals(self.rho), 1 / at.steps)
        lost = np.maximum(1 - reals(self.tau) + back, 1 / at.steps)
        return np.asarray(reals(self.theta) * lost)

    def dense(self, operands: int) -> DenseOperations:
        """Return one MAC a leak and a coupling, and what is subtracted."""
        subtracted = self.in_channels * (1 + (self.reset == "soft"))
        adds = subtracted + self.converging(operands)
        return DenseOperations(state_macs=3 * self.in_channels, adds=adds)

    @property
    def factors(self) -> tuple[Array, ...]:
        """The leaks, and what couples the adaptation to the membrane."""
        return (self.tau, self.rho, self.a)

    @property
    def note(self) -> str:
        """The reset, and which membrane it adapts on."""
        reset = "no reset" if self.reset == "none" else f"{self.reset} reset"
        return reset if self.reset == "none" else f"{reset}, adapts {self.adapts_on} it"

    def step(self, at: Step) -> Integers:
        """Leak, integrate, hold back, compare, reset, and adapt."""
        theta, b, state = quantized(self.theta), quantized(self.b), at.state
        own, leak = theta.frac_by_channel(), int(quantized(self.tau).frac)
        finer = b.frac_by_channel() - own  # of the adaptation's unit
        arriving = at.frac if at.frac_by_channel is None else at.frac_by_channel
        left = shift(integers(self.tau) * state["u"], leak) + shift(at.u, arriving - own)
        before = at.saturate(left - shift(state["w"], finer), theta.bits)
        fires = before >= theta.values  # a spike selects: nothing is multiplied by it
        after = before
        if self.reset != "none":
            reset = before - theta.values if self.reset == "soft" else np.zeros_like(before)
            after = np.where(fires, reset, before)
        seen, a = before if self.adapts_on == "before" else after, quantized(self.a)
        adapting = shift(a.values * seen, a.frac_by_channel() - finer)
        held = shift(integers(self.rho) * state["w"], leak) + adapting
        state["w"] = at.saturate(held + np.where(fires, b.values, 0), b.bits)
        state["u"] = after
        return np.asarray(fires, dtype=np.int64)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Run both states; peaks ``(C,)`` of ``input``, ``state`` and ``adaptation``.

        That of ``state`` is the membrane's, before its reset.
        """
        y = added(operands)
        theta, tau, rho, a, b = (reals(p) for p in (self.theta, self.tau, self.rho, self.a, self.b))
        sent, before = np.empty_like(y), self.before(len(y), state)
        peaks, held = np.zeros((2, self.in_channels))
        u, w = before["u"], before["w"]
        for t in range(y.shape[1]):
            membrane = tau * u + y[:, t] - w
            fires = sent[:, t] = (membrane >= theta).astype(np.float64)
            u = membrane
            if self.reset == "hard":
                u = np.where(fires > 0, 0.0, membrane)
            elif self.reset == "soft":
                u = membrane - theta * fires
            w = rho * w + a * (membrane if self.adapts_on == "before" else u) + b * fires
            peaks = np.maximum(peaks, np.abs(membrane).max(axis=0))
            held = np.maximum(held, np.abs(w).max(axis=0))
        if state is not None:
            state |= {"u": u, "w": w}
        largest = np.abs(y).max(axis=(0, 1))
        return Evaluated(sent, {"state": peaks, "adaptation": held, "input": largest})
