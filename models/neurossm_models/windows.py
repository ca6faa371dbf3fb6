"""Windows of lags: how a delay that is trained spreads a spike over neighboring time steps.

A delay of whole steps has no gradient. While training, a spike arrives at several steps, weighted
by a window around the delay that narrows from epoch to epoch; what is evaluated and deployed has
whole delays.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor

Window = Literal["triangle", "gauss"]
WINDOWS = get_args(Window)
NARROWEST = 0.27  # of a Gaussian, in steps: what DCLS adds to its width


def triangle(distance: Tensor, sigma: Tensor | float) -> Tensor:
    """Return ``max(0, 1 + sigma - |distance|) / (1 + sigma)^2``, at sigma 0 linear interpolation.

    Source: DelRec, arXiv 2509.24852 (alexmaxad/DelRec e427881, src/recurrent_neurons.py); at sigma
    0 version "v1" of DCLS.
    """
    half = 1 + sigma
    return (half - distance.abs()).clamp(min=0) / (half * half)


def gauss(distance: Tensor, sigma: Tensor | float) -> Tensor:
    """Return ``exp(-(distance / (sigma + 0.27))^2 / 2)``, divided by its sum over the last axis.

    Source: DCLS, arXiv 2306.17670 (Thvnvtos/SNN-delays d169b4e), version "gauss".
    """
    scaled = (distance / (sigma + NARROWEST)).square()
    return torch.softmax(-0.5 * scaled, -1)  # far from all lags the sum alone would be 0


def spread(kind: str, lags: Tensor, delay: Tensor, sigma: Tensor | float) -> Tensor:
    """Return the weight of each lag, (..., K), for delays of any shape.

    Parameters
    ----------
    kind
        ``"triangle"`` or ``"gauss"``.
    lags
        Whole numbers of steps, (K,).
    delay
        Steps, differentiable.
    sigma
        Width; a number, or of the shape of delay.
    """
    distance = lags - delay[..., None]
    width = sigma[..., None] if isinstance(sigma, Tensor) else sigma
    return triangle(distance, width) if kind == "triangle" else gauss(distance, width)


def whole(delay: Tensor, lags: Tensor) -> Tensor:
    """Return 1 at the lag that is the delay, rounded to even, and 0 elsewhere; as `spread`."""
    return (lags == delay.detach().round()[..., None]).to(delay.dtype)
