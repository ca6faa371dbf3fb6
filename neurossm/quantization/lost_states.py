"""States that quantizing lost: leaks that moved, units too coarse, thresholds out of reach."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import MESSAGE_BITS, Quantized, round_leaks
from neurossm.nodes import LIF, ComplexDiagonal, DiagonalSSM, quantized, reals
from neurossm.quantization.headroom import moved_responses
from neurossm.quantization.lost import DRIFT, SHARE, WIDEST, At, Loss, lost_of_type, unit_of
from neurossm.quantization.membranes import LEAK_ERROR, response_errors
from neurossm.quantization.reach import summed
from neurossm.quantization.response import LONGEST, Recurrence

Reals = NDArray[np.float64]


@lost_of_type.register(LIF)
def _leaky(node: LIF, made: LIF, at: At) -> Iterator[Loss]:
    yield from leaks(at, ("tau", "rho") if node.has_trace else ("tau",))
    yield from _membranes(node, made, at)


def leaks(at: At, names: tuple[str, ...]) -> Iterator[Loss]:
    """Yield leaks of a neuron, by the names of its fields, whose response moved."""
    for what in names:
        before, frac = reals(getattr(at.real, what)), _frac(getattr(at.made, what))
        errors = response_errors(before, frac, at.steps)
        bad = errors > SHARE
        if not bad.any():
            continue
        wider = range(frac + 1, WIDEST)
        fits = (bits for bits in wider
                if np.all(response_errors(before, bits, at.steps) <= LEAK_ERROR))  # fmt: skip
        reason = leak_change(before, frac, at.steps)
        yield at.loss(what, bad, reason, bits=next(fits, None), setting="leak_bits")


def _frac(parameter: object) -> int:
    return int(np.max(quantized(parameter).frac))


def leak_change(leaks: Reals, frac: int, steps: int) -> str:
    """Return what rounding does to the leak of the worst channel, in words."""
    worst = int(np.argmax(response_errors(leaks, frac, steps)))
    both = np.array([leaks[worst], round_leaks(leaks, frac)[worst] * 2.0**-frac])
    before, after = (_time(float(leak)) for leak in both)
    responses = summed(both, steps)
    change = responses[1] / responses[0]
    return (
        f"time constant {before} -> {after} steps in channel {worst}:"
        f" its response {change - 1:+.2%} in {steps:,} steps"
    )


def _time(leak: float) -> str:
    """Return the time constant of a leak in steps: after it, 1/e is left."""
    if leak <= 0:
        return "0"
    return f"{-1 / math.log(leak):,.4g}" if leak < 1 else "infinite"


def _membranes(node: LIF, made: LIF, at: At) -> Iterator[Loss]:
    """Yield membranes whose unit is too coarse for their leak, beside their threshold."""
    theta, silent = quantized(made.theta), silenced(at)
    unit = np.exp2(-np.ravel(theta.frac_by_channel()).astype(float))
    for what, kept in (("membrane", made.tau), ("trace", made.rho)):
        if what == "trace" and not node.has_trace:
            continue
        leak = reals(kept)
        lost = np.where((leak > 0) & (leak < 1), 1 - leak, 1.0)
        yield from drifts(at, what, unit / lost, theta)
    gone = (reals(node.kappa) > 0) & (quantized(made.kappa).values == 0) & ~silent
    if gone.any():
        worst = int(np.argmax(np.where(gone, reals(node.kappa), 0.0)))
        reason = f"up to {reals(node.kappa)[worst]:.3g} became 0; {unit_of(theta, worst)}"
        yield at.loss("kappa", gone, reason)


def drifts(at: At, what: str, lost: Reals, state: Quantized) -> Iterator[Loss]:
    """Yield what the shifts of a state add up to, `lost` in real units, beside the threshold."""
    theta, made = _thresholds(at)
    unit = np.exp2(-np.ravel(made.frac_by_channel()).astype(float))
    # a threshold below any unit ("above 0") is one unit, and no share of it says anything
    fine = silenced(at) | (theta < unit)
    drift = np.where(fine, 0.0, lost / np.maximum(theta, unit))
    bad = drift > DRIFT
    if bad.any():
        worst = int(np.argmax(drift))
        reason = (
            f"what its shift drops adds up to {drift[worst]:.1%} of the threshold in channel"
            f" {worst}; {unit_of(state, worst)}"
        )
        bits = state.bits + math.ceil(math.log2(drift[worst] / DRIFT))
        yield at.loss(what, bad, reason, bits=bits, setting="state_bits")


def silenced(at: At) -> NDArray[np.bool_]:
    """Tell which thresholds are out of reach: another number stands for them, not just rounded."""
    before, after = _thresholds(at)
    unit = np.exp2(-after.frac_by_channel().astype(float))
    return np.asarray(np.abs(before - after.dequantize()) > unit)


def _thresholds(at: At) -> tuple[Reals, Quantized]:
    name = _threshold_name(at)
    return reals(getattr(at.real, name)), quantized(getattr(at.made, name))


def _threshold_name(at: At) -> str:
    names = (name for name, role in at.real.roles.items() if role.label == "threshold")
    return next(names, "")


def thresholds(at: At) -> Iterator[Loss]:
    """Yield thresholds that the unit of what arrives is not small beside, or that are too far."""
    if name := _threshold_name(at):
        if at.real.roles[name].is_compared:
            yield from _comparisons(at)
        yield from _out_of_reach(at)


def _out_of_reach(at: At) -> Iterator[Loss]:
    """Yield thresholds that no input reaches."""
    silent = silenced(at)
    if silent.any():
        before, after = _thresholds(at)
        first = int(np.flatnonzero(silent)[0])
        reason = (
            f"no input reaches {before[first]:.3g} in channel {first}:"
            f" {after.dequantize()[first]:.3g} stands for it"
        )
        yield at.loss("threshold", silent, reason)


def _comparisons(at: At) -> Iterator[Loss]:
    """Yield thresholds beside which a unit of what they are compared with is not small."""
    before, after = _thresholds(at)
    unit = np.exp2(-np.ravel(after.frac_by_channel()).astype(float))
    share = np.divide(unit * at.terms, np.abs(before), out=np.zeros_like(unit), where=before != 0)
    share = np.where(silenced(at), 0.0, share)
    coarse = share > DRIFT
    if coarse.any():
        worst = int(np.argmax(share))
        reason = (
            f"what arrives may be off by {share[worst]:.1%} of the threshold in channel {worst};"
            f" {unit_of(after, worst)}"
        )
        bits = MESSAGE_BITS + math.ceil(math.log2(share[worst] / DRIFT))
        yield at.loss("message", coarse, reason, bits=bits)


@lost_of_type.register(DiagonalSSM)
@lost_of_type.register(ComplexDiagonal)
def _responses(node: Recurrence, made: Recurrence, at: At) -> Iterator[Loss]:
    """Yield channels of complex states whose impulse response moved."""
    away = moved_responses(node, made, min(at.steps, LONGEST))
    bad = away > SHARE
    if bad.any():
        worst = int(np.argmax(away))
        reason = f"the impulse response of channel {worst} is off by {away[worst]:.1%}"
        bits = quantized(made.a_re).bits + math.ceil(math.log2(away[worst] / SHARE))
        yield at.loss("poles and gains", bad, reason, bits=bits, setting="pole_bits")
