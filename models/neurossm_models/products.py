"""Matrix products of float32 on GPUs: exact, or with operands rounded to TF32.

TF32 keeps 11 of the 24 bits of a factor and sums in float32, on the tensor cores of NVIDIA GPUs
since Ampere. PyTorch switches it for the whole process: `float32_products` does so for a while, and
`exact_product` is out of its reach.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

HIGHEST: Final = "highest"  # PyTorch's names: float32,
HIGH: Final = "high"  # and TF32


@contextmanager
def float32_products(precision: Literal["highest", "high"]) -> Iterator[None]:
    """Compute products and convolutions of float32 so while the block runs, backward passes too.

    Parameters
    ----------
    precision
        As of `torch.set_float32_matmul_precision`: ``"highest"``, or ``"high"`` for TF32. PyTorch's
        own default is ``"highest"`` for products and TF32 for the convolutions of cuDNN.
    """
    put_back = _settings()
    try:
        torch.set_float32_matmul_precision(precision)
        torch.backends.cudnn.allow_tf32 = precision == HIGH
        yield
    finally:
        put_back()


def exact_product(left: Tensor, right: Tensor) -> Tensor:
    """Return ``left @ right`` in full precision, forward and backward, (..., M, K) by (..., K, N).

    On the CPU it is the plain product.
    """
    if left.device.type == "cpu":
        return left @ right
    product: Tensor = _Exact.apply(left, right)  # type: ignore[no-untyped-call]
    return product


class _Exact(torch.autograd.Function):
    """A product of its own, because the backward pass runs long after the forward one."""

    @staticmethod
    def forward(ctx: Any, left: Tensor, right: Tensor) -> Tensor:
        ctx.save_for_backward(left, right)
        with float32_products(HIGHEST):
            return left @ right

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        left, right = ctx.saved_tensors
        with float32_products(HIGHEST):
            return grad @ right.mT, left.mT @ grad


def _settings() -> Callable[[], None]:
    """Return what puts PyTorch's settings back as they are now."""
    matmul: Any = torch.backends.cuda.matmul
    cudnn: Any = torch.backends.cudnn  # whose parts have types from PyTorch 2.9 on only
    try:
        products, convolutions = torch.get_float32_matmul_precision(), cudnn.allow_tf32
    except RuntimeError:  # set by the names of PyTorch 2.9; the older ones cannot be read then
        parts = [matmul, cudnn.conv, cudnn.rnn]
        before = [part.fp32_precision for part in parts]

        def put_back() -> None:
            for part, value in zip(parts, before, strict=True):
                part.fp32_precision = value

        return put_back

    def put_back_both() -> None:
        torch.set_float32_matmul_precision(products)
        cudnn.allow_tf32 = convolutions

    return put_back_both
