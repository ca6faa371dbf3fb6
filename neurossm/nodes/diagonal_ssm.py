"""A bank of diagonal state space models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import Quantized
from neurossm.nodes.node import (
    Array,
    Node,
    as_parameter,
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
