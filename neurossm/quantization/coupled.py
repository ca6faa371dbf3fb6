"""How far two coupled real states can get: sums of their impulse responses, step by step.

Between spikes an `AdaptiveLIF` is linear: ``x_k = M x_{k-1}`` for ``x = (u, w)``, with one 2 x 2
matrix a channel. What arrives, a spike's reset and jump, and what shifts drop enter as impulses;
the sums of what they leave over time, positive and negative parts apart, bound both states.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Quantized
from neurossm.nodes import AdaptiveLIF, FanIn, Found, Register, Span, reals
from neurossm.quantization.bounds import worst_case

Reals = NDArray[np.float64]
LONGEST = 4096  # steps that are followed one by one; beyond, a geometric series bounds the rest
FADED = 1e-9  # of what was added up so far: from there on the series is close
DROPPED = (3.0, 2.0)  # units that the shifts into u and into w drop at a step, less than these


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over time of what an impulse leaves in u and w, ``(C, 2)``: above and below zero."""

    up: Reals
    down: Reals

    @property
    def both(self) -> Reals:
        """Sums of magnitudes."""
        return self.up - self.down

    def within(self, magnitude: Reals) -> Reals:
        """Return the largest magnitudes of the states for inputs up to ``magnitude``, ``(C,)``."""
        return _times(self.both, magnitude[:, None])

    def span(self, low: Reals | float, high: Reals | float) -> tuple[Reals, Reals]:
        """Return the ends of the states, ``(C, 2)``, for inputs from `low` <= 0 to `high` >= 0."""
        low, high = (np.asarray(end, dtype=np.float64)[..., None] for end in (low, high))
        return (_times(self.down, high) + _times(self.up, low),
                _times(self.up, high) + _times(self.down, low))  # fmt: skip


@dataclass(frozen=True, eq=False)
class Responses:
    """What the states of an `AdaptiveLIF` make of an impulse: the membrane before its reset.

    Attributes
    ----------
    driven
        Of what arrives, or of what a shift into the membrane drops.
    spiked
        Of a spike: its reset, where that is no hard one, and what it adds to the adaptation.
    adapted
        Of 1 added to the adaptation.
    """

    driven: Sums
    spiked: Sums
    adapted: Sums


def responses(node: AdaptiveLIF, steps: int | None) -> Responses:
    """Return the sums of impulse responses over so many steps, or over any number.

    With a hard reset, which is no impulse of a known size, magnitudes are bounded instead:
    ``|u| <= tau |u| + |w| + |y|`` and the same of w; a reset only makes u smaller.
    """
    tau, rho, a, b = (reals(p) for p in (node.tau, node.rho, node.a, node.b))
    ones, zeros = np.ones_like(tau), np.zeros_like(tau)
    back, own, jump = a * tau, rho - a, b
    held, subtracted = -ones, zeros
    if node.reset == "hard":
        back, held, own = np.abs(back), ones, np.maximum(rho, np.abs(own))
        a, jump = np.abs(a), np.abs(b)
    elif node.reset == "soft":
        subtracted = reals(node.theta)
        jump = b - a * subtracted if node.adapts_on == "after" else b
    moves = np.stack([np.stack([tau, held], -1), np.stack([back, own], -1)], -2)
    starts = np.stack([np.stack([ones, a], -1), np.stack([-subtracted, jump], -1),
                       np.stack([zeros, ones], -1)], -1)  # fmt: skip
    up, down = _summed(moves, starts, steps)
    down[:, 0, 1] += subtracted  # the membrane is looked at before a reset takes that off
    return Responses(*(Sums(up[:, :, k], down[:, :, k]) for k in range(3)))


def alone(node: AdaptiveLIF, steps: int | None) -> Sums:
    """Return what an input makes of the states before the first spike, whatever the reset."""
    tau, rho, a = (reals(p) for p in (node.tau, node.rho, node.a))
    moves = np.stack([np.stack([tau, -np.ones_like(tau)], -1), np.stack([a * tau, rho - a], -1)],
                     -2)  # fmt: skip
    starts = np.stack([np.ones_like(a), a], -1)[:, :, None]
    up, down = _summed(moves, starts, steps)
    return Sums(up[:, :, 0], down[:, :, 0])


