# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False
# mypy: check-untyped-defs=False, disallow-untyped-decorators=False
# mypy: disable-error-code="import-untyped"
"""Triton kernels of neurons with two states, of complex states, and of thresholds that are raised.

Arithmetic, tensors and lanes as in `kernels`. What is turned by a pole inside the unit circle and
driven by less than 2**28 stays below 2**30: the sums of a complex state fit 32 bits. So do those of
a threshold and at most 16 taps, of 24 bits each.
"""

import triton
import triton.language as tl

from neurossm_converters.backends.gpu.kernels import (
    clipped,
    device_function,
    fraction,
    moved,
    moved_wide,
    placed,
    summed,
)


@device_function
def turned(re, im, a_re, a_im, sign_re, sign_im):
    """Return ``a z``, each of the four products toward zero, for a pole in the form of `fraction`.

    Parts of the pole with j = 0; a sign is -1 where its part is negative, else 0.
    """
    size_re = tl.abs(re).to(tl.uint32, bitcast=True)
    size_im = tl.abs(im).to(tl.uint32, bitcast=True)
    under_re, under_im = re >> 31, im >> 31
    new_re = fraction(a_re, size_re, sign_re ^ under_re)
    new_re -= fraction(a_im, size_im, sign_im ^ under_im)
    new_im = fraction(a_re, size_im, sign_re ^ under_im)
    new_im += fraction(a_im, size_re, sign_im ^ under_re)
    return new_re, new_im


