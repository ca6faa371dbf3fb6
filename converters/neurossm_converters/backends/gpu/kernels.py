# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False
# mypy: check-untyped-defs=False, disallow-untyped-decorators=False
# mypy: disable-error-code="import-untyped"
"""Triton kernels of the nodes that remember: time is a loop, samples times channels are the lanes.

Only here are integers shifted and saturated in Triton; it is the arithmetic of `neurossm.fixed`, in
32 bits where the contract leaves room, as it does nearly always:

- Messages and states have at most 24 bits, weights 8: a product is below 2**30, and so is what a
  shift to the right leaves of it.
- A pole or a leak is a fraction, at most 1: `fraction` takes the upper half of a 64-bit product.
- What is shifted to the left is added to less than 2**27 and then saturates to 24 bits: it may as
  well end at 2**28, as in `moved`.
- Only the sum over the modes may need more; there a kernel that is ``WIDE`` goes on in 64 bits. Who
  starts it decides, by the bounds of FORMAT.md.

In Triton, unlike in NumPy and Python, two int32 make an int32, ``//`` rounds toward zero and a
shift by the width or more is undefined; nothing here rests on any of these.

Tensors: messages int32 ``(S, T, C)``, states int32, lanes in the order of ``(S, C)``. With ``ENDS``
sample s has ``ends[s]`` steps, else all have ``steps``: behind the end nothing moves, nothing is
counted and 0 is sent.

The module is loaded once to be compiled and once to be interpreted, see `launch`; so is
`neuron_kernels`, which goes on here.
"""

import triton
import triton.language as tl

INTERPRETED = triton.knobs.runtime.interpret


def device_function(function):
    """Make a function one that kernels call; the interpreter calls it as it is."""
    return function if INTERPRETED else triton.jit(function)


@device_function
def shifted(value, right, below):
    """Return an int32 shifted right by 0 to 31 bits, toward zero; `below` is ``2**right - 1``."""
    return (value + tl.where(value < 0, below, 0)) >> right


@device_function
def moved(value, right, below, most, left):
    """Return an int32 shifted to the right, then to the left, by 0 to 28 bits.

    ``most`` is ``2**(28 - left)``: what would leave 2**28 stays there.
    """
    return clipped(shifted(value, right, below), most) << left


@device_function
def fraction(scaled, magnitude, sign):
    """Return ``m v 2**-k`` toward zero, for ``scaled = |m| 2**(32-k-j)`` and ``|v| 2**j``, uint32.

    ``sign`` is -1 where m v is negative, else 0.
    """
    return (tl.umulhi(scaled, magnitude).to(tl.int32, bitcast=True) ^ sign) - sign


@device_function
def clipped(value, limit):
    """Return a value saturated to ``[-limit, limit]``."""
    return tl.minimum(tl.maximum(value, -limit), limit)


@device_function
def moved_wide(value, right, left):
    """Return an int64 shifted to the right, by 0 to 62 bits, then to the left; all int64."""
    size = tl.abs(value) >> right
    return tl.where(value < 0, -size, size) << left


@device_function
def summed(values):
    """Return the sum over the first axis; `tl.sum` is not there when interpreted."""
    return tl.reduce(values, 0, tl.standard._sum_combine)


@device_function
def placed(ends, steps, channels, lanes, ENDS: tl.constexpr, LANES: tl.constexpr):
    """Return the lanes of a program, which are there, their channels, first messages and ends."""
    lane = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    here = lane < lanes
    sample, channel = lane // channels, lane % channels
    at = sample * steps * channels + channel
    end = tl.full([LANES], 0, tl.int32) + steps
    if ENDS:
        end = tl.load(ends + sample, mask=here, other=0)
    return lane, here, channel, at, end


