"""Operations with given values forward and their own derivatives backward.

Shape letters: ``I``, ``O`` features in and out, ``B`` batch, ``L`` time steps, ``K`` segments.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurossm_models.chain import Stage
from neurossm_models.layers import runs_natively
from neurossm_models.native.segments import scale_by_slope


class _Straight(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, value: Tensor) -> Tensor:
        return value.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


def straight(x: Tensor, value: Tensor) -> Tensor:
    """Return `value`, bit for bit; its derivative by x is 1."""
    y: Tensor = _Straight.apply(x, value.to(x.dtype))  # type: ignore[no-untyped-call]
    return y


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return value.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        x, weight = ctx.saved_tensors
        g = grad.reshape(len(grad), -1)
        back = (weight.mT @ g).view_as(x) if ctx.needs_input_grad[0] else None
        return back, g @ x.reshape(len(x), -1).mT, g.sum(1), None


def affine(x: Tensor, weight: Tensor, bias: Tensor, value: Tensor) -> Tensor:
    """Return `value` (O, B, L), differentiable as ``weight x + bias`` of x (I, B, L)."""
    y: Tensor = _Affine.apply(x, weight, bias, value)  # type: ignore[no-untyped-call]
    return y


class _Sum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, value: Tensor) -> Tensor:
        return value.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        return grad, grad, None


def add(a: Tensor, b: Tensor, value: Tensor) -> Tensor:
    """Return `value`, differentiable as ``a + b``."""
    y: Tensor = _Sum.apply(a, b, value)  # type: ignore[no-untyped-call]
    return y


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return value.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        a, b = ctx.saved_tensors
        return grad * b, grad * a, None


def multiply(a: Tensor, b: Tensor, value: Tensor) -> Tensor:
    """Return `value`, differentiable as ``a b``."""
    y: Tensor = _Product.apply(a, b, value)  # type: ignore[no-untyped-call]
    return y


class _Segments(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, knots: Tensor, slopes: Tensor, value: Tensor) -> Tensor:
        ctx.save_for_backward(x, knots, slopes)
        return value.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        x, knots, slopes = ctx.saved_tensors
        if not runs_natively(x):
            at = torch.bucketize(x, knots, right=True)
            return grad * slopes.to(grad.dtype)[at], None, None, None
        out = torch.empty_like(x, memory_format=torch.contiguous_format)
        g, z, y = (t.reshape(-1).numpy() for t in (grad, x, out))
        scale_by_slope(g, z, knots.numpy(), slopes.numpy(), y)
        return out, None, None, None


def segments(x: Tensor, knots: Tensor, slopes: Tensor, value: Tensor) -> Tensor:
    """Return `value`, differentiable as the straight segments that the integers run.

    Parameters
    ----------
    x
        Any shape.
    knots, slopes
        Shape (K - 1,) and (K,).
    value
        Shape of x.
    """
    y: Tensor = _Segments.apply(x, knots, slopes, value)  # type: ignore[no-untyped-call]
    return y


class Given(Stage):
    """A stage of a chain that adds a constant signal and takes its value from elsewhere.

    Parameters
    ----------
    values
        Shape (H, B, L), contiguous.
    constant
        What is added to every sequence, shape (H, L), for its derivative.
    """

    def __init__(self, values: Tensor, constant: Tensor) -> None:
        self.values, self.parameters = values, (constant,)

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the given values."""
        y.copy_(self.values[part])

    def output(self, part: slice, x: Tensor, kept: Any) -> Tensor:
        """Return the given values."""
        return self.values[part]

    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient unchanged."""
        grads[0][part] = grad.sum(1)
        out.copy_(grad)
