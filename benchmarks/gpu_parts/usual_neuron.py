"""A Triton neuron of the usual kind, for scale: one kernel for the neuron, time unrolled.

As libraries of spiking networks write it: input and spikes in full precision, every membrane stored
for the backward pass, as many copies of the step in the code as there are steps. Hard reset and the
triangle surrogate, in units of the threshold.
"""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

LONGEST = 32  # steps; the code grows with them


@triton.jit
def _forward(y, s, v, count, tau, T: tl.constexpr, SIZE: tl.constexpr):
    at = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    there = at < count
    u = tl.zeros([SIZE], tl.float32)
    for t in tl.static_range(T):
        before = tau * u + tl.load(y + t * count + at, mask=there, other=0.0)
        fired = before >= 1.0
        tl.store(s + t * count + at, fired.to(tl.float32), mask=there)
        tl.store(v + t * count + at, before, mask=there)
        u = tl.where(fired, 0.0, before)


@triton.jit
def _backward(grad, v, out, count, tau, T: tl.constexpr, SIZE: tl.constexpr):
    at = tl.program_id(0) * SIZE + tl.arange(0, SIZE)
    there = at < count
    after = tl.zeros([SIZE], tl.float32)
    for k in tl.static_range(T):
        t = T - 1 - k
        before = tl.load(v + t * count + at, mask=there, other=0.0)
        fired = (before >= 1.0).to(tl.float32)
        slope = tl.maximum(0.0, 1.0 - tl.abs(before - 1.0))
        at_spike = (tl.load(grad + t * count + at, mask=there, other=0.0) - after * before) * slope
        g = at_spike + after * (1.0 - fired)
        tl.store(out + t * count + at, g, mask=there)
        after = tau * g


class UsualNeuron(torch.autograd.Function):
    """Spikes of y, shape (T, count), T at most `LONGEST`."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, tau: float) -> Tensor:
        """Return the spikes; keep the membranes."""
        steps, count = y.shape
        s, v = torch.empty_like(y), torch.empty_like(y)
        _forward[(triton.cdiv(count, 256),)](y, s, v, count, tau, steps, 256)
        ctx.save_for_backward(v)
        ctx.tau = tau
        return s

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        """Return the gradient of y."""
        (v,) = ctx.saved_tensors
        steps, count = v.shape
        out = torch.empty_like(v)
        grid = (triton.cdiv(count, 256),)
        _backward[grid](grads[0].contiguous(), v, out, count, ctx.tau, steps, 256)
        return out, None