@triton.jit(do_not_specialize=["steps", "lanes"])
def accumulate(
    u, y, sums, ends, saturations, steps, channels, lanes, right, below, most, left, term_limit,
    limit, ENDS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Run `Accumulate`."""
    lane, here, _, at, end = placed(ends, steps, channels, lanes, ENDS, LANES)
    sum_ = tl.load(sums + lane, mask=here, other=0)
    hits = tl.full([LANES], 0, tl.int32)
    for t in range(steps):
        inside = here & (t < end)
        raw = moved(tl.load(u + at, mask=inside, other=0), right, below, most, left)
        term = clipped(raw, term_limit)
        value = sum_ + term
        kept = clipped(value, limit)
        hits += ((term != raw) & inside).to(tl.int32) + ((kept != value) & inside).to(tl.int32)
        sum_ = tl.where(inside, kept, sum_)
        tl.store(y + at, tl.where(inside, sum_, 0), mask=here)
        at += channels
    tl.store(sums + lane, sum_, mask=here)
    tl.atomic_add(saturations, summed(hits.to(tl.int64)))


@triton.jit(do_not_specialize=["steps", "lanes"])
def lif(
    u, y, membranes, traces, table, ends, saturations, steps, channels, lanes, limit,
    RESET: tl.constexpr, TRACE: tl.constexpr, SHIFTED: tl.constexpr, ENDS: tl.constexpr,
    LANES: tl.constexpr,
):  # fmt: skip
    """Run `LIF`.

    ``table`` int32 ``(8, C)``: theta, tau and rho as `fraction` takes them with j = 1, kappa, and
    what `moved` takes to bring the input to the membrane's exponent, where it is ``SHIFTED``.
    ``RESET`` is 0 for none, 1 for soft, 2 for hard. Without ``TRACE`` there are no ``traces``.
    """
    lane, here, channel, at, end = placed(ends, steps, channels, lanes, ENDS, LANES)
    row = table + channel
    theta = tl.load(row, mask=here, other=1)
    tau = tl.load(row + channels, mask=here, other=0).to(tl.uint32, bitcast=True)
    rho = tl.load(row + 2 * channels, mask=here, other=0).to(tl.uint32, bitcast=True)
    kappa = tl.load(row + 3 * channels, mask=here, other=0)
    right = tl.load(row + 4 * channels, mask=here, other=0)
    below = tl.load(row + 5 * channels, mask=here, other=0)
    most = tl.load(row + 6 * channels, mask=here, other=0)
    left = tl.load(row + 7 * channels, mask=here, other=0)
    v = tl.load(membranes + lane, mask=here, other=0)
    if TRACE:
        r = tl.load(traces + lane, mask=here, other=0)
    hits = tl.full([LANES], 0, tl.int32)
    for t in range(steps):
        inside = here & (t < end)
        entering = tl.load(u + at, mask=inside, other=0)
        if SHIFTED:
            entering = moved(entering, right, below, most, left)
        twice = (tl.abs(v) * 2).to(tl.uint32, bitcast=True)
        raw = fraction(tau, twice, v >> 31) + entering
        kept = clipped(raw, limit)
        hits += ((kept != raw) & inside).to(tl.int32)
        if TRACE:
            fires = kept - r >= theta
            twice = (tl.abs(r) * 2).to(tl.uint32, bitcast=True)
            trace = fraction(rho, twice, r >> 31) + tl.where(fires, kappa, 0)
            bounded = clipped(trace, limit)
            hits += ((bounded != trace) & inside).to(tl.int32)
            r = tl.where(inside, bounded, r)
        else:
            fires = kept >= theta
        if RESET == 2:
            kept = tl.where(fires, 0, kept)
        if RESET == 1:
            kept = tl.where(fires, kept - theta, kept)
        v = tl.where(inside, kept, v)
        tl.store(y + at, (fires & inside).to(tl.int32), mask=here)
        at += channels
    tl.store(membranes + lane, v, mask=here)
    if TRACE:
        tl.store(traces + lane, r, mask=here)
    tl.atomic_add(saturations, summed(hits.to(tl.int64)))


@triton.jit(do_not_specialize=["steps", "lanes"])
def diagonal_ssm(
    u, y, states, modes, table, ends, saturations, steps, channels, lanes, state_limit, limit,
    N: tl.constexpr, MODES: tl.constexpr, REAL: tl.constexpr, LEFT: tl.constexpr,
    WIDE: tl.constexpr, ENDS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Run `DiagonalSSM`; a program owns all N modes of its lanes, filled up with zeros to MODES.

    ``states`` ``(2, N, lanes)``. ``modes`` int32 ``(10, MODES, C)``: the real and the imaginary
    part of a as `fraction` takes them with j = 0, -1 where they are negative, then of b, c and the
    drive. ``table`` int32 ``(14, C)``: d, bias, and what `moved` takes for the products with b,
    with c and with d; products with b and d are shifted to the left where there is a ``LEFT``, with
    c where it is ``WIDE``. The imaginary part of b is not read where it is ``REAL``.
    """
    lane, here, channel, at, end = placed(ends, steps, channels, lanes, ENDS, LANES)
    row = table + channel
    d = tl.load(row, mask=here, other=0)
    bias = tl.load(row + channels, mask=here, other=0)
    b_right = tl.load(row + 2 * channels, mask=here, other=0)[None, :]
    b_below = tl.load(row + 3 * channels, mask=here, other=0)[None, :]
    b_most = tl.load(row + 4 * channels, mask=here, other=0)[None, :]
    b_left = tl.load(row + 5 * channels, mask=here, other=0)[None, :]
    c_right = tl.load(row + 6 * channels, mask=here, other=0)[None, :]
    c_below = tl.load(row + 7 * channels, mask=here, other=0)[None, :]
    c_left = tl.load(row + 9 * channels, mask=here, other=0)[None, :]
    d_right = tl.load(row + 10 * channels, mask=here, other=0)
    d_below = tl.load(row + 11 * channels, mask=here, other=0)
    d_most = tl.load(row + 12 * channels, mask=here, other=0)
    d_left = tl.load(row + 13 * channels, mask=here, other=0)

    n = tl.arange(0, MODES)[:, None]
    each = here[None, :] & (n < MODES)  # what fills up is there too, zeros
    part, mode = MODES * channels, modes + n * channels + channel[None, :]
    a_re = tl.load(mode, mask=each, other=0).to(tl.uint32, bitcast=True)
    a_im = tl.load(mode + part, mask=each, other=0).to(tl.uint32, bitcast=True)
    sign_re = tl.load(mode + 2 * part, mask=each, other=0)
    sign_im = tl.load(mode + 3 * part, mask=each, other=0)
    b_re = tl.load(mode + 4 * part, mask=each, other=0)
    b_im = tl.load(mode + 5 * part, mask=each, other=0)
    c_re = tl.load(mode + 6 * part, mask=each, other=0)
    c_im = tl.load(mode + 7 * part, mask=each, other=0)
    drive_re = tl.load(mode + 8 * part, mask=each, other=0)
    drive_im = tl.load(mode + 9 * part, mask=each, other=0)
    state, real = states + n * lanes.to(tl.int64) + lane[None, :], here[None, :] & (n < N)
    other = N * lanes.to(tl.int64)
    re = tl.load(state, mask=real, other=0)
    im = tl.load(state + other, mask=real, other=0)

    hits = tl.full([MODES, LANES], 0, tl.int32)
    clips = tl.full([LANES], 0, tl.int32)
    now = tl.load(u + at, mask=here & (end > 0), other=0)
    for t in range(steps):
        inside = here & (t < end)
        moved = inside[None, :] & (n < MODES)
        # asked for a step before it is needed: memory answers while the states move
        after = tl.load(u + at + channels, mask=here & (t + 1 < end), other=0)
        size_re = tl.abs(re).to(tl.uint32, bitcast=True)
        size_im = tl.abs(im).to(tl.uint32, bitcast=True)
        below_re, below_im = re >> 31, im >> 31
        new_re = (
            fraction(a_re, size_re, sign_re ^ below_re)
            - fraction(a_im, size_im, sign_im ^ below_im)
            + drive_re
        )
        new_im = (
            fraction(a_re, size_im, sign_re ^ below_im)
            + fraction(a_im, size_re, sign_im ^ below_re)
            + drive_im
        )
        driven = shifted(b_re * now[None, :], b_right, b_below)
        if LEFT:
            driven = clipped(driven, b_most) << b_left
        new_re = new_re + driven
        if not REAL:
            driven_im = shifted(b_im * now[None, :], b_right, b_below)
            if LEFT:
                driven_im = clipped(driven_im, b_most) << b_left
            new_im = new_im + driven_im
        kept_re, kept_im = clipped(new_re, state_limit), clipped(new_im, state_limit)
        hits += ((kept_re != new_re) & moved).to(tl.int32)
        hits += ((kept_im != new_im) & moved).to(tl.int32)
        re = tl.where(moved, kept_re, re)
        im = tl.where(moved, kept_im, im)
        read_re = shifted(c_re * re, c_right, c_below)
        read_im = shifted(c_im * im, c_right, c_below)
        fed = shifted(d * now, d_right, d_below)
        if WIDE:
            read_re, read_im = read_re.to(tl.int64) << c_left, read_im.to(tl.int64) << c_left
            fed = fed.to(tl.int64) << d_left
        elif LEFT:
            fed = clipped(fed, d_most) << d_left
        raw = summed(read_re - read_im) + fed + bias
        sent = clipped(raw, limit)
        clips += ((sent != raw) & inside).to(tl.int32)
        tl.store(y + at, tl.where(inside, sent.to(tl.int32), 0), mask=here)
        now = after
        at += channels
    tl.store(state, re, mask=real)
    tl.store(state + other, im, mask=real)
    tl.atomic_add(saturations, summed((summed(hits) + clips).to(tl.int64)))