def _summed(moves: Reals, starts: Reals, steps: int | None) -> tuple[Reals, Reals]:
    """Return the sums of the positive and negative parts of ``M^k start``, ``(C, 2, J)``.

    After K steps the rest is at most ``sum |M^k|`` over those steps, times ``(1 - |M^K|)^-1``,
    times what is left; infinite where that is no geometric series.
    """
    followed = min(steps or LONGEST, LONGEST)
    # the unit vectors too: they become M^k
    x = np.concatenate([starts, np.broadcast_to(np.eye(2), moves.shape)], -1)
    up, down = np.maximum(x, 0), np.minimum(x, 0)
    k = 1
    with np.errstate(over="ignore", invalid="ignore"):
        while k < followed:
            x, k = moves @ x, k + 1
            up, down = up + np.maximum(x, 0), down + np.minimum(x, 0)
            if k % 64 == 0 and np.all(np.abs(x) <= FADED * (up - down)):
                break
        up, down = (np.where(np.isnan(part), sign * np.inf, part)
                    for part, sign in ((up, 1), (down, -1)))  # fmt: skip
        if steps is None or steps > k:
            rest = _rest(np.abs(moves @ x), (up - down)[:, :, -2:])
            up, down = up + rest, down - rest
    return up[:, :, :-2], down[:, :, :-2]


def _rest(left: Reals, powers: Reals) -> Reals:
    """Return a bound of all later steps; `left` is the first of them, `powers` sums of ``|M^k|``.

    The last two columns of `left` are ``|M^K|``.
    """
    p = left[:, :, -2:]
    p = np.where(np.isfinite(p), p, 2.0)
    trace, det = p[:, 0, 0] + p[:, 1, 1], p[:, 0, 0] * p[:, 1, 1] - p[:, 0, 1] * p[:, 1, 0]
    # both eigenvalues of a matrix without negative numbers are below 1
    ends = (trace < 2) & (1 - trace + det > 0)
    kept = np.eye(2) - np.where(ends[:, None, None], p, 0.0)
    series = np.linalg.inv(kept) @ left
    found = np.einsum("cij,cjk->cik", np.where(ends[:, None, None], powers, 1.0), series)
    return np.where(ends[:, None, None] | (left == 0), found, np.inf)


@worst_case.register(AdaptiveLIF)
def worst_states(node: AdaptiveLIF, at: FanIn) -> Found:
    """Return the worst case of adaptive neurons."""
    u, found = at.u.with_zero(), responses(node, at.steps)
    spikes = found.spiked.span(0.0, 1.0)
    if node.reset == "hard":  # bounds of magnitudes
        u = Span(-u.magnitude, u.magnitude)
    low, high = (one + other for one, other in zip(found.driven.span(u.low, u.high), spikes,
                                                   strict=True))  # fmt: skip
    size = np.maximum(-low, high)
    units, bits = np.zeros((2, len(size))), (0, 0)
    if isinstance(node.theta, Quantized) and isinstance(node.b, Quantized):
        units = np.exp2([-p.frac_by_channel().astype(float) for p in (node.theta, node.b)])
        bits = (node.theta.bits, node.b.bits)
        lost = (found.driven.both * DROPPED[0] * units[0][:, None]
                + found.adapted.both * DROPPED[1] * units[1][:, None])  # fmt: skip
        size = size + lost
    sent, entering = node.bound(at)
    registers = (Register(what, size[:, k], units[k], bits[k])
                 for k, what in enumerate(("membrane", "adaptation")))  # fmt: skip
    return sent, (*entering, *registers)


def _times(factor: Reals, value: Reals) -> Reals:
    # silence stays silent, however long it is kept
    return np.multiply(factor, value, out=np.zeros(np.broadcast_shapes(factor.shape, value.shape)),
                       where=(factor != 0) & (value != 0))  # fmt: skip
