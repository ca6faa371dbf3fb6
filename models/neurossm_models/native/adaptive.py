"""The adaptive leaky integrate-and-fire recurrence, in kernels; see `two_states`.

Parameters, in order: gain of the input, tau, rho, a, b. States: the membrane after its reset, and
the adaptation.
"""

from __future__ import annotations

from functools import cache

from neurossm.compiling import njit
from neurossm_models.native.lanes import LANES
from neurossm_models.native.slopes import slope_of
from neurossm_models.native.two_states import (
    BEHIND_0,
    GRAD,
    GRAD_0,
    GRAD_1,
    KEPT,
    ONE,
    PARAMETERS,
    STATE_0,
    STATE_1,
    ZERO,
    S,
    V,
    X,
    backward_of,
    forward_of,
)

_GAIN, _TAU, _RHO, _A, _B = (PARAMETERS + k * LANES for k in range(5))
_SUMS = PARAMETERS + 5 * LANES


@cache
def _advance(before, given, record):
    """Return one step of all lanes; with `record` what `_retreat` needs is written, too."""

    @njit(cache=True, nogil=True)
    def advance(room, work, hard, soft):
        for j in range(LANES):
            w = work[STATE_1 + j]
            v = work[_TAU + j] * work[STATE_0 + j] + work[_GAIN + j] * room[X + j] - w
            s = room[S + j] if given else (ONE if v >= ONE else ZERO)
            removed = v if hard > ZERO else soft  # not hard * v: 0 times infinity is no number
            u = v - s * removed
            held = work[_RHO + j] * w + work[_A + j] * (v if before else u)
            work[STATE_0 + j], work[STATE_1 + j] = u, held + work[_B + j] * s
            if not given:
                room[S + j] = s
            if record:
                room[V + j], room[KEPT + j] = v, w

    return advance


@cache
def _retreat(before, surrogate):
    slope = slope_of(surrogate)

    @njit(cache=True, nogil=True, error_model="numpy")
    def retreat(room, work, hard, soft):
        """Replace dL/ds by dL/dx, one step of all lanes.

        Of the step behind this one, `work` holds dL/du, dL/dw and, of the membrane before its
        reset, dL/dv.
        """
        for j in range(LANES):
            v, s, x = room[V + j], room[S + j], room[X + j]
            au, aw = work[GRAD_0 + j], work[GRAD_1 + j]
            removed = v if hard > ZERO else soft
            u = v - s * removed
            work[_SUMS + LANES + j] += work[BEHIND_0 + j] * u
            work[_SUMS + 2 * LANES + j] += aw * room[KEPT + j]
            work[_SUMS + 3 * LANES + j] += aw * (v if before else u)
            work[_SUMS + 4 * LANES + j] += aw * s
            adapting = work[_A + j] * aw
            gs = room[GRAD + j] + work[_B + j] * aw
            if not before:
                au += adapting
            gv = (gs - au * removed) * slope(v - ONE) + au * (ONE - hard * s)
            if before:
                gv += adapting
            work[_SUMS + j] += gv * x
            work[GRAD_0 + j] = work[_TAU + j] * gv
            work[GRAD_1 + j] = work[_RHO + j] * aw - gv
            work[BEHIND_0 + j] = gv
            room[GRAD + j] = work[_GAIN + j] * gv

    return retreat


@cache
def forward_kernel(before, given=False):
    """Return the forward pass, see `forward_of`; `before`: w adapts on u before its reset."""
    return forward_of(_advance(before, given, False), False, given)


@cache
def backward_kernel(before, surrogate, given=False):
    """Return the backward pass, see `backward_of`."""
    return backward_of(_advance(before, given, True), _retreat(before, surrogate), False, given)
