"""The parameters of integer nodes as the compiled kernels take them: scaled, in their layouts.

What a kernel multiplies by is a mantissa times a power of two, exact in float64, so that dropping
the fraction of a product is the shift of the contract (`neurossm.fixed.compiled`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Fixed, symmetric_limit
from neurossm.nodes import (
    LIF,
    Affine,
    DiagonalSSM,
    Node,
    PiecewiseLinear,
    Sum,
    format_of,
    quantized,
)

Reals = NDArray[np.float64]
Messages = NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class Synapses:
    """Of `Affine`: weight by row ``(O, I)`` and by column, its non-zeros by column, the bias."""

    rows: Messages
    columns: Messages
    fan_out: NDArray[np.int64]
    bias: Messages
    multiplies: bool

    @classmethod
    def of(cls, node: Affine) -> Synapses:
        """Prepare a node."""
        weight = quantized(node.weight).values
        rows = np.ascontiguousarray(weight, dtype=np.int32)
        fan_out = np.count_nonzero(weight, axis=0).astype(np.int64)
        bias = quantized(node.bias).values.astype(np.int32)
        return cls(rows, np.ascontiguousarray(rows.T), fan_out, bias, not node.only_adds)


@dataclass(frozen=True, eq=False)
class Recurrence:
    """Of `DiagonalSSM`: rows ``(C, 8, N)`` as `ssm_kernels.diagonal_ssm` names them, d and bias."""

    rows: Reals
    feed: Reals
    bias: Reals
    state_limit: float

    @classmethod
    def of(cls, node: DiagonalSSM, formats: list[Fixed]) -> Recurrence:
        """Prepare a node on whose edges messages of the given formats arrive."""
        frac, out = formats[0].frac, format_of(node).frac
        a, b, c = quantized(node.a_re), quantized(node.b_re), quantized(node.c_re)
        d, drive = quantized(node.d), quantized(node.drive_re)
        state_frac = drive.frac_by_channel()
        b_shift = b.frac_by_channel() + frac - state_frac
        c_shift = c.frac_by_channel() + state_frac - 1 - out
        rows = [
            scaled(node.a_re, a.frac_by_channel()), scaled(node.a_im, a.frac_by_channel()),
            scaled(node.b_re, b_shift), scaled(node.drive_re, 0), scaled(node.drive_im, 0),
            scaled(node.c_re, c_shift), scaled(node.c_im, c_shift), scaled(node.b_im, b_shift),
        ]  # fmt: skip
        feed = scaled(node.d, d.frac_by_channel() + frac - out)
        limit = float(symmetric_limit(drive.bits))
        return cls(np.stack(rows, axis=1), feed, scaled(node.bias, 0), limit)

    @property
    def real_b(self) -> bool:
        """True where what drives the states is real."""
        return not np.any(self.rows[:, 7])

    @property
    def whole_b(self) -> bool:
        """True where the product of b and the input has no fraction."""
        return bool(np.all(self.rows[:, 2] % 1 == 0))


@dataclass(frozen=True, eq=False)
class Membranes:
    """Of `LIF`: ``(C,)`` each; `scale` brings the input to the exponent of the membrane."""

    theta: Reals
    tau: Reals
    rho: Reals
    kappa: Reals
    scale: Reals
    limit: float

    @classmethod
    def of(cls, node: LIF, frac: NDArray[np.int64] | int) -> Membranes:
        """Prepare a node at which messages of so many fraction bits arrive, by channel or one."""
        theta, leak = quantized(node.theta), int(quantized(node.tau).frac)
        finer = theta.frac_by_channel() - frac
        limit = float(symmetric_limit(theta.bits))
        leaks = scaled(node.tau, leak), scaled(node.rho, leak)
        scale = np.ldexp(np.ones(theta.shape), finer)
        return cls(scaled(node.theta, 0), *leaks, scaled(node.kappa, 0), scale, limit)

    @property
    def shifted(self) -> bool:
        """True where the input has another exponent than the membrane."""
        return bool(np.any(self.scale != 1.0))


@dataclass(frozen=True, eq=False)
class Segments:
    """Of `PiecewiseLinear`: knots ``(K - 1,)``, slopes and offsets ``(K,)``."""

    knots: Reals
    slopes: Reals
    offsets: Reals

    @classmethod
    def of(cls, node: PiecewiseLinear, formats: list[Fixed]) -> Segments:
        """Prepare a node on whose edges messages of the given formats arrive."""
        right = quantized(node.slopes).frac_by_channel() + formats[0].frac - format_of(node).frac
        return cls(scaled(node.knots, 0), scaled(node.slopes, right), scaled(node.offsets, 0))


def operand_scales(node: Sum, formats: list[Fixed]) -> list[float]:
    """Return the factor that brings each operand of a `Sum` to the exponent of its output."""
    return [2.0 ** (format_of(node).frac - fmt.frac) for fmt in formats]


def product_shift(node: Node, formats: list[Fixed]) -> int:
    """Return the bits that are dropped of the product of what arrives (of one or two edges)."""
    return sum(fmt.frac for fmt in formats) - format_of(node).frac


def limit_of(node: Node) -> int:
    """Return the largest magnitude of what a node sends."""
    return symmetric_limit(format_of(node).bits)


def scaled(parameter: object, right: NDArray[np.int64] | int) -> Reals:
    """Return mantissas times 2**-right, exact, in the shape of the parameter."""
    values = quantized(parameter).values.astype(np.float64)
    return np.asarray(np.ldexp(values, -np.asarray(right)).reshape(values.shape))
