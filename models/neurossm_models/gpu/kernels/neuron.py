"""The neuron alone, forward and backward through time and reset; Triton.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``K`` blocks of ``STEPS`` steps. A
program owns ``ROWS`` of the H B rows and walks along them, a block at a time. Arrays are
contiguous; row i belongs to feature ``i // B``.
"""

from __future__ import annotations

import triton
import triton.language as tl

from neurossm_models.gpu.kernels.neuron_steps import (
    put_down,
    replay_block,
    run_block,
    spikes_of,
    step_back,
    words_of,
)


@triton.jit
def load_state(membranes, traces, bits, row, live, k, blocks, REFRACTORY: tl.constexpr):
    """Return membrane, trace and last spike of rows before block k, each (R,).

    The last spike is the highest bit of the block before.
    """
    u = tl.load(membranes + row * blocks + k, live, other=0.0)
    r = tl.zeros(u.shape, tl.float32)
    s = tl.zeros(u.shape, tl.float32)
    if REFRACTORY:
        r = tl.load(traces + row * blocks + k, live, other=0.0)
        before = tl.load(bits + row * blocks + k - 1, live & (k > 0), other=0)
        s = ((before >> 31) & 1).to(tl.float32)
    return u, r, s


@triton.jit
def forward(x, spikes, room, bits, membranes, traces, theta, tau, rho, kappa,
            rows, batch, length, blocks,
            REFRACTORY: tl.constexpr, RESET: tl.constexpr, GIVEN: tl.constexpr,
            ROWS: tl.constexpr, STEPS: tl.constexpr, LINES: tl.constexpr):  # fmt: skip
    """Write the spikes of x (H, B, L), 0 or 1, and what the backward pass needs.

    Spikes that are ``GIVEN`` are read, and the threshold is 1. ``bits`` (H B, K): the spikes as
    words; ``membranes`` and ``traces`` (H B, K): the state before each block.
    """
    rows_here = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    live = rows_here < rows
    h = rows_here // batch
    row = rows_here.to(tl.int64)
    limit = tl.load(theta + h, live, other=1.0)
    leak = tl.load(tau + h, live, other=0.0)
    decay = tl.load(rho + h, live, other=0.0)
    jump = tl.load(kappa + h, live, other=0.0)
    columns = tl.arange(0, STEPS)
    room += tl.program_id(0).to(tl.int64) * (LINES * STEPS * ROWS)
    u = tl.zeros((ROWS,), tl.float32)
    r = tl.zeros((ROWS,), tl.float32)
    s = tl.zeros((ROWS,), tl.float32)
    for k in range(0, blocks):
        tl.store(membranes + row * blocks + k, u, live)
        if REFRACTORY:
            tl.store(traces + row * blocks + k, r, live)
        t = k * STEPS + columns
        inside = live[:, None] & (t < length)[None, :]
        places = row[:, None] * length + t[None, :]
        y = tl.load(x + places, inside, other=0.0).to(tl.float32)
        if GIVEN:
            given = tl.load(spikes + places, inside, other=0.0)
            tl.store(bits + row * blocks + k, words_of(given, columns), live)
        else:
            y = tl.div_rn(y, limit[:, None])
        lines = room + (k % 2) * (STEPS * ROWS)  # threads may still read those of the block before
        put_down(lines, y, columns, ROWS)
        tl.debug_barrier()
        if GIVEN:
            words = tl.load(bits + row * blocks + k, live, other=0)  # on the threads of the state
            u, r, s = replay_block(
                lines, room + 3 * (STEPS * ROWS), words, STEPS, u, r, s, leak, decay, jump,
                REFRACTORY, RESET, ROWS, STEPS,
            )  # fmt: skip
        else:
            words, u, r, s = run_block(
                lines, u, r, s, leak, decay, jump, REFRACTORY, RESET, ROWS, STEPS
            )
            tl.store(bits + row * blocks + k, words, live)
            tl.store(spikes + places, spikes_of(words, columns).to(spikes.dtype.element_ty), inside)


@triton.jit
def backward(x, grad, grad_x, room, sums, bits, membranes, traces, theta, tau, rho, kappa,
             rows, batch, length, blocks,
             REFRACTORY: tl.constexpr, RESET: tl.constexpr, SURROGATE: tl.constexpr,
             ROWS: tl.constexpr, STEPS: tl.constexpr, LINES: tl.constexpr):  # fmt: skip
    """Write dL/dx for dL/ds, and the gradients of theta, tau, rho and kappa, ``sums`` (4, H B)."""
    rows_here = tl.program_id(0) * ROWS + tl.arange(0, ROWS)
    live = rows_here < rows
    h = rows_here // batch
    row = rows_here.to(tl.int64)
    limit = tl.load(theta + h, live, other=1.0)
    leak = tl.load(tau + h, live, other=0.0)
    decay = tl.load(rho + h, live, other=0.0)
    jump = tl.load(kappa + h, live, other=0.0)
    columns = tl.arange(0, STEPS)
    room += tl.program_id(0).to(tl.int64) * (LINES * STEPS * ROWS)
    au = tl.zeros((ROWS,), tl.float32)
    ar = tl.zeros((ROWS,), tl.float32)
    av = tl.zeros((ROWS,), tl.float32)
    sums_theta = tl.zeros((ROWS,), tl.float32)
    sums_tau = tl.zeros((ROWS,), tl.float32)
    sums_rho = tl.zeros((ROWS,), tl.float32)
    sums_kappa = tl.zeros((ROWS,), tl.float32)
    for i in range(0, blocks):
        k = blocks - 1 - i
        t = k * STEPS + columns
        inside = live[:, None] & (t < length)[None, :]
        places = row[:, None] * length + t[None, :]
        given = tl.load(x + places, inside, other=0.0).to(tl.float32)
        y = tl.where(inside, tl.div_rn(given, limit[:, None]), 0.0)
        g = tl.load(grad + places, inside, other=0.0).to(tl.float32)
        words = tl.load(bits + row * blocks + k, live, other=0)
        u, r, s = load_state(membranes, traces, bits, row, live, k, blocks, REFRACTORY)
        back, au, ar, av, sums_tau, sums_rho, sums_kappa = step_back(
            y, g, room, k % 2, words, length - k * STEPS, u, r, s, au, ar, av,
            sums_tau, sums_rho, sums_kappa, leak, decay, jump, columns,
            REFRACTORY, RESET, SURROGATE, ROWS, STEPS,
        )  # fmt: skip
        back = back / limit[:, None]
        sums_theta -= tl.sum(back * y, 1)
        tl.store(grad_x + places, back.to(grad_x.dtype.element_ty), inside)
    tl.store(sums + row, sums_theta, live)
    tl.store(sums + rows + row, sums_tau, live)
    tl.store(sums + 2 * rows + row, sums_rho, live)
    tl.store(sums + 3 * rows + row, sums_kappa, live)
