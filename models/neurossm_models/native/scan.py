"""The recurrence from block to block of a diagonal state space model.

Shape letters: ``H`` features, ``B`` batch, ``K`` blocks, ``M`` complex modes; a state is stored as
M real parts, then M imaginary parts. All arrays are float32 and contiguous.

States and poles are one small flat array, and M is a constant of the compiled code: only so does
the compiler see that they do not overlap, and use vector instructions.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from neurossm.compiling import njit

_ZERO = np.float32(0)


@cache
def forward_kernel(modes):
    """Return ``run(x, pole)``, which replaces additions by the states before each block.

    ``x_0 = 0``, ``x_{k+1} = pole x_k + s_k``; x has shape (H, B, K, 2 M), pole (H, 2 M).
    """

    @njit(cache=True, nogil=True, fastmath={"contract"})
    def sweep(row, blocks, work):
        for k in range(blocks):
            for m in range(modes):
                re, im = work[m], work[modes + m]
                p_re, p_im = work[2 * modes + m], work[3 * modes + m]
                s_re, s_im = row[k * 2 * modes + m], row[k * 2 * modes + modes + m]
                row[k * 2 * modes + m], row[k * 2 * modes + modes + m] = re, im
                work[m] = p_re * re - p_im * im + s_re
                work[modes + m] = p_re * im + p_im * re + s_im

    @njit(cache=True, nogil=True)
    def run(x, pole):
        features, batch, blocks = x.shape[:3]
        for h in range(features):
            work = np.empty(4 * modes, np.float32)
            work[2 * modes :] = pole[h]
            for b in range(batch):
                work[: 2 * modes] = _ZERO
                sweep(x[h, b].ravel(), blocks, work)

    return run


@cache
def backward_kernel(modes):
    """Return ``run(grad, x, pole, grad_pole)``; x holds the states before each block.

    Replaces the gradients of the states by those of the additions: with g_k the gradient of x_k
    from block k alone, ``q_k = g_k + conj(pole) q_{k+1}``, and q_{k+1} is the gradient of s_k. Adds
    the gradient of the pole to grad_pole (H, 2 M), float64.
    """

    @njit(cache=True, nogil=True, fastmath={"contract"})
    def add_products(x, start, work):
        for m in range(modes):
            re, im = work[m], work[modes + m]
            x_re, x_im = x[start + m], x[start + modes + m]
            work[4 * modes + m] += x_re * re + x_im * im
            work[5 * modes + m] += x_re * im - x_im * re

    @njit(cache=True, nogil=True, fastmath={"contract"})
    def retreat(grad, start, work):
        for m in range(modes):
            re, im = work[m], work[modes + m]
            p_re, p_im = work[2 * modes + m], work[3 * modes + m]
            g_re, g_im = grad[start + m], grad[start + modes + m]
            grad[start + m], grad[start + modes + m] = re, im
            work[m] = p_re * re + p_im * im + g_re
            work[modes + m] = p_re * im - p_im * re + g_im

    @njit(cache=True, nogil=True)
    def sweep(grad, x, blocks, work):
        for k in range(blocks - 1, -1, -1):
            add_products(x, 2 * modes * k, work)
            retreat(grad, 2 * modes * k, work)

    @njit(cache=True, nogil=True)
    def run(grad, x, pole, grad_pole):
        features, batch, blocks = x.shape[:3]
        for h in range(features):
            work = np.empty(6 * modes, np.float32)
            work[2 * modes : 4 * modes] = pole[h]
            for b in range(batch):
                work[: 2 * modes] = _ZERO
                work[4 * modes :] = _ZERO
                sweep(grad[h, b].ravel(), x[h, b].ravel(), blocks, work)
                for m in range(2 * modes):
                    grad_pole[h, m] += work[4 * modes + m]

    return run
