"""Norm, diagonal recurrence and neuron of a layer in one kernel, backward; Triton.

Shape letters as in `neurossm_models.gpu.kernels.layer_forward`; ``P`` programs. A program goes from
the last segment to the first: it runs the recurrence of a segment again from its edge and puts the
states before its blocks down in memory of its own (``room``), which stays in the cache; then it
goes back block by block, the neuron first.
"""

from __future__ import annotations

import triton
import triton.language as tl

from neurossm_models.gpu.kernels.neuron import load_state
from neurossm_models.gpu.kernels.neuron_steps import step_back
from neurossm_models.gpu.kernels.recurrence import (
    drive_of,
    go_back,
    go_on,
    load_pole,
    load_tables,
    respond,
)


@triton.jit
def backward(x, grad, grad_drive, room, lines, edges, bits, membranes, traces,
             center, factor, offset, inner, write, read, pole, theta, tau, rho, kappa,
             grad_inner, grad_write, grad_read, grad_pole, sums,
             batch, length, blocks, segments, modes,
             NORM: tl.constexpr, NEURON: tl.constexpr,
             REFRACTORY: tl.constexpr, RESET: tl.constexpr, SURROGATE: tl.constexpr,
             PRODUCTS: tl.constexpr, ROWS: tl.constexpr, STEPS: tl.constexpr,
             MODES: tl.constexpr, SEGMENT: tl.constexpr, LINES: tl.constexpr):  # fmt: skip
    """Write the gradient of the drive, the input behind the norm, and sums for the parameters.

    ``grad`` is that of the output, (H, B, L); ``grad_inner`` (P, STEPS, STEPS), ``grad_write``
    (P, STEPS, N), ``grad_read`` (P, N, STEPS) and ``grad_pole`` (P, N) receive a program's part of
    the gradients of the tables; ``sums`` (6, H B) those of theta, tau, rho, kappa, then the sums of
    the drive's gradient and of its product with ``x - center``. ``room`` is (P, SEGMENT, 2, ROWS,
    MODES), ``lines`` (P, LINES, STEPS, ROWS), for the neuron's steps.
    """
    h = tl.program_id(0)
    p = h.to(tl.int64) * tl.num_programs(1) + tl.program_id(1)
    b = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    live = b < batch
    row = h.to(tl.int64) * batch + b
    columns, m = tl.arange(0, STEPS), tl.arange(0, MODES)
    stored = live[:, None] & (m < modes)[None, :]
    d, write_re, write_im, read_re, read_im = load_tables(
        inner, write, read, h, modes, STEPS, MODES
    )
    pole_re, pole_im = load_pole(pole, h, modes, MODES)
    mean, gain, shift = 0.0, 1.0, 0.0
    if NORM:
        mean, gain, shift = tl.load(center + h), tl.load(factor + h), tl.load(offset + h)
    cell = (tl.arange(0, ROWS)[:, None] * MODES) + m[None, :]
    room += p * (SEGMENT * 2 * ROWS * MODES)
    lines += p * (LINES * STEPS * ROWS)
    q_re = tl.zeros((ROWS, MODES), tl.float32)  # gradient of the state behind the block at hand
    q_im = tl.zeros((ROWS, MODES), tl.float32)
    to_inner = tl.zeros((STEPS, STEPS), tl.float32)
    to_write_re = tl.zeros((STEPS, MODES), tl.float32)
    to_write_im = tl.zeros((STEPS, MODES), tl.float32)
    to_read_re = tl.zeros((MODES, STEPS), tl.float32)
    to_read_im = tl.zeros((MODES, STEPS), tl.float32)
    to_pole_re = tl.zeros((MODES,), tl.float32)
    to_pole_im = tl.zeros((MODES,), tl.float32)
    au = tl.zeros((ROWS,), tl.float32)
    ar = tl.zeros((ROWS,), tl.float32)
    av = tl.zeros((ROWS,), tl.float32)
    sums_theta = tl.zeros((ROWS,), tl.float32)
    sums_tau = tl.zeros((ROWS,), tl.float32)
    sums_rho = tl.zeros((ROWS,), tl.float32)
    sums_kappa = tl.zeros((ROWS,), tl.float32)
    sums_drive = tl.zeros((ROWS,), tl.float32)
    sums_product = tl.zeros((ROWS,), tl.float32)
    for j in range(0, segments):
        segment = segments - 1 - j
        count = tl.minimum(blocks - segment * SEGMENT, SEGMENT)
        edge = (row[:, None] * segments + segment) * (2 * modes) + m[None, :]
        re = tl.load(edges + edge, stored, other=0.0)
        im = tl.load(edges + edge + modes, stored, other=0.0)
        tl.debug_barrier()  # the segment before has read its states
        for i in range(0, count):
            state = room + i * (2 * ROWS * MODES) + cell
            tl.store(state, re)
            tl.store(state + ROWS * MODES, im)
            t = (segment * SEGMENT + i) * STEPS + columns
            inside = live[:, None] & (t < length)[None, :]
            places = row[:, None] * length + t[None, :]
            drive, _ = drive_of(x, places, inside, mean, gain, shift, NORM)
            re, im = go_on(drive, re, im, write_re, write_im, pole_re, pole_im, PRODUCTS)
        tl.debug_barrier()  # all states of this segment are there
        for i in range(0, count):
            k = segment * SEGMENT + count - 1 - i
            t = k * STEPS + columns
            inside = live[:, None] & (t < length)[None, :]
            places = row[:, None] * length + t[None, :]
            drive, centered = drive_of(x, places, inside, mean, gain, shift, NORM)
            g = tl.load(grad + places, inside, other=0.0).to(tl.float32)
            state = room + (count - 1 - i) * (2 * ROWS * MODES) + cell
            re = tl.load(state)
            im = tl.load(state + ROWS * MODES)
            if NEURON:
                limit, leak = tl.load(theta + h), tl.load(tau + h)
                decay, jump = tl.load(rho + h), tl.load(kappa + h)
                y = tl.div_rn(respond(drive, re, im, d, read_re, read_im, PRODUCTS), limit)
                y = tl.where(inside, y, 0.0)
                words = tl.load(bits + row * blocks + k, live, other=0)
                u, r, s = load_state(membranes, traces, bits, row, live, k, blocks, REFRACTORY)
                g, au, ar, av, sums_tau, sums_rho, sums_kappa = step_back(
                    y, g, lines, k % 2, words, length - k * STEPS, u, r, s, au, ar, av,
                    sums_tau, sums_rho, sums_kappa, leak, decay, jump, columns,
                    REFRACTORY, RESET, SURROGATE, ROWS, STEPS,
                )  # fmt: skip
                g = g / limit
                sums_theta -= tl.sum(g * y, 1)
            turned = tl.trans(drive)
            to_inner = tl.dot(turned, g, to_inner, input_precision=PRODUCTS)
            to_write_re = tl.dot(turned, q_re, to_write_re, input_precision=PRODUCTS)
            to_write_im = tl.dot(turned, q_im, to_write_im, input_precision=PRODUCTS)
            to_read_re = tl.dot(tl.trans(re), g, to_read_re, input_precision=PRODUCTS)
            to_read_im = tl.dot(tl.trans(im), g, to_read_im, input_precision=PRODUCTS)
            to_pole_re += tl.sum(re * q_re + im * q_im, 0)
            to_pole_im += tl.sum(re * q_im - im * q_re, 0)
            back = tl.dot(g, tl.trans(d), input_precision=PRODUCTS)
            back = tl.dot(q_re, tl.trans(write_re), back, input_precision=PRODUCTS)
            back = tl.dot(q_im, tl.trans(write_im), back, input_precision=PRODUCTS)
            q_re, q_im = go_back(g, q_re, q_im, read_re, read_im, pole_re, pole_im, PRODUCTS)
            if NORM:
                sums_drive += tl.sum(tl.where(inside, back, 0.0), 1)
                sums_product += tl.sum(back * centered, 1)
            tl.store(grad_drive + places, back.to(grad_drive.dtype.element_ty), inside)
    a = tl.arange(0, STEPS)
    n = 2 * modes
    wide, high = (m < modes)[None, :], (m < modes)[:, None]
    at = (p * STEPS + a[:, None]) * n + m[None, :]
    from_at = (p * n + m[:, None]) * STEPS + a[None, :]
    tl.store(grad_inner + (p * STEPS + a[:, None]) * STEPS + a[None, :], to_inner)
    tl.store(grad_write + at, to_write_re, wide)
    tl.store(grad_write + at + modes, to_write_im, wide)
    tl.store(grad_read + from_at, to_read_re, high)
    tl.store(grad_read + from_at + modes * STEPS, to_read_im, high)
    tl.store(grad_pole + p * n + m, to_pole_re, m < modes)
    tl.store(grad_pole + p * n + modes + m, to_pole_im, m < modes)
    total = tl.num_programs(0).to(tl.int64) * batch
    tl.store(sums + row, sums_theta, live)
    tl.store(sums + total + row, sums_tau, live)
    tl.store(sums + 2 * total + row, sums_rho, live)
    tl.store(sums + 3 * total + row, sums_kappa, live)
    tl.store(sums + 4 * total + row, sums_drive, live)
    tl.store(sums + 5 * total + row, sums_product, live)
