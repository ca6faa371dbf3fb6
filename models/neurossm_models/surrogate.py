"""The spike: a Heaviside step forward, a smooth stand-in for its derivative backward."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable


class _Heaviside(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, v: Tensor) -> Tensor:
        ctx.save_for_backward(v)
        return (v >= 0).to(v.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        v: Tensor = ctx.saved_tensors[0]
        # In place from the second operation on: this runs over the largest tensors there are.
        return (math.pi * v).square_().add_(1).reciprocal_().mul_(grad)


def heaviside(v: Tensor) -> Tensor:
    """Return 1 where ``v >= 0`` and 0 elsewhere, with the arctan surrogate as its derivative.

    The derivative used backward is ``1 / (1 + (pi v)^2)``, that of ``arctan(pi v) / pi``: the
    arctan surrogate which Stan and Rhodes (2024) compare with the fast sigmoid.

    Parameters
    ----------
    v
        Distance to the threshold, any shape.

    Returns
    -------
    Tensor
        0 or 1, shape and type of `v`.
    """
    spikes: Tensor = _Heaviside.apply(v)  # type: ignore[no-untyped-call]
    return spikes


class Spike(nn.Module):
    """Spikes of each feature against its own trainable threshold: ``s = 1[v >= theta]``.

    Parameters
    ----------
    width
        Number of features H.
    threshold
        Initial value of every threshold, in units of `v`.
    """

    def __init__(self, width: int, threshold: float = 1.0) -> None:
        super().__init__()
        self.theta = nn.Parameter(torch.full((width,), float(threshold)))

    def forward(self, v: Tensor) -> Tensor:
        """Return 0 or 1 for every value of `v`, shape (B, H, L) or (B, H)."""
        theta = self.theta if v.ndim == 2 else self.theta[:, None]
        return heaviside(v - theta)
