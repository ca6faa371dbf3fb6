"""Norm, diagonal recurrence and neuron of a layer in one kernel, forward; Triton.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``K`` blocks of ``STEPS`` steps, ``J``
segments of ``SEGMENT`` blocks, ``N`` real states. A program owns one feature of ``ROWS`` sequences,
keeps the tables of the feature and walks along the sequences. Arrays are contiguous.
"""

from __future__ import annotations

import triton
import triton.language as tl

from neurossm_models.gpu.kernels.neuron_steps import put_down, run_block, spikes_of
from neurossm_models.gpu.kernels.recurrence import drive_of, go_on, load_pole, load_tables, respond


@triton.jit
def forward(x, out, lines, edges, bits, membranes, traces,
            center, factor, offset, inner, write, read, pole, theta, tau, rho, kappa,
            batch, length, blocks, segments, modes,
            NORM: tl.constexpr, NEURON: tl.constexpr,
            REFRACTORY: tl.constexpr, RESET: tl.constexpr, PRODUCTS: tl.constexpr,
            ROWS: tl.constexpr, STEPS: tl.constexpr, MODES: tl.constexpr,
            SEGMENT: tl.constexpr, LINES: tl.constexpr):  # fmt: skip
    """Write the outputs of the recurrence, or of the neuron behind it, for x (H, B, L).

    With a norm the input is ``(x - center) factor + offset``, each (H,). For the backward pass:
    ``edges`` (H B, J, N), the state before each segment; of a neuron ``bits`` (H B, K), its spikes,
    and ``membranes`` and ``traces`` (H B, K), its state before each block. ``lines``,
    (P, LINES, STEPS, ROWS) of P programs, is for the neuron's steps.
    """
    h = tl.program_id(0)
    b = tl.program_id(1) * ROWS + tl.arange(0, ROWS)
    live = b < batch
    row = h.to(tl.int64) * batch + b
    columns, m = tl.arange(0, STEPS), tl.arange(0, MODES)
    lines += (h.to(tl.int64) * tl.num_programs(1) + tl.program_id(1)) * (LINES * STEPS * ROWS)
    stored = live[:, None] & (m < modes)[None, :]
    d, write_re, write_im, read_re, read_im = load_tables(
        inner, write, read, h, modes, STEPS, MODES
    )
    pole_re, pole_im = load_pole(pole, h, modes, MODES)
    mean, gain, shift = 0.0, 1.0, 0.0
    if NORM:
        mean, gain, shift = tl.load(center + h), tl.load(factor + h), tl.load(offset + h)
    re = tl.zeros((ROWS, MODES), tl.float32)
    im = tl.zeros((ROWS, MODES), tl.float32)
    u = tl.zeros((ROWS,), tl.float32)
    r = tl.zeros((ROWS,), tl.float32)
    s = tl.zeros((ROWS,), tl.float32)
    for k in range(0, blocks):
        if k % SEGMENT == 0:
            edge = (row[:, None] * segments + k // SEGMENT) * (2 * modes) + m[None, :]
            tl.store(edges + edge, re, stored)
            tl.store(edges + edge + modes, im, stored)
        t = k * STEPS + columns
        inside = live[:, None] & (t < length)[None, :]
        places = row[:, None] * length + t[None, :]
        drive, _ = drive_of(x, places, inside, mean, gain, shift, NORM)
        y = respond(drive, re, im, d, read_re, read_im, PRODUCTS)
        re, im = go_on(drive, re, im, write_re, write_im, pole_re, pole_im, PRODUCTS)
        if NEURON:
            tl.store(membranes + row * blocks + k, u, live)
            if REFRACTORY:
                tl.store(traces + row * blocks + k, r, live)
            line = lines + (k % 2) * (STEPS * ROWS)  # threads may still read those of before
            put_down(line, tl.div_rn(y, tl.load(theta + h)), columns, ROWS)
            tl.debug_barrier()
            words, u, r, s = run_block(
                line, u, r, s, tl.load(tau + h), tl.load(rho + h), tl.load(kappa + h),
                REFRACTORY, RESET, ROWS, STEPS,
            )  # fmt: skip
            tl.store(bits + row * blocks + k, words, live)
            y = spikes_of(words, columns)
        tl.store(out + places, y.to(out.dtype.element_ty), inside)
