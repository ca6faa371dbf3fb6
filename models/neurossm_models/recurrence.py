"""The diagonal recurrence, block by block: matrix products inside a block, a loop between blocks.

Within a block of T steps a linear recurrence is three small matrix products, the same for every
sequence: the block's own convolution (T x T), the state's trace in its outputs (N x T), and the
block's addition to the state (T x N). Only the state at the block borders runs step by step. That
is ``2 T + 4 N`` floating-point operations a step and feature at the speed of a matrix product,
where the plain recurrence waits for its own last result, and memory for N / T states a step.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``K`` blocks of ``T`` steps, ``M``
complex modes, ``N = 2 M``.
"""

from __future__ import annotations

import torch
from torch import Tensor


def tables(log_pole: Tensor, weight: Tensor, d: Tensor, length: int) -> tuple[Tensor, ...]:
    """Return the matrices of a block for sequences of `length` steps.

    They are those of ``x_t = exp(log_pole) x_{t-1} + u_t`` and
    ``y_t = 2 Re sum_m w_m x_{t,m} + d u_t``.

    Parameters
    ----------
    log_pole, weight
        Complex, shape (H, M); `weight` is the product of input and output weights.
    d
        Shape (H,).
    length
        Steps L of the sequences; decides the block size T.

    Returns
    -------
    tuple of Tensor
        ``inner`` (H, T, T): inputs to outputs; ``write`` (H, T, N): inputs to the state behind the
        block; ``read`` (H, N, T): the state before the block to outputs; ``pole`` (H, N): the state
        before to the state behind.
    """
    return tables_of(log_pole, weight, d, block_size(length))


def tables_of(log_pole: Tensor, weight: Tensor, d: Tensor, size: int) -> tuple[Tensor, ...]:
    """Return the `tables` of blocks of `size` steps."""
    ticks = torch.arange(size + 1, dtype=log_pole.real.dtype, device=log_pole.device)
    powers = (log_pole[:, None, :] * ticks[:, None]).exp()  # (H, T + 1, M)
    inputs = powers[:, :size].flip(1)
    write = torch.cat([inputs.real, inputs.imag], -1)
    outputs = 2 * weight[:, None, :] * powers
    read = torch.cat([outputs[:, 1:].real, -outputs[:, 1:].imag], -1).mT.contiguous()
    kernel = outputs[:, :size].real.sum(-1)
    inner = _toeplitz(torch.cat([(kernel[:, 0] + d)[:, None], kernel[:, 1:]], 1))
    return inner, write, read, torch.cat([powers[:, size].real, powers[:, size].imag], -1)


def block_size(length: int) -> int:
    """Return a block size near 32, if possible a multiple of 8, that needs little padding."""
    if length <= 64:
        return length
    return min(range(24, 65), key=lambda size: (-length % size, size % 4 != 0, abs(size - 32)))


def _toeplitz(kernel: Tensor) -> Tensor:
    """Return ``(H, T, T)`` with ``[h, i, j] = kernel[h, j - i]``, 0 below the diagonal."""
    size = kernel.shape[1]
    ticks = torch.arange(size, device=kernel.device)
    lags = ticks[None, :] - ticks[:, None]
    return kernel[:, lags.clamp(min=0)] * (lags >= 0)
