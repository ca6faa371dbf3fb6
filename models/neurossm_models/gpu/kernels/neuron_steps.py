"""What the kernels do with the neurons of a block of steps; Triton, called by kernels.

Shape letters: ``R`` rows (neurons) of a program, ``T`` steps of a block. A row's spikes of a block
are the bits of one integer, the first step in the lowest one.

The membrane needs one step after the other of a tile (R, T) that lies spread over the threads.
Column t is taken out by a sum that has one term that is not zero: exact, without a barrier or
memory of its own, and apart from the chain of membranes, so that the GPU can run it ahead. It
costs T additions where the recurrence costs a multiple of that; a line in memory would cost a
barrier a step.

Loops always run over all T steps, those behind the end of a sequence too, whose results nobody
uses: a loop that may have none would let the compiler move the products in front of it into the
loop's entry, and their operands do not fit the registers.
"""

from __future__ import annotations

import triton
import triton.language as tl

PI = tl.constexpr(3.141592653589793)
SLOPE = tl.constexpr(25.0)  # of the fast sigmoid


@triton.jit
def column(tile, columns, t):
    """Return column t of a tile (R, T), shape (R,); infinities beside it do no harm."""
    return tl.sum(tl.where(columns[None, :] == t, tile, 0.0), 1)


@triton.jit
def put(tile, columns, t, values):
    """Return the tile with `values` (R,) in column t."""
    return tl.where(columns[None, :] == t, values[:, None], tile)


@triton.jit
def spread_as(tile, other, columns):
    """Return a tile (R, T) as it is, but spread over the threads as another one.

    Else columns of the two would be exchanged between threads, with a barrier, at every step.
    """
    return tl.where(columns[None, :] >= 0, tile, other)


@triton.jit
def spikes_of(words, columns):
    """Return the spikes (R, T), 0 or 1, that `words` (R,) hold."""
    return ((words[:, None] >> columns[None, :]) & 1).to(tl.float32)


@triton.jit
def words_of(spikes, columns):
    """Return the words (R,) that hold spikes (R, T), 0 or 1."""
    return tl.sum((spikes > 0.5).to(tl.int32) << columns[None, :], 1).to(tl.int32)


@triton.jit
def reset(v, s, RESET: tl.constexpr):
    """Return the membrane behind a spike; the operations, and their order, of the plain loop."""
    if RESET == "hard":
        return v - s * v
    elif RESET == "soft":
        return v - s
    else:
        return v


@triton.jit
def run_block(y, u, r, s, tau, rho, kappa, columns, REFRACTORY: tl.constexpr,
              RESET: tl.constexpr, STEPS: tl.constexpr):  # fmt: skip
    """Run a block of inputs over thresholds, (R, T); return the words of spikes and the state.

    The state: membrane after the reset, trace, last spike, each (R,).
    """
    words = tl.zeros(u.shape, tl.int32)
    for t in range(0, STEPS):
        v = tau * u + column(y, columns, t)
        excess = v
        if REFRACTORY:
            r = rho * r + kappa * s
            excess = v - r
        s = tl.where(excess >= 1.0, 1.0, 0.0)
        u = reset(v, s, RESET)
        words = words | (s.to(tl.int32) << t)
    return words, u, r, s


@triton.jit
def replay_block(y, words, inside, u, r, s, tau, rho, kappa, columns, REFRACTORY: tl.constexpr,
                 RESET: tl.constexpr, STEPS: tl.constexpr):  # fmt: skip
    """Run a block whose spikes are known; return membranes before the reset and traces, (R, T).

    0 where not `inside` (R, T): steps behind the end must not bring an infinity into the gradients.
    """
    membranes = tl.zeros(y.shape, tl.float32)
    traces = tl.zeros(y.shape, tl.float32)
    for t in range(0, STEPS):
        v = tau * u + column(y, columns, t)
        if REFRACTORY:
            r = rho * r + kappa * s
            traces = put(traces, columns, t, r)
        s = ((words >> t) & 1).to(tl.float32)
        membranes = put(membranes, columns, t, v)
        u = reset(v, s, RESET)
    return tl.where(inside, membranes, 0.0), tl.where(inside, traces, 0.0)


@triton.jit
def slope(distance, SURROGATE: tl.constexpr):
    """Return the derivative of the spike by its distance from the threshold."""
    if SURROGATE == "arctan":
        x = PI * distance
        return 1.0 / (1.0 + x * x)
    elif SURROGATE == "triangle":
        x = 1.0 - tl.abs(distance)
        return tl.where(x < 0.0, 0.0, x)  # keeps what is no number
    else:
        x = 1.0 + SLOPE * tl.abs(distance)
        return 1.0 / (x * x)


@triton.jit
def run_block_back(grad, membranes, traces, words, au, ar, av, sums_tau, sums_rho, sums_kappa,
                   tau, rho, kappa, columns, REFRACTORY: tl.constexpr, RESET: tl.constexpr,
                   SURROGATE: tl.constexpr, STEPS: tl.constexpr):  # fmt: skip
    """Return dL/dy (R, T) for dL/ds, and what goes on to the block before; each (R,).

    Of the step behind, `au` is dL/du, `ar` the trace's dL/dr, `av` the membrane's dL/dv; the sums
    are the gradients of tau, rho and kappa.
    """
    back = tl.zeros(grad.shape, tl.float32)
    grad = spread_as(grad, membranes, columns)
    if REFRACTORY:
        traces = spread_as(traces, membranes, columns)
    for i in range(0, STEPS):
        t = STEPS - 1 - i
        v = column(membranes, columns, t)
        gs = column(grad, columns, t)
        s = ((words >> t) & 1).to(tl.float32)
        distance = v - 1.0
        sums_tau += av * reset(v, s, RESET)
        if REFRACTORY:
            r = column(traces, columns, t)
            distance = v - r - 1.0
            gs += kappa * ar
            sums_rho += ar * r
            sums_kappa += ar * s
        if RESET == "hard":
            gs -= au * v
        elif RESET == "soft":
            gs -= au
        at_spike = gs * slope(distance, SURROGATE)
        av = at_spike + au
        if RESET == "hard":
            av -= au * s
        if REFRACTORY:
            ar = rho * ar - at_spike
        au = tau * av
        back = put(back, columns, t, av)
    return back, au, ar, av, sums_tau, sums_rho, sums_kappa
