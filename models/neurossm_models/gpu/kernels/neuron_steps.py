"""The neurons of a block of steps; Triton, called by kernels.

Shape letters: ``R`` rows (neurons) of a program, ``T`` steps of a block. A row's spikes of a block
are the bits of one integer, the first step in the lowest one.

The membrane needs one step after the other of a tile (R, T) that lies spread over the threads. So a
tile is put down in memory of the program, a line (R,) a step; it stays in the cache, and a step
costs a load that does not wait for the step before. Whoever writes lines and reads them lets all
threads meet in between (``tl.debug_barrier``); a row is held by several threads, so nothing is
written over what a loop still reads. To take columns out of the tile instead, by sums with one term
that is not zero, costs three times the instructions of a recurrence with 32 modes.

Loops always run over all T steps, those behind the end of a sequence too, whose results nobody
uses.
"""

from __future__ import annotations

import triton
import triton.language as tl

PI = tl.constexpr(3.141592653589793)
SLOPE = tl.constexpr(25.0)  # of the fast sigmoid
# of the double Gaussian: 1.15 and 0.3 halves of normal densities of width 0.5 and 3
NARROW, WIDE = tl.constexpr(0.4587836224616476), tl.constexpr(0.019947114020071637)
UNROLLED = tl.constexpr(8)  # steps whose loads are under way together


@triton.jit
def put_down(lines, tile, columns, ROWS: tl.constexpr):
    """Write a tile (R, T) to lines (T, R)."""
    tl.store(lines + columns[None, :] * ROWS + tl.arange(0, ROWS)[:, None], tile)


@triton.jit
def take_up(lines, columns, ROWS: tl.constexpr):
    """Return lines (T, R) as a tile (R, T)."""
    return tl.load(lines + columns[None, :] * ROWS + tl.arange(0, ROWS)[:, None])


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
def run_block(lines, u, r, s, tau, rho, kappa, REFRACTORY: tl.constexpr, RESET: tl.constexpr,
              ROWS: tl.constexpr, STEPS: tl.constexpr):  # fmt: skip
    """Run a block of inputs over thresholds, lines (T, R); return words of spikes and the state.

    The state: membrane after the reset, trace, last spike, each (R,).
    """
    words = tl.zeros(u.shape, tl.int32)
    at = lines + tl.arange(0, ROWS)
    for t in tl.range(0, STEPS, loop_unroll_factor=UNROLLED):
        v = tau * u + tl.load(at + t * ROWS)
        excess = v
        if REFRACTORY:
            r = rho * r + kappa * s
            excess = v - r
        fired = excess >= 1.0
        s = tl.where(fired, 1.0, 0.0)
        u = reset(v, s, RESET)
        words = words | tl.where(fired, 1 << t, 0)
    return words, u, r, s


@triton.jit
def replay_block(lines, to, words, left, u, r, s, tau, rho, kappa, REFRACTORY: tl.constexpr,
                 RESET: tl.constexpr, ROWS: tl.constexpr, STEPS: tl.constexpr):  # fmt: skip
    """Run a block whose spikes are known; return the state behind it.

    Membranes before the reset go to the lines ``to`` (T, R), traces to those behind them; 0 from
    step ``left`` on: steps behind the end must not bring an infinity into the gradients.
    """
    line = tl.arange(0, ROWS)
    for t in tl.range(0, STEPS, loop_unroll_factor=UNROLLED):
        v = tau * u + tl.load(lines + t * ROWS + line)
        if REFRACTORY:
            r = rho * r + kappa * s
            tl.store(to + (STEPS + t) * ROWS + line, tl.where(t < left, r, 0.0))
        s = ((words >> t) & 1).to(tl.float32)
        tl.store(to + t * ROWS + line, tl.where(t < left, v, 0.0))
        u = reset(v, s, RESET)
    return u, r, s


