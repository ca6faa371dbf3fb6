"""Causal convolution over time by FFT, with a backward pass of its own; the kernel of a recurrence.

Shape letters: ``B`` batch, ``H`` features, ``L`` time steps, ``M`` complex modes.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from neurossm_models.products import exact_product

_PART = 2**19  # values transformed at a time


class _FFTConvolution(torch.autograd.Function):
    """Keeps the spectra, so that the backward pass costs three transforms instead of five.

    A few features at a time: their spectra stay in the cache, and no block of memory is so large
    that the allocator returns it to the system after every step.
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, kernel: Tensor) -> Tensor:
        length = u.shape[-1]
        size = _transform_size(length)
        k_f = torch.fft.rfft(kernel, size)
        y = torch.empty_like(u)
        spectra = []
        for part, out, k_part in zip(_parts(u, u), _parts(y, u), _parts(k_f, u), strict=True):
            spectra.append(torch.fft.rfft(part, size))
            out.copy_(torch.fft.irfft(spectra[-1] * k_part[:, None], size)[..., :length])
        ctx.save_for_backward(k_f, *spectra)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        k_f, *spectra = ctx.saved_tensors
        length = grad.shape[-1]
        size = _transform_size(length)
        k_f = k_f.conj().resolve_conj()
        grad_u = torch.empty_like(grad)
        grad_k_f = torch.zeros_like(k_f)
        tensors = (grad, grad_u, k_f, grad_k_f)
        for u_f, *parts in zip(spectra, *(_parts(x, grad) for x in tensors), strict=True):
            part, out, k_part, sums = parts
            g_f = torch.fft.rfft(part, size)
            out.copy_(torch.fft.irfft(g_f * k_part[:, None], size)[..., :length])
            sums.copy_((g_f * u_f.conj().resolve_conj()).sum(1))
        return grad_u, torch.fft.irfft(grad_k_f, size)[..., :length]


def _parts(x: Tensor, like: Tensor) -> tuple[Tensor, ...]:
    """Split `x` along the features so that one part of `like` is small."""
    return torch.split(x, max(1, _PART // max(1, like[0].numel())))


def _transform_size(length: int) -> int:
    """Return the shortest fast transform that holds a linear convolution of `length`."""
    size = 2 * length - 1
    return min(f << (-(-size // f) - 1).bit_length() for f in (1, 3, 5, 9, 15, 25, 49))


def fft_convolve(u: Tensor, kernel: Tensor) -> Tensor:
    """Return the causal convolution over time of (H, B, L) with a kernel (H, L): (H, B, L)."""
    y: Tensor = _FFTConvolution.apply(u, kernel)  # type: ignore[no-untyped-call]
    return y


def response(log_pole: Tensor, weight: Tensor, length: int) -> Tensor:
    """Return ``K[l] = 2 Re sum_m w_m exp(l log_pole_m)`` for l < `length`, shape (H, L).

    Written ``l = r T + s`` with T about sqrt(L), the sum is one real product of two small tables of
    powers: H M (L/T + T) complex exponentials instead of H M L.

    Parameters
    ----------
    log_pole, weight
        Complex, shape (H, M).
    length
        Steps L.
    """
    columns = math.isqrt(length - 1) + 1
    rows = -(-length // columns)
    ticks = torch.arange(columns, dtype=log_pole.real.dtype, device=log_pole.device)
    fine = (log_pole[..., None] * ticks).exp()
    coarse = (log_pole[..., None] * (ticks[:rows] * columns)).exp() * (2 * weight)[..., None]
    left = torch.cat([coarse.real, -coarse.imag], dim=1)
    right = torch.cat([fine.real, fine.imag], dim=1)
    with torch.autocast(left.device.type, enabled=False):  # a kernel is no place to round
        return exact_product(left.mT, right).flatten(1)[:, :length]


def convolve(u: Tensor, log_pole: Tensor, weight: Tensor, d: Tensor) -> Tensor:
    """Return what a diagonal recurrence makes of (H, B, L), as a convolution: (H, B, L).

    Parameters
    ----------
    log_pole, weight, d
        As of `neurossm_models.recurrence.tables`.
    """
    length = u.shape[-1]
    # D is the response at lag 0, so it joins the kernel at no cost.
    kernel = response(log_pole, weight, length)
    return fft_convolve(u, kernel + nn.functional.pad(d[:, None], (0, length - 1)))
