"""Leaky integrate-and-fire neurons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from neurossm.errors import GraphError
from neurossm.fixed import LEAK_FRAC, STATE_BITS, WIDEST_LEAK_FRAC, Fixed, shift
from neurossm.nodes.arriving import EXACT, NARROWER, Arriving, Finding, alike, same
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step, added
from neurossm.nodes.traits import Role
from neurossm.nodes.values import Array, integers, mantissas, quantized, reals


@node
class LIF(Node):
    """Leaky integrate-and-fire neurons, with a refractory variable where kappa is not zero.

    At each step with input ``y``, in this order (all states start at zero)::

        u'  = tau u + y                        the membrane leaks and integrates
        s   = 1[u' - r >= theta]               it spikes at equality too; s is sent
        u   = 0 where s else u'     (hard)     the membrane after the spike
              u' - theta s          (soft)
              u'                    (none)
        r   = rho r + kappa s                  what the next step is compared with

    The ``r`` that is stored is therefore ``r_{t+1} = rho r_t + kappa s_t``, with ``r_0 = 0``.

    Integer: u and r have the format of theta, at most 24 bits, and saturate. Its exponent is its
    own, one for all channels or one each: finer than that of the input where the membrane has room,
    so that what a slow leak takes at a step is not lost to rounding. Leaks are fractions of k bits,
    12 to 20. Each product is shifted toward zero, so in silence what leaks decays to exactly zero;
    the input is brought to the membrane's exponent by a shift, to the left exactly::

        u' = sat(tz(tau u, k) + tz(y, y.frac - theta.frac))     r = sat(tz(rho r, k) + kappa s)

    theta is rounded up. The comparison is that of the exact difference. ``u' - theta`` after a
    spike lies between r and u', so the reset cannot saturate.

    Source: SpikingSSMs, arXiv 2408.14909, eq. 4, 8, 9 (hard reset, no trace); SPikE-SSM, arXiv
    2410.17268 (soft reset and trace), known here by a reconstruction only, not by the paper's text.

    Parameters
    ----------
    theta
        Threshold, ``(C,)``, above 0.
    tau, rho
        What is left of membrane and trace after a step, ``(C,)``, at least 0; tau at most 1, an
        integrate-and-fire neuron without leak, rho below 1 (as an integer it may round to 1).
        Integer: mantissas of 12 to 20 fraction bits.
    kappa
        What a spike adds to the trace, ``(C,)``, at least 0. Where all are 0 no trace is kept.
    reset
        ``hard``, ``soft`` or ``none``.
    """

    theta: Array = parameter("C", bits="state_bits", above=0, label="threshold")
    tau: Array = parameter("C", at_least=0, at_most=1)
    rho: Array = parameter("C", at_least=0, below=1)
    kappa: Array = parameter("C", at_least=0)
    reset: str

    role: ClassVar[Role] = Role.SPIKING
    compares: ClassVar[bool] = True
    integrates: ClassVar[bool] = True
    sends: ClassVar[Fixed | None] = Fixed.binary()
    resets: ClassVar[tuple[str, ...]] = ("hard", "soft", "none")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reset not in self.resets:
            expected = " | ".join(self.resets)
            raise GraphError("LIF.reset", expected=expected, got=repr(self.reset))

    @property
    def in_channels(self) -> int:
        """C."""
        return self.theta.shape[0]

    @property
    def has_trace(self) -> bool:
        """True where a spike leaves a refractory variable in some channel."""
        return bool(np.any(mantissas(self.kappa) != 0))

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return the membranes, and the traces where there are any."""
        return dict.fromkeys(("u", "r") if self.has_trace else ("u",), (self.in_channels,))

    @property
    def updates(self) -> int:
        """One for each membrane and each trace."""
        return self.states

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield what breaks the rules of membrane and leaks."""
        theta, kappa, tau = quantized(self.theta), quantized(self.kappa), quantized(self.tau)
        yield from alike("exponent of kappa", theta.frac, kappa)
        if not isinstance(tau.frac, int) or not LEAK_FRAC <= tau.frac <= WIDEST_LEAK_FRAC:
            yield f"one leak exponent, {LEAK_FRAC} to {WIDEST_LEAK_FRAC}", str(tau.frac)
            return
        yield from same("leak exponent", tau.frac, quantized(self.rho).frac)
        largest = float(np.ldexp(float(at.high), np.max(theta.frac_by_channel() - at.by_channel)))
        if largest > EXACT:
            expected = "an input that stays below 2**52 at the membrane's exponent"
            yield expected, f"up to {largest:g}", NARROWER
        if theta.bits > STATE_BITS or kappa.bits > theta.bits:
            expected = f"a state of at most {STATE_BITS} bits, and kappa within it"
            yield expected, f"{theta.bits}, and {kappa.bits}"

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield neurons of each reset, with a trace and without."""
        for reset in cls.resets:
            yield (made := cls.drawn(rng, reset=reset))
            yield replace(made, kappa=np.zeros(made.in_channels))

    def notices(self, at: Change) -> Reals:
        """Return what its thresholds see of a membrane that leaks."""
        lost = np.maximum(1 - reals(self.tau), 1 / at.steps)
        return np.asarray(reals(self.theta) * lost)

    def dense(self, operands: int) -> DenseOperations:
        """Return one MAC a membrane and trace, and what is subtracted."""
        subtracted = self.in_channels * (self.has_trace + (self.reset == "soft"))
        adds = subtracted + self.converging(operands)
        return DenseOperations(state_macs=self.states, adds=adds)

    @property
    def factors(self) -> tuple[Array, ...]:
        """The leaks."""
        return (self.tau, self.rho) if self.has_trace else (self.tau,)

    @property
    def note(self) -> str:
        """The reset, and whether there is a trace."""
        reset = "no reset" if self.reset == "none" else f"{self.reset} reset"
        return f"{reset}, refractory variable" if self.has_trace else reset

    def step(self, at: Step) -> Integers:
        """Leak, integrate, compare, reset, and leave a trace."""
        theta, bits, state = integers(self.theta), quantized(self.theta).bits, at.state
        trace = state.get("r", np.zeros_like(state["u"]))
        own, leak = quantized(self.theta).frac_by_channel(), int(quantized(self.tau).frac)
        arriving = at.frac if at.frac_by_channel is None else at.frac_by_channel
        entering = shift(at.u, arriving - own)
        membrane = at.saturate(shift(integers(self.tau) * state["u"], leak) + entering, bits)
        above = membrane - trace if self.has_trace else membrane
        fires = above >= theta  # a spike selects: nothing is multiplied by it
        if self.reset != "none":
            after = membrane - theta if self.reset == "soft" else np.zeros_like(membrane)
            state["u"] = np.where(fires, after, membrane)
        else:
            state["u"] = membrane
        if self.has_trace:
            left = shift(integers(self.rho) * trace, leak)
            state["r"] = at.saturate(left + np.where(fires, integers(self.kappa), 0), bits)
        return np.asarray(fires, dtype=np.int64)

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Run the membranes; peaks ``(C,)`` of the ``input``, and of ``state`` before its reset."""
        u = added(operands)
        theta, tau, rho, kappa = (reals(p) for p in (self.theta, self.tau, self.rho, self.kappa))
        sent, peaks = np.empty_like(u), np.zeros(self.in_channels)
        before = self.before(len(u), state)
        membrane, trace = before["u"], before.get("r", np.zeros_like(before["u"]))
        for t in range(u.shape[1]):
            membrane = tau * membrane + u[:, t]
            peaks = np.maximum(peaks, np.abs(membrane).max(axis=0))
            fires = sent[:, t] = (membrane - trace >= theta).astype(np.float64)
            trace = rho * trace + kappa * fires
            if self.reset == "hard":
                membrane = np.where(fires > 0, 0.0, membrane)
            elif self.reset == "soft":
                membrane = membrane - theta * fires
        if state is not None:
            state |= {"u": membrane, "r": trace} if self.has_trace else {"u": membrane}
        return Evaluated(sent, {"state": peaks, "input": np.abs(u).max(axis=(0, 1))})
