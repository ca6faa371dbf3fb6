"""Mixing of features by a matrix, with or without a gate, a few sequences at a time.

As `neurossm_models.chain`, but for what treats each time step by itself. The product is kept for
the backward pass: writing and reading it takes a third of the time of computing it again.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``G`` rows of the matrix (H, or 2 H
with a gate).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import glu

from neurossm_models import kept
from neurossm_models.chain import parts_of, spread


class _Mixing(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, r: Tensor, s: Tensor, weight: Tensor, bias: Tensor, keep: Tensor
    ) -> Tensor:
        gated = len(weight) > len(s)
        out = torch.empty_like(r)

        def run(part: slice) -> Tensor | None:
            mixed = (weight @ _columns(s, keep, part)).add_(bias[:, None])
            added = glu(mixed, 0) if gated else mixed
            torch.add(r[:, part], added.view(len(s), -1, s.shape[-1]), out=out[:, part])
            return mixed if gated else None

        ctx.mixed = spread(run, parts_of(s, 1))
        kept.tell(ctx.mixed)
        ctx.save_for_backward(s, weight, keep)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        s, weight, keep = ctx.saved_tensors
        parts = parts_of(s, 1)
        products = dict(zip((part.start for part in parts), ctx.mixed, strict=True))
        grad_s = torch.empty_like(s)

        def run(part: slice) -> tuple[Tensor, Tensor]:
            g = grad[:, part].reshape(len(s), -1)
            if products[part.start] is not None:
                g = torch.ops.aten.glu_backward(g, products[part.start], 0)
            back = (weight.mT @ g).view(len(s), -1, s.shape[-1])
            torch.mul(back, keep[:, part, None], out=grad_s[:, part])
            return g @ _columns(s, keep, part).mT, g.sum(1)

        sums = spread(run, parts)
        grad_weight = torch.stack([one for one, _ in sums]).sum(0)
        return grad, grad_s, grad_weight, torch.stack([two for _, two in sums]).sum(0), None


def _columns(s: Tensor, keep: Tensor, part: slice) -> Tensor:
    return (s[:, part] * keep[:, part, None]).view(len(s), -1)


def add_mixed(r: Tensor, s: Tensor, weight: Tensor, bias: Tensor, keep: Tensor) -> Tensor:
    """Return ``r + W (s keep) + b``, or with 2 H rows ``r + (W1 s' + b1) * sigmoid(W2 s' + b2)``.

    Parameters
    ----------
    r, s
        Residual stream and spikes, shape (H, B, L), float32, on the CPU.
    weight, bias
        Shape (G, H) and (G,).
    keep
        Dropout: 0 or 1 / (1 - p) for each feature and sequence, shape (H, B).
    """
    mixed: Tensor = _Mixing.apply(r, s, weight, bias, keep)  # type: ignore[no-untyped-call]
    return mixed