@triton.jit
def slope(distance, SURROGATE: tl.constexpr):
    """Return the derivative of the spike by its distance from the threshold."""
    if SURROGATE == "arctan":
        x = PI * distance
        return 1.0 / (1.0 + x * x)
    elif SURROGATE == "triangle":
        x = 1.0 - tl.abs(distance)
        return tl.where(x < 0.0, 0.0, x)  # keeps what is no number
    elif SURROGATE == "boxcar":
        return tl.where((distance > -0.5) & (distance <= 0.5), 1.0, 0.0)
    elif SURROGATE == "double_gaussian":
        square = distance * distance
        return NARROW * tl.exp(-2.0 * square) - WIDE * tl.exp(square / -18.0)
    elif SURROGATE == "multi_gaussian":
        left, right = distance + 0.5, distance - 0.5
        sides = tl.exp(left * left / -18.0) + tl.exp(right * right / -18.0)
        return 1.15 * tl.exp(-2.0 * (distance * distance)) - 0.15 * sides
    else:
        x = 1.0 + SLOPE * tl.abs(distance)
        return 1.0 / (x * x)


@triton.jit
def run_block_back(grads, kept, to, words, au, ar, av, sums_tau, sums_rho, sums_kappa,
                   tau, rho, kappa, REFRACTORY: tl.constexpr, RESET: tl.constexpr,
                   SURROGATE: tl.constexpr, ROWS: tl.constexpr,
                   STEPS: tl.constexpr):  # fmt: skip
    """Write dL/dy to the lines ``to`` for dL/ds, lines ``grads``; return what goes on, each (R,).

    ``kept`` is what `replay_block` wrote. Of the step behind, `au` is dL/du, `ar` the trace's
    dL/dr, `av` the membrane's dL/dv; the sums are the gradients of tau, rho and kappa.
    """
    line = tl.arange(0, ROWS)
    for i in tl.range(0, STEPS, loop_unroll_factor=UNROLLED):
        t = STEPS - 1 - i
        v = tl.load(kept + t * ROWS + line)
        gs = tl.load(grads + t * ROWS + line)
        s = ((words >> t) & 1).to(tl.float32)
        distance = v - 1.0
        sums_tau += av * reset(v, s, RESET)
        if REFRACTORY:
            r = tl.load(kept + (STEPS + t) * ROWS + line)
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
        tl.store(to + t * ROWS + line, av)
    return au, ar, av, sums_tau, sums_rho, sums_kappa


@triton.jit
def step_back(y, g, room, side, words, left, u, r, s, au, ar, av, sums_tau, sums_rho, sums_kappa,
              tau, rho, kappa, columns, REFRACTORY: tl.constexpr, RESET: tl.constexpr,
              SURROGATE: tl.constexpr, ROWS: tl.constexpr, STEPS: tl.constexpr):  # fmt: skip
    """Return dL/dy (R, T) of a block for dL/ds ``g`` (R, T), and as `run_block_back`.

    ``room`` has five times (T, R); ``side`` is 0 and 1 in turns, so that no tile is put down where
    threads may still take up that of the block before.
    """
    lines, grads = room + side * (STEPS * ROWS), room + 2 * (STEPS * ROWS)
    kept = room + 3 * (STEPS * ROWS)
    put_down(lines, y, columns, ROWS)
    put_down(grads, g, columns, ROWS)
    tl.debug_barrier()
    replay_block(lines, kept, words, left, u, r, s, tau, rho, kappa, REFRACTORY, RESET, ROWS, STEPS)
    tl.debug_barrier()  # all have read y, whose lines are free
    au, ar, av, sums_tau, sums_rho, sums_kappa = run_block_back(
        grads, kept, lines, words, au, ar, av, sums_tau, sums_rho, sums_kappa, tau, rho, kappa,
        REFRACTORY, RESET, SURROGATE, ROWS, STEPS,
    )  # fmt: skip
    tl.debug_barrier()
    return take_up(lines, columns, ROWS), au, ar, av, sums_tau, sums_rho, sums_kappa
