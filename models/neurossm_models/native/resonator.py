"""The resonate-and-fire recurrence, in kernels; see `two_states`.

Parameters, in order: gain of the input, real and imaginary part of the pole. States: real part
after its reset, and imaginary part.
"""

from __future__ import annotations

from functools import cache

from neurossm.compiling import njit
from neurossm_models.native.lanes import LANES
from neurossm_models.native.slopes import slope_of
from neurossm_models.native.two_states import (
    BEHIND_0,
    BEHIND_1,
    GRAD,
    GRAD_0,
    GRAD_1,
    KEPT,
    ONE,
    PARAMETERS,
    STATE_0,
    STATE_1,
    X_IM,
    ZERO,
    S,
    V,
    X,
    backward_of,
    forward_of,
)

_GAIN, _RE, _IM = (PARAMETERS + k * LANES for k in range(3))
_SUMS = PARAMETERS + 3 * LANES


@cache
def _advance(complex_drive, given, record):
    """Return one step of all lanes; with `record` what `_retreat` needs is written, too."""

    @njit(cache=True, nogil=True)
    def advance(room, work, hard, soft):
        for j in range(LANES):
            re, im = work[STATE_0 + j], work[STATE_1 + j]
            a, b, gain = work[_RE + j], work[_IM + j], work[_GAIN + j]
            v = a * re - b * im + gain * room[X + j]
            q = a * im + b * re
            if complex_drive:
                q = q + gain * room[X_IM + j]
            s = room[S + j] if given else (ONE if v >= ONE else ZERO)
            work[STATE_0 + j], work[STATE_1 + j] = v - s * soft, q
            if not given:
                room[S + j] = s
            if record:
                room[V + j], room[KEPT + j] = v, q

    return advance


@cache
def _retreat(complex_drive, surrogate):
    slope = slope_of(surrogate)

    @njit(cache=True, nogil=True, error_model="numpy")
    def retreat(room, work, hard, soft):
        """Replace dL/ds by dL/dx, one step of all lanes.

        Of the step behind this one, `work` holds dL of both parts of the state, before the reset
        (`BEHIND`) and of the state that it began with (`GRAD`).
        """
        for j in range(LANES):
            v, q, s = room[V + j], room[KEPT + j], room[S + j]
            re = v - s * soft
            behind, behind_im = work[BEHIND_0 + j], work[BEHIND_1 + j]
            work[_SUMS + LANES + j] += behind * re + behind_im * q
            work[_SUMS + 2 * LANES + j] += behind_im * re - behind * q
            after = work[GRAD_0 + j]
            gv = (room[GRAD + j] - after * soft) * slope(v - ONE) + after
            gq = work[GRAD_1 + j]
            a, b, gain = work[_RE + j], work[_IM + j], work[_GAIN + j]
            total = gv * room[X + j]
            if complex_drive:
                total += gq * room[X_IM + j]
                room[X_IM + j] = gain * gq
            work[_SUMS + j] += total
            work[GRAD_0 + j], work[GRAD_1 + j] = a * gv + b * gq, a * gq - b * gv
            work[BEHIND_0 + j], work[BEHIND_1 + j] = gv, gq
            room[GRAD + j] = gain * gv

    return retreat


@cache
def forward_kernel(complex_drive, given=False):
    """Return the forward pass, see `forward_of`."""
    return forward_of(_advance(complex_drive, given, False), complex_drive, given)


@cache
def backward_kernel(complex_drive, surrogate, given=False):
    """Return the backward pass, see `backward_of`."""
    advance, retreat = _advance(complex_drive, given, True), _retreat(complex_drive, surrogate)
    return backward_of(advance, retreat, complex_drive, given)
