"""What acts on features: the same map at every time step, in the layout (H, B, L).

Features come first, so that a map of features is one matrix product, a norm of a feature runs over
memory without gaps, and the state space kernels get each feature's sequences side by side.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


def mix(linear: nn.Linear, x: Tensor) -> Tensor:
    """Apply a Linear over the features of (H, B, L)."""
    return affine(x, linear.weight, linear.bias)


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Return ``weight x + bias`` over the features of (H, B, L)."""
    y = bias[:, None].addmm(weight, x.reshape(len(x), -1))
    return y.view(len(weight), *x.shape[1:])


def make_norm(kind: str, width: int) -> nn.Module:
    """Return a norm of features: ``"batch"``, ``"layer"`` or ``"none"``."""
    if kind == "batch":
        return nn.BatchNorm1d(width)
    return nn.LayerNorm(width) if kind == "layer" else nn.Identity()


def normalize(norm: nn.Module, x: Tensor) -> Tensor:
    """Apply a norm of features to (H, B, L)."""
    if isinstance(norm, nn.BatchNorm1d):
        y: Tensor = norm(x.reshape(1, len(x), -1))
        return y.view(x.shape)
    if isinstance(norm, nn.LayerNorm):
        y = norm(x.permute(1, 2, 0))
        return y.permute(2, 0, 1).contiguous()
    return x


def glu(x: Tensor) -> Tensor:
    """Return ``x1 * sigmoid(x2)`` for the two halves of the features."""
    return torch.nn.functional.glu(x, 0)