@triton.jit(do_not_specialize=["steps", "lanes"])
def adaptive_lif(
    u, y, membranes, adaptations, table, ends, saturations, steps, channels, lanes, limit, most,
    RESET: tl.constexpr, BEFORE: tl.constexpr, ENDS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Run `AdaptiveLIF`; what is shifted between units, and the product with a, has 64 bits.

    ``table`` int32 ``(11, C)``: theta, tau and rho as `fraction` takes them with j = 1, a, b, and
    the bits to the right and to the left of the input, of the adaptation and of the product with a.
    ``RESET`` as of `lif`; it adapts on the membrane ``BEFORE`` its reset or after it.
    """
    lane, here, channel, at, end = placed(ends, steps, channels, lanes, ENDS, LANES)
    row = table + channel
    theta = tl.load(row, mask=here, other=1)
    tau = tl.load(row + channels, mask=here, other=0).to(tl.uint32, bitcast=True)
    rho = tl.load(row + 2 * channels, mask=here, other=0).to(tl.uint32, bitcast=True)
    a = tl.load(row + 3 * channels, mask=here, other=0).to(tl.int64)
    b = tl.load(row + 4 * channels, mask=here, other=0)
    u_right = tl.load(row + 5 * channels, mask=here, other=0).to(tl.int64)
    u_left = tl.load(row + 6 * channels, mask=here, other=0).to(tl.int64)
    w_right = tl.load(row + 7 * channels, mask=here, other=0).to(tl.int64)
    w_left = tl.load(row + 8 * channels, mask=here, other=0).to(tl.int64)
    a_right = tl.load(row + 9 * channels, mask=here, other=0).to(tl.int64)
    a_left = tl.load(row + 10 * channels, mask=here, other=0).to(tl.int64)
    v = tl.load(membranes + lane, mask=here, other=0)
    w = tl.load(adaptations + lane, mask=here, other=0)
    hits = tl.full([LANES], 0, tl.int32)
    for t in range(steps):
        inside = here & (t < end)
        entering = tl.load(u + at, mask=inside, other=0).to(tl.int64)
        twice = (tl.abs(v) * 2).to(tl.uint32, bitcast=True)
        raw = fraction(tau, twice, v >> 31).to(tl.int64) + moved_wide(entering, u_right, u_left)
        raw = raw - moved_wide(w.to(tl.int64), w_right, w_left)
        bounded = clipped(raw, limit)
        hits += ((bounded != raw) & inside).to(tl.int32)
        kept = bounded.to(tl.int32)
        fires = kept >= theta
        after = kept
        if RESET == 2:
            after = tl.where(fires, 0, kept)
        if RESET == 1:
            after = tl.where(fires, kept - theta, kept)
        seen = after
        if BEFORE:
            seen = kept
        twice = (tl.abs(w) * 2).to(tl.uint32, bitcast=True)
        left = fraction(rho, twice, w >> 31) + tl.where(fires, b, 0)
        more = left.to(tl.int64) + moved_wide(a * seen.to(tl.int64), a_right, a_left)
        bounded = clipped(more, most)
        hits += ((bounded != more) & inside).to(tl.int32)
        w = tl.where(inside, bounded.to(tl.int32), w)
        v = tl.where(inside, after, v)
        tl.store(y + at, (fires & inside).to(tl.int32), mask=here)
        at += channels
    tl.store(membranes + lane, v, mask=here)
    tl.store(adaptations + lane, w, mask=here)
    tl.atomic_add(saturations, summed(hits.to(tl.int64)))


@triton.jit(do_not_specialize=["steps", "lanes"])
def resonate_and_fire(
    u, y, real, imaginary, table, ends, saturations, steps, channels, lanes, limit,
    SOFT: tl.constexpr, BOTH: tl.constexpr, ENDS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Run `ResonateAndFire`; with ``BOTH`` parts of a drive ``u`` has 2C channels.

    ``table`` int32 ``(13, C)``: theta, the magnitudes of both parts of the pole as `fraction` takes
    them with j = 0, -1 where they are negative, and what `moved` takes for either part of the
    drive.
    """
    lane, here, channel, at, end = placed(ends, steps, channels, lanes, ENDS, LANES)
    row, drive, width = table + channel, at, channels
    if BOTH:
        drive, width = 2 * at - channel, 2 * channels
    theta = tl.load(row, mask=here, other=1)
    a_re = tl.load(row + channels, mask=here, other=0).to(tl.uint32, bitcast=True)
    a_im = tl.load(row + 2 * channels, mask=here, other=0).to(tl.uint32, bitcast=True)
    sign_re = tl.load(row + 3 * channels, mask=here, other=0)
    sign_im = tl.load(row + 4 * channels, mask=here, other=0)
    right_re = tl.load(row + 5 * channels, mask=here, other=0)
    below_re = tl.load(row + 6 * channels, mask=here, other=0)
    most_re = tl.load(row + 7 * channels, mask=here, other=0)
    left_re = tl.load(row + 8 * channels, mask=here, other=0)
    right_im = tl.load(row + 9 * channels, mask=here, other=0)
    below_im = tl.load(row + 10 * channels, mask=here, other=0)
    most_im = tl.load(row + 11 * channels, mask=here, other=0)
    left_im = tl.load(row + 12 * channels, mask=here, other=0)
    re = tl.load(real + lane, mask=here, other=0)
    im = tl.load(imaginary + lane, mask=here, other=0)
    hits = tl.full([LANES], 0, tl.int32)
    for t in range(steps):
        inside = here & (t < end)
        new_re, new_im = turned(re, im, a_re, a_im, sign_re, sign_im)
        now = tl.load(u + drive, mask=inside, other=0)
        new_re += moved(now, right_re, below_re, most_re, left_re)
        if BOTH:
            now = tl.load(u + drive + channels, mask=inside, other=0)
            new_im += moved(now, right_im, below_im, most_im, left_im)
        kept_re, kept_im = clipped(new_re, limit), clipped(new_im, limit)
        hits += ((kept_re != new_re) & inside).to(tl.int32)
        hits += ((kept_im != new_im) & inside).to(tl.int32)
        fires = kept_re >= theta
        if SOFT:
            kept_re = tl.where(fires, kept_re - theta, kept_re)
        re = tl.where(inside, kept_re, re)
        im = tl.where(inside, kept_im, im)
        tl.store(y + at, (fires & inside).to(tl.int32), mask=here)
        at += channels
        drive += width
    tl.store(real + lane, re, mask=here)
    tl.store(imaginary + lane, im, mask=here)
    tl.atomic_add(saturations, summed(hits.to(tl.int64)))


@triton.jit(do_not_specialize=["steps", "lanes"])
def complex_diagonal(
    u, y, real, imaginary, table, ends, saturations, steps, channels, lanes, state_limit, limit,
    GATED: tl.constexpr, ENDS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Run `ComplexDiagonal`; ``u`` and ``y`` have 2C channels, a lane is a complex state.

    ``table`` int32 ``(16, C)``: the magnitudes of both parts of the pole as `fraction` takes them
    with j = 0, -1 where they are negative, and what `moved` takes for the real part that enters,
    for the imaginary part, and for either part that is sent. With ``GATED`` only states whose real
    part is above 0 are sent.
    """
    lane, here, channel, at, end = placed(ends, steps, channels, lanes, ENDS, LANES)
    row, first, width = table + channel, 2 * at - channel, 2 * channels
    a_re = tl.load(row, mask=here, other=0).to(tl.uint32, bitcast=True)
    a_im = tl.load(row + channels, mask=here, other=0).to(tl.uint32, bitcast=True)
    sign_re = tl.load(row + 2 * channels, mask=here, other=0)
    sign_im = tl.load(row + 3 * channels, mask=here, other=0)
    right_re = tl.load(row + 4 * channels, mask=here, other=0)
    below_re = tl.load(row + 5 * channels, mask=here, other=0)
    most_re = tl.load(row + 6 * channels, mask=here, other=0)
    left_re = tl.load(row + 7 * channels, mask=here, other=0)
    right_im = tl.load(row + 8 * channels, mask=here, other=0)
    below_im = tl.load(row + 9 * channels, mask=here, other=0)
    most_im = tl.load(row + 10 * channels, mask=here, other=0)
    left_im = tl.load(row + 11 * channels, mask=here, other=0)
    right = tl.load(row + 12 * channels, mask=here, other=0)
    below = tl.load(row + 13 * channels, mask=here, other=0)
    most = tl.load(row + 14 * channels, mask=here, other=0)
    left = tl.load(row + 15 * channels, mask=here, other=0)
    re = tl.load(real + lane, mask=here, other=0)
    im = tl.load(imaginary + lane, mask=here, other=0)
    hits = tl.full([LANES], 0, tl.int32)
    for t in range(steps):
        inside = here & (t < end)
        new_re, new_im = turned(re, im, a_re, a_im, sign_re, sign_im)
        now = tl.load(u + first, mask=inside, other=0)
        new_re += moved(now, right_re, below_re, most_re, left_re)
        now = tl.load(u + first + channels, mask=inside, other=0)
        new_im += moved(now, right_im, below_im, most_im, left_im)
        kept_re, kept_im = clipped(new_re, state_limit), clipped(new_im, state_limit)
        hits += ((kept_re != new_re) & inside).to(tl.int32)
        hits += ((kept_im != new_im) & inside).to(tl.int32)
        re = tl.where(inside, kept_re, re)
        im = tl.where(inside, kept_im, im)
        passes = inside
        if GATED:
            passes = inside & (kept_re > 0)
        raw_re = tl.where(passes, moved(kept_re, right, below, most, left), 0)
        raw_im = tl.where(passes, moved(kept_im, right, below, most, left), 0)
        sent_re, sent_im = clipped(raw_re, limit), clipped(raw_im, limit)
        hits += (sent_re != raw_re).to(tl.int32) + (sent_im != raw_im).to(tl.int32)
        tl.store(y + first, sent_re, mask=here)
        tl.store(y + first + channels, sent_im, mask=here)
        first += width
    tl.store(real + lane, re, mask=here)
    tl.store(imaginary + lane, im, mask=here)
    tl.atomic_add(saturations, summed(hits.to(tl.int64)))


@triton.jit(do_not_specialize=["steps", "lanes"])
def adaptive_threshold(
    u, y, candidates, thresholds, taps, ends, steps, channels, lanes,
    K: tl.constexpr, TAPS: tl.constexpr, ENDS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Run `AdaptiveThreshold`; ``candidates`` has bit k set for one k + 1 steps ago.

    ``thresholds`` ``(C,)``, ``taps`` int32 ``(TAPS, C)``: K, filled up with zeros to TAPS.
    """
    lane, here, channel, at, end = placed(ends, steps, channels, lanes, ENDS, LANES)
    theta = tl.load(thresholds + channel, mask=here, other=1)
    k = tl.arange(0, TAPS)[:, None]
    raising = tl.load(taps + k * channels + channel[None, :], mask=here[None, :], other=0)
    earlier = tl.load(candidates + lane, mask=here, other=0)
    for t in range(steps):
        inside = here & (t < end)
        now = tl.load(u + at, mask=inside, other=0)
        raised = theta + summed(tl.where(((earlier[None, :] >> k) & 1) != 0, raising, 0))
        newest = ((earlier << 1) | (now >= theta).to(tl.int32)) & (2**K - 1)
        earlier = tl.where(inside, newest, earlier)
        tl.store(y + at, ((now >= raised) & inside).to(tl.int32), mask=here)
        at += channels
    tl.store(candidates + lane, earlier, mask=here)
