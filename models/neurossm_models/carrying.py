"""A diagonal recurrence that starts from a state: what the state adds, and the state at the end.

Over L steps with state x before the first::

    y_t = (what the sequence alone gives) + 2 Re(sum_m c_m abar_m^{t+1} x_m)        t = 0 .. L - 1
    x_L = abar^L x + sum_t abar^{L-1-t} bbar u_t

Steps are taken in blocks of about sqrt(L), so that both are products of small tables, without a
loop and without L powers of each pole.

Shape letters: ``B`` batch, ``H`` features, ``L`` time steps, ``M`` complex modes a feature, ``T``
steps of a block, ``K`` blocks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


def decayed(log_abar: Tensor, c: Tensor, x: Tensor, length: int) -> Tensor:
    """Return what a state adds to the outputs of the next steps, (H, B, L).

    Parameters
    ----------
    log_abar, c
        Complex128 and complex, (H, M).
    x
        State, complex, (B, H, M).
    length
        Steps L.
    """
    size, blocks = _blocks(length)
    steps = _powers(log_abar, torch.arange(1, size + 1), x)  # (H, M, T)
    starts = _powers(log_abar, torch.arange(blocks) * size, x)  # (H, M, K)
    weights = (c * x).permute(1, 0, 2)[:, :, None] * starts.mT[:, None]  # (H, B, K, M)
    left = torch.cat([weights.real, -weights.imag], -1).flatten(1, 2)
    right = torch.cat([steps.real, steps.imag], 1)
    return 2 * torch.bmm(left, right).view(x.shape[1], len(x), -1)[..., :length]


def advanced(log_abar: Tensor, bbar: Tensor, u: Tensor, x: Tensor) -> Tensor:
    """Return the state behind a sequence, (B, H, M).

    Parameters
    ----------
    log_abar, bbar
        Complex128, (H, M).
    u
        Inputs, (H, B, L).
    x
        State before them, complex, (B, H, M).
    """
    features, batch, length = u.shape
    size, blocks = _blocks(length)
    ago = nn.functional.pad(u.flip(-1), (0, size * blocks - length))
    ago = ago.reshape(features, batch * blocks, size)
    steps = _powers(log_abar, torch.arange(size), x)  # (H, M, T)
    sums = torch.complex(torch.bmm(ago, steps.real.mT), torch.bmm(ago, steps.imag.mT))
    starts = _powers(log_abar, torch.arange(blocks) * size, x)  # (H, M, K)
    driven = (sums.view(features, batch, blocks, -1) * starts.mT[:, None]).sum(2)
    kept = _powers(log_abar, torch.tensor([length]), x)[..., 0]
    return kept * x + bbar.to(x.dtype) * driven.transpose(0, 1)


def _blocks(length: int) -> tuple[int, int]:
    """Return steps of a block and number of blocks."""
    size = math.isqrt(length - 1) + 1
    return size, -(-length // size)


def _powers(log_abar: Tensor, exponents: Tensor, like: Tensor) -> Tensor:
    """Return powers of the poles, (H, M, n), computed in double precision."""
    return (log_abar[..., None] * exponents.to(log_abar.device)).exp().to(like.dtype)
