"""Readouts: how one prediction is made of the decoder's outputs over time.

With ``x_t`` the decoder's output at step t of T, a sequence's own last one:

===========  ======================================================
mean         ``(x_1 + ... + x_T) / T``
sum          ``x_1 + ... + x_T``
last         ``x_T``
max          the largest ``x_t`` of each channel
leaky        ``y_T`` of ``y_t = leak y_{t-1} + (1 - leak) x_t``
every-step   every ``x_t``: an answer at each step
===========  ======================================================

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``C`` channels of an answer.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurossm_models.config import EVERY_STEP, LAST, LEAKY, MAX, MEAN, SUM
from neurossm_models.layers import mix


def answer(kind: str, leak: float, r: Tensor, lengths: Tensor | None, decoder: nn.Linear) -> Tensor:
    """Return the answers to sequences.

    Parameters
    ----------
    kind, leak
        Readout and its leak.
    r
        What goes into the decoder, (H, B, L).
    lengths
        Steps of each sequence that count, (B,); None: all.
    decoder
        From H to C features.

    Returns
    -------
    Tensor
        Shape (B, C); (B, L, C) at every step.
    """
    if kind == EVERY_STEP:
        return mix(decoder, r).permute(1, 2, 0)
    if kind == MAX:
        return _masked(mix(decoder, r), lengths, -torch.inf).amax(-1).T
    if kind == LAST:
        return _called(decoder, _last(r, lengths))
    if kind == LEAKY:
        weights = leak_weights(leak, r, lengths)
        own = decoder.bias if decoder.bias is not None else 0.0
        # the decoder is affine and the weights do not add up to 1
        return _called(decoder, (r * weights).sum(-1).T) + (weights.sum(-1, keepdim=True) - 1) * own
    # The decoder is affine, so the mean may be taken before it: L times less work.
    means = _called(decoder, mean(r, lengths))
    if kind == MEAN:
        return means
    assert kind == SUM
    return means * (r.shape[-1] if lengths is None else lengths[:, None])


def at_each_step(kind: str, leak: float, x: Tensor) -> Tensor:
    """Return the answers as if sequences ended at each step, (C, B, L) to (C, B, L)."""
    if kind == MEAN:
        return x.cumsum(-1) / torch.arange(1, x.shape[-1] + 1, dtype=x.dtype, device=x.device)
    if kind == SUM:
        return x.cumsum(-1)
    if kind == MAX:
        return x.cummax(-1).values
    if kind == LEAKY:
        carried, steps = torch.zeros_like(x[..., 0]), []
        for x_t in x.unbind(-1):
            carried = leak * carried + (1 - leak) * x_t
            steps.append(carried)
        return torch.stack(steps, -1)
    return x


def before_first(kind: str, like: Tensor) -> Tensor:
    """Return what is carried before the first step, (B, C)."""
    return torch.full_like(like, -torch.inf if kind == MAX else 0.0)


def carry(kind: str, leak: float, carried: Tensor, x: Tensor, steps: int) -> tuple[Tensor, Tensor]:
    """Return the answer after one more step, the `steps`-th, and what to carry on; each (B, C)."""
    if kind == LEAKY:
        carried = leak * carried + (1 - leak) * x
    elif kind == MAX:
        carried = torch.maximum(carried, x)
    else:
        carried = carried + x if kind in (MEAN, SUM) else x
    return (carried / steps if kind == MEAN else carried), carried


def mean(r: Tensor, lengths: Tensor | None) -> Tensor:
    """Return the mean over time of (H, B, L), or over the first steps of each: (B, H)."""
    if lengths is None:
        return r.mean(-1).T
    inside = torch.arange(r.shape[-1], device=r.device) < lengths[:, None]
    return ((r * inside).sum(-1) / lengths).T


def leak_weights(leak: float, r: Tensor, lengths: Tensor | None) -> Tensor:
    """Return what each step counts in the readout ``leaky``, (1 or B, L)."""
    ends = lengths[:, None] if lengths is not None else torch.tensor([[r.shape[-1]]]).to(r.device)
    ago = ends - 1 - torch.arange(r.shape[-1], device=r.device)
    return torch.where(ago >= 0, (1 - leak) * leak ** ago.clamp(min=0), 0).to(r.dtype)


def _called(decoder: nn.Linear, x: Tensor) -> Tensor:
    y: Tensor = decoder(x)
    return y


def _last(r: Tensor, lengths: Tensor | None) -> Tensor:
    if lengths is None:
        return r[..., -1].T
    return r[:, torch.arange(r.shape[1], device=r.device), lengths - 1].T


def _masked(x: Tensor, lengths: Tensor | None, value: float) -> Tensor:
    if lengths is None:
        return x
    inside = torch.arange(x.shape[-1], device=x.device) < lengths[:, None]
    return x.where(inside, value)
