"""Integers of a `LIF`: thresholds rounded up, leaks of as many bits as they need."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import Quantized, round_leaks, round_to, symmetric_limit
from neurossm.nodes import LIF, quantized, reals
from neurossm.quantization.choices import Around, Choice, explain, shown
from neurossm.quantization.comparisons import thresholds
from neurossm.quantization.context import QuantizeContext, quantize_node
from neurossm.quantization.fit import Fit
from neurossm.quantization.lost_states import leak_change

Ints = NDArray[np.int64]


def quantize_lif(node: LIF, fit: Fit, arriving: int | Ints, high: int, bits: int) -> LIF:
    """Return the integer node.

    Parameters
    ----------
    node
        Float node.
    fit
        What suits it.
    arriving
        Fraction bits of what arrives, one number or ``(C,)``.
    high
        Largest integer that arrives.
    bits
        Width of the register.

    Raises
    ------
    RangeError
        If a threshold that can be reached fits no format.
    """
    frac = fit.fracs(arriving, high)
    limit = symmetric_limit(bits)
    kappa = np.minimum(np.asarray(node.kappa), np.ldexp(float(limit), -np.asarray(frac)))
    return replace(
        node,
        # out of reach: the register of such a channel holds more than all that can be reached
        theta=thresholds(np.asarray(node.theta), fit.reached, frac, bits, "the threshold"),
        kappa=Quantized(round_to(kappa, frac, bits), frac, bits),
        tau=leaks_as_integers(node.tau, fit.leak),
        rho=leaks_as_integers(node.rho, fit.leak),
    )


@quantize_node.register(LIF)
def _quantize(node: LIF, to: QuantizeContext) -> LIF:
    arriving, bits = to.arriving, to.settings.state_bits
    return quantize_lif(node, to.membranes(), arriving.by_channel, arriving.high, bits)


@explain.register(LIF)
def _explain(node: LIF, made: LIF, around: Around) -> Iterator[Choice]:
    reason = "the membrane's exponent"
    yield around.thresholds("theta", made.theta, node.theta, f"{reason}, rounded up")
    yield shown_leaks("tau", made.tau, node.tau, around)
    if made.has_trace:
        yield around.parameters("kappa", made.kappa, node.kappa, reason)
        yield shown_leaks("rho", made.rho, node.rho, around)
    yield around.messages(made)


def shown_leaks(what: str, made: object, before: object, around: Around) -> Choice:
    """Return the choice of leaks, with what rounding makes of the worst of them."""
    found = quantized(made)
    change = leak_change(reals(before), int(np.max(found.frac)), around.steps)
    return around.choice(what, shown(found), "parameters", f"to nearest: {change}")


def leaks_as_integers(leaks: object, frac: int) -> Quantized:
    """Return leaks as integers of so many fraction bits."""
    mantissas = round_leaks(np.asarray(leaks, dtype=np.float64), frac)
    # a sign bit, as every parameter has one, and one more for a leak of exactly 1
    return Quantized(mantissas, frac, frac + (2 if np.any(mantissas == 2**frac) else 1))
