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
from neurossm_models.config import (
    FAST_SIGMOID_SLOPE,
    GAUSSIAN_SCALE,
    GAUSSIAN_SIGMA,
    GAUSSIAN_WEIGHT,
    SURROGATES,
)
from neurossm_models.layers import check_features, check_step


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


def double_gaussian(v: Tensor) -> Tensor:
    """Return ``((1 + h) N(v; sigma) - 2 h N(v; s sigma)) / 2``, below zero far from the threshold.

    N is the normal density around 0; h = 0.15, sigma = 0.5, s = 6. Source: the balanced
    resonate-and-fire neuron (Higuchi et al., arXiv 2402.14603) and its code.
    """
    narrow, wide = _normal(v, GAUSSIAN_SIGMA), _normal(v, GAUSSIAN_SCALE * GAUSSIAN_SIGMA)
    return narrow.mul_(1 + GAUSSIAN_WEIGHT).sub_(wide, alpha=2 * GAUSSIAN_WEIGHT).mul_(0.5)


def multi_gaussian(v: Tensor) -> Tensor:
    """Return ``((1 + h) N(v; sigma) - h N(v - sigma; s sigma) - h N(v + sigma; s sigma)) / 2``.

    N, h, sigma and s as of `double_gaussian`. Source: Yin, Corradi, Bohte, "Accurate and efficient
    time-domain classification with adaptive spiking recurrent neural networks", 2021.
    """
    narrow = _normal(v, GAUSSIAN_SIGMA).mul_(1 + GAUSSIAN_WEIGHT)
    for side in (v - GAUSSIAN_SIGMA, v + GAUSSIAN_SIGMA):
        narrow.sub_(_normal(side, GAUSSIAN_SCALE * GAUSSIAN_SIGMA), alpha=GAUSSIAN_WEIGHT)
    return narrow.mul_(0.5)


def _normal(v: Tensor, sigma: float) -> Tensor:
    peak = 1 / (sigma * math.sqrt(2 * math.pi))
    return (v / sigma).square_().mul_(-0.5).exp_().mul_(peak)


DERIVATIVES: dict[str, Callable[[Tensor], Tensor]] = {
    "arctan": arctan,
    "triangle": triangle,
    "fast_sigmoid": fast_sigmoid,
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
