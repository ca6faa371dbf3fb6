"""Nodes that remember: state space models, membranes that leak, running sums."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import Fixed, Quantized
from neurossm.nodes.node import (
    Array,
    Node,
    as_parameter,
    check_channels,
    check_spikes,
    mantissas,
    quantized,
)


@dataclass(frozen=True, eq=False, kw_only=True)
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

    a_re: Array
    a_im: Array
    b_re: Array
    b_im: Array
    c_re: Array
    c_im: Array
    d: Array
    drive_re: Array
    drive_im: Array
    bias: Array
    step_size: NDArray[np.float64]
    method: str

    shapes: ClassVar[dict[str, str]] = {
        "a_re": "CN", "a_im": "CN", "b_re": "CN", "b_im": "CN", "c_re": "CN", "c_im": "CN",
        "d": "C", "drive_re": "CN", "drive_im": "CN", "bias": "C",
    }  # fmt: skip

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
        if self.method not in ("zoh", "bilinear"):
            raise GraphError("DiagonalSSM.method", expected="zoh | bilinear", got=repr(self.method))
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

    @property
    def states(self) -> int:
        """Two real numbers a complex state."""
        return 2 * self.in_channels * self.modes

    @property
    def updates(self) -> int:
        """One for each complex state."""
        return self.in_channels * self.modes


@dataclass(frozen=True, eq=False, kw_only=True)
class LIF(Node):
    """Leaky integrate-and-fire neurons, with a refractory trace where kappa is not zero.

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

    theta: Array
    tau: Array
    rho: Array
    kappa: Array
    reset: str

    shapes: ClassVar[dict[str, str]] = {"theta": "C", "tau": "C", "rho": "C", "kappa": "C"}
    resets: ClassVar[tuple[str, ...]] = ("hard", "soft", "none")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_spikes(self, Fixed.binary())
        if self.reset not in self.resets:
            expected = " | ".join(self.resets)
            raise GraphError("LIF.reset", expected=expected, got=repr(self.reset))
        for name, leak in (("tau", self.tau), ("rho", self.rho)):
            low, high = mantissas(leak).min(), mantissas(leak).max()
            # leaks with several exponents do not keep the contract, which says so later
            integer = isinstance(leak, Quantized)
            one = 2 ** max(int(np.max(quantized(leak).frac)), 0) if integer else 1
            below = name == "rho" and not integer  # as an integer it may round to one
            if low < 0 or high > one or (below and high == one):
                raise GraphError(
                    f"LIF.{name}",
                    expected=f"at least 0 and {'below' if below else 'at most'} {one}",
                    got=f"{low:g} to {high:g}",
                )
        least, trace = mantissas(self.theta).min(), mantissas(self.kappa).min()
        if not least > 0:
            raise GraphError("LIF.theta", expected="above 0", got=f"{least:g}")
        if trace < 0:
            raise GraphError("LIF.kappa", expected="at least 0", got=f"{trace:g}")

    @property
    def in_channels(self) -> int:
        """C."""
        return self.theta.shape[0]

    @property
    def has_trace(self) -> bool:
        """True where a spike leaves a refractory trace in some channel."""
        return bool(np.any(mantissas(self.kappa) != 0))

    @property
    def states(self) -> int:
        """The membranes, and the traces where there are any."""
        return self.in_channels * (2 if self.has_trace else 1)

    @property
    def updates(self) -> int:
        """One for each membrane and each trace."""
        return self.states


@dataclass(frozen=True, eq=False, kw_only=True)
class Accumulate(Node):
    """Running sum over time: ``y_t = y_{t-1} + u_t``, shape ``(C,)``.

    A mean over a known length is this with ``1/length`` folded into the synapses in front.
    Integer: ``y = sat24(y + sat(tz(u, u.frac - out.frac), term_bits))``. With ``term_bits`` such
    that ``steps * (2**(term_bits-1) - 1) < 2**23`` the sum cannot saturate within ``steps`` steps.

    Parameters
    ----------
    steps
        Length of sequence for which the headroom is proven.
    term_bits
        Width to which one term saturates; 0 in a float graph.
    """

    channels: int
    steps: int
    term_bits: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_channels(self, self.channels)
        if self.steps < 1:
            raise GraphError("Accumulate.steps", expected="at least 1", got=str(self.steps))

    @property
    def in_channels(self) -> int:
        """C."""
        return self.channels

    @property
    def states(self) -> int:
        """The running sums."""
        return self.channels

    @property
    def is_integer(self) -> bool:
        """True where the widths of message and term are set."""
        return self.out is not None and self.term_bits > 0
