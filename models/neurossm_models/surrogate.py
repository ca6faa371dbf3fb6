"""The spike: a Heaviside step forward, a smooth surrogate derivative backward."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurossm.arguments import whole
from neurossm_models.arguments import check_choice, check_number
from neurossm_models.config import SURROGATES
from neurossm_models.layers import check_features, check_step

FAST_SIGMOID_SLOPE = 25.0


def arctan(v: Tensor) -> Tensor:
    """Return ``1 / (1 + (pi v)^2)``, the derivative of ``arctan(pi v) / pi``.

    Compared with the fast sigmoid by Stan and Rhodes (2024).
    """
    return (math.pi * v).square_().add_(1).reciprocal_()


def triangle(v: Tensor) -> Tensor:
    """Return ``max(0, 1 - |v|)``, the surrogate of SpikingSSMs (arXiv 2408.14909)."""
    return v.abs().neg_().add_(1).clamp_(min=0)


def fast_sigmoid(v: Tensor) -> Tensor:
    """Return ``1 / (1 + 25 |v|)^2``; compared with arctan by Stan and Rhodes (2024)."""
    return v.abs().mul_(FAST_SIGMOID_SLOPE).add_(1).square_().reciprocal_()


def boxcar(v: Tensor) -> Tensor:
    """Return 1 where ``-1/2 < v <= 1/2`` and 0 elsewhere (DECOLLE, arXiv 1811.10766; SiLIF)."""
    return ((v > -0.5) & (v <= 0.5)).to(v.dtype)


def double_gaussian(v: Tensor) -> Tensor:
    """Return half of ``1.15 N(v; .5) - .3 N(v; 3)``, below zero far from the threshold.

    N is the normal density around 0 of that width. Source: the balanced resonate-and-fire neuron
    (Higuchi et al. 2024, arXiv 2402.14603) and its code.
    """
    square, unit = v.square(), 1 / math.sqrt(2 * math.pi)
    wide = (square / -18).exp_()
    return square.mul_(-2).exp_().mul_(1.15 * unit).sub_(wide, alpha=0.05 * unit)


def multi_gaussian(v: Tensor) -> Tensor:
    """Return ``1.15 g(v, 0, .5) - .15 (g(v, .5, 3) + g(v, -.5, 3))``, unnormalized Gaussians.

    Yin, Corradi, Bohte 2021 (arXiv 2103.12593) with h = .15, sigma = .5 and s = 6 (S5-RF).
    """
    sides = (v + 0.5).square_().div_(-18).exp_() + (v - 0.5).square_().div_(-18).exp_()
    return v.square().mul_(-2).exp_().mul_(1.15).sub_(sides, alpha=0.15)


DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "arctan": arctan,
    "triangle": triangle,
    "fast_sigmoid": fast_sigmoid,
    "boxcar": boxcar,
    "double_gaussian": double_gaussian,
    "multi_gaussian": multi_gaussian,
}


class _Heaviside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, surrogate: str) -> Tensor:
        ctx.save_for_backward(v)
        ctx.derivative = DERIVATIVES[surrogate]
        return (v >= 0).to(v.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        # In place from the second operation on: this runs over the largest tensors there are.
        return ctx.derivative(ctx.saved_tensors[0]).mul_(grad), None


def heaviside(v: Tensor, surrogate: str = "arctan") -> Tensor:
    """Return 1 where ``v >= 0`` and 0 elsewhere, with a surrogate as its derivative.

    Parameters
    ----------
    v
        Distance to the threshold, any shape.
    surrogate
        A key of `DERIVATIVES`.

    Returns
    -------
    Tensor
        0 or 1, shape and type of `v`.
    """
    check_choice("surrogate", surrogate, SURROGATES)
    spikes: Tensor = _Heaviside.apply(v, surrogate)  # type: ignore[no-untyped-call]
    return spikes


class _Given(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor, spikes: Tensor, surrogate: str) -> Tensor:
        ctx.save_for_backward(v)
        ctx.derivative = DERIVATIVES[surrogate]
        return spikes.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return ctx.derivative(ctx.saved_tensors[0]).mul_(grad), None, None


def given_spikes(v: Tensor, spikes: Tensor, surrogate: str) -> Tensor:
    """Return spikes that are given, with the derivative of `heaviside` by v."""
    given: Tensor = _Given.apply(v, spikes, surrogate)  # type: ignore[no-untyped-call]
    return given


class Spike(nn.Module):
    """Spikes of each feature against its own threshold: ``s = 1[v >= theta]``.

    Parameters
    ----------
    width
        Number of features H.
    threshold
        Initial value of every threshold, in units of `v`.
    surrogate
        Derivative used backward, a key of `DERIVATIVES`.
    train
        Whether thresholds are trained.
    """

    def __init__(
        self, width: int, threshold: float = 1.0, surrogate: str = "arctan", train: bool = True
    ) -> None:
        super().__init__()
        whole("Spike width", width, 1)
        check_number("Spike threshold", threshold, least=-math.inf)
        check_choice("Spike surrogate", surrogate, SURROGATES)
        theta = torch.full((width,), float(threshold))
        if train:
            self.theta: Tensor = nn.Parameter(theta)
        else:
            self.register_buffer("theta", theta)
        self.surrogate = surrogate

    def forward(self, v: Tensor) -> Tensor:
        """Return 0 or 1 for every value of `v`, shape (H, B, L)."""
        check_features("Spike input", v, len(self.theta))
        return heaviside(v - self.theta[:, None, None], self.surrogate)

    def step(self, v: Tensor) -> Tensor:
        """Return 0 or 1 for every value of `v`, one time step, shape (B, H)."""
        check_step("Spike input", v, len(self.theta))
        return heaviside(v - self.theta, self.surrogate)
