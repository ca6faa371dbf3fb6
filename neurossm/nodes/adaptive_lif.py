"""Adaptive leaky integrate-and-fire neurons: a membrane and what it adapts by."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Self

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import LEAK_FRAC, POLE_BITS, STATE_BITS, WIDEST_LEAK_FRAC, Fixed, shift
from neurossm.nodes.arriving import EXACT, NARROWER, Arriving, Finding, alike, same
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

    Integer: u and w have the format of theta, at most 24 bits, and saturate; its exponent is its
    own, one for all channels or one each, as in `LIF`. Leaks are fractions of k bits, 12 to 20; a
    has 16 bits and one exponent for all channels. Each product is shifted toward zero by itself::

        u' = sat(tz(tau u, k) + tz(y, y.frac - theta.frac) - w)
        w  = sat(tz(rho w, k) + tz(a v, a.frac) + b s)

    theta is rounded up. ``u' - theta`` after a spike lies between 0 and u': a reset cannot
    saturate.

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
        How much of the membrane adds to the adaptation at a step, ``(C,)``, of either sign.
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
    a: Array = parameter("C")
    b: Array = parameter("C")
    reset: str
    adapts_on: str

    role: ClassVar[Role] = Role.SPIKING
    compares: ClassVar[bool] = True
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
        yield from alike("exponent of b", theta.frac, b)
        if not isinstance(tau.frac, int) or not LEAK_FRAC <= tau.frac <= WIDEST_LEAK_FRAC:
            yield f"one leak exponent, {LEAK_FRAC} to {WIDEST_LEAK_FRAC}", str(tau.frac)
            return
        yield from same("leak exponent", tau.frac, quantized(self.rho).frac)
        if not isinstance(a.frac, int) or a.bits > POLE_BITS:
            expected = f"a of at most {POLE_BITS} bits, one exponent for all"
            yield expected, f"{a.bits} bits, {a.frac}"
            return
        if theta.bits > STATE_BITS or b.bits > theta.bits:
            expected = f"states of at most {STATE_BITS} bits, and b within them"
            yield expected, f"{theta.bits}, and {b.bits}"
        largest = float(np.ldexp(float(at.high), np.max(theta.frac_by_channel() - at.by_channel)))
        if largest > EXACT:
            expected = "an input that stays below 2**52 at the membrane's exponent"
            yield expected, f"up to {largest:g}", NARROWER
        held = float(np.ldexp(np.abs(a.values).max() * 2.0**STATE_BITS, -a.frac))
        if held > EXACT:
            yield "a product a u that stays below 2**52", f"up to {held:g}"

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
        theta, bits, state = integers(self.theta), quantized(self.theta).bits, at.state
        own, leak = quantized(self.theta).frac_by_channel(), int(quantized(self.tau).frac)
        coupling = int(quantized(self.a).frac)
        arriving = at.frac if at.frac_by_channel is None else at.frac_by_channel
        left = shift(integers(self.tau) * state["u"], leak) + shift(at.u, arriving - own)
        before = at.saturate(left - state["w"], bits)
        fires = before >= theta  # a spike selects: nothing is multiplied by it
        after = before
        if self.reset != "none":
            reset = before - theta if self.reset == "soft" else np.zeros_like(before)
            after = np.where(fires, reset, before)
        adapting = shift(integers(self.a) * (before if self.adapts_on == "before" else after),
                         coupling)  # fmt: skip
        held = shift(integers(self.rho) * state["w"], leak) + adapting
        state["w"] = at.saturate(held + np.where(fires, integers(self.b), 0), bits)
        state["u"] = after
        return np.asarray(fires, dtype=np.int64)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Run both states; peaks ``(C,)`` of the ``input``, and of ``state``: the larger of both.

        That of the membrane is taken before its reset. Both are kept in one format.
        """
        y = added(operands)
        theta, tau, rho, a, b = (reals(p) for p in (self.theta, self.tau, self.rho, self.a, self.b))
        sent, peaks = np.empty_like(y), np.zeros(self.in_channels)
        before = self.before(len(y), state)
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
            peaks = np.maximum(peaks, np.maximum(np.abs(membrane), np.abs(w)).max(axis=0))
        if state is not None:
            state |= {"u": u, "w": w}
        return Evaluated(sent, {"state": peaks, "input": np.abs(y).max(axis=(0, 1))})
