"""NIR's integrators and neurons as nodes, one step at a time.

A leaky state of time constant tau keeps `Convention.decay` of itself in a step and takes
``r * Convention.gain`` of its input. A membrane is measured here in units of its input, so that the
gain falls on the threshold: ``v > v_threshold`` is ``u > v_threshold / gain`` for ``v = gain u``.
NIR compares with ``>``, our nodes with ``>=``, so the least float64 beyond that is the threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import LEAK_FRAC
from neurossm.nodes import LIF, Accumulate, Affine, DiagonalSSM, Node
from neurossm_converters.nir.convention import Convention
from neurossm_converters.nir.document import Part

Real = NDArray[np.float64]
Chain = list[tuple[str, Node]]  # suffix of the name and node, in the order of the signal

SMALLEST_DECAY = 2.0 ** -(LEAK_FRAC + 1)
MAX_DIAGONAL = 4096


@dataclass(frozen=True)
class Here:
    """A NIR node where it stands.

    Parameters
    ----------
    part
        The node.
    where
        How messages call it.
    channels
        How many channels arrive.
    steps
        What a step is.
    reset
        ``nir``, ``subtract`` or ``subtract-late``.
    length
        Steps for which a running sum must have headroom; None where nobody said.
    """

    part: Part
    where: str
    channels: int
    steps: Convention
    reset: str
    length: int | None

    def values(self, name: str) -> Real:
        """Return a parameter, one value a channel."""
        return spread(self.part.numbers(name, self.where), self.channels, f"{self.where}.{name}")

    def zero(self, name: str, why: str) -> None:
        """Refuse a parameter that is not 0 everywhere."""
        values = self.values(name) if name in self.part.fields else np.zeros(1)
        if np.any(values):
            largest = values[np.abs(values).argmax()]
            raise GraphError(f"{self.where}.{name}", expected="0", got=f"{largest:g}", remedy=why)

    def positive(self, name: str) -> Real:
        """Return a parameter that must be above 0."""
        values = self.values(name)
        if not np.all(values > 0):
            raise GraphError(f"{self.where}.{name}", expected="above 0", got=f"{values.min():g}")
        return values

    def decay(self, tau: Real, name: str) -> Real:
        """Return the decay of a step; refuse one that forgets everything, or nothing, or grows."""
        decay = self.steps.decay(tau)
        if not np.all((decay >= SMALLEST_DECAY) & (decay < 1)):
            worst = tau.min() if decay.min() < SMALLEST_DECAY else tau.max()
            raise GraphError(
                f"{self.where}.{name}",
                expected="a state that keeps something and loses something in a step of "
                f"{self.steps.step:g} ({self.steps.unit})",
                got=f"a time constant of {worst:g}",
                remedy="check --dt, --tau-unit and --convention; no memory at all is a Threshold",
            )
        return decay


def spread(values: Real, size: int, where: str) -> Real:
    """Return flat values, one a channel; a single value is repeated."""
    flat = values.ravel()
    if flat.size not in (1, size):
        raise GraphError(where, expected=f"1 or {size} values", got=f"shape {values.shape}")
    return np.array(np.broadcast_to(flat, (size,)))


def leaky_integrator(here: Here) -> Chain:
    """LI: a real pole read as it is."""
    here.zero("v_leak", "add v_leak / r to the bias of the Affine in front")
    tau, r = here.positive("tau"), here.values("r")
    return [("", real_pole(here, here.decay(tau, "tau"), r * here.steps.gain(tau)))]


def integrator(here: Here) -> Chain:
    """I: a running sum of ``r dt`` times the input."""
    if here.length is None:
        raise GraphError(
            here.where,
            expected="the length of a sequence, for the headroom of a running sum",
            got="none",
            remedy="give --steps",
        )
    total = Accumulate(channels=here.channels, steps=here.length)
    gain = here.values("r") * here.steps.step
    if np.all(gain == 1):
        return [("", total)]
    return [("gain", diagonal(gain, here.where)), ("", total)]


def neuron(here: Here) -> Chain:
    """LIF: membrane, threshold, reset."""
    _check_rest(here)
    tau, r = here.positive("tau"), here.positive("r")
    return [("", _membrane(here, here.decay(tau, "tau"), r * here.steps.gain(tau)))]


def integrate_and_fire(here: Here) -> Chain:
    """IF: a membrane that does not leak."""
    _check_rest(here)
    return [("", _membrane(here, np.ones(here.channels), here.positive("r") * here.steps.integral))]


def synaptic_neuron(here: Here) -> Chain:
    """CubaLIF: a leaky current into a membrane."""
    _check_rest(here)
    synapse, decay = _synapse(here)
    return [("synapse", synapse), ("", _membrane(here, decay, np.ones(here.channels)))]


def synaptic_integrator(here: Here) -> Chain:
    """CubaLI: a leaky current into a leaky integrator."""
    here.zero("v_leak", "add v_leak to what reads it")
    synapse, decay = _synapse(here)
    return [("synapse", synapse), ("", real_pole(here, decay, np.ones(here.channels)))]


def diagonal(scale: Real, where: str) -> Affine:
    """Return channelwise factors as the diagonal matrix that they are."""
    if scale.size > MAX_DIAGONAL:
        raise GraphError(
            where,
            expected=f"at most {MAX_DIAGONAL} channels scaled one by one",
            got=str(scale.size),
            remedy="multiply the factors into a Linear beside it",
        )
    return Affine(weight=np.diag(scale), bias=np.zeros(scale.size))


def real_pole(here: Here, decay: Real, gain: Real, read: Real | float = 1, past: Real | float = 0
              ) -> DiagonalSSM:  # fmt: skip
    """Return ``x' = decay x + gain u``, ``y = read x' + past u`` in each channel."""
    column, zeros = (here.channels, 1), np.zeros((here.channels, 1))
    read = np.broadcast_to(np.asarray(read, dtype=np.float64), (here.channels,))
    past = np.broadcast_to(np.asarray(past, dtype=np.float64), (here.channels,))
    return DiagonalSSM(
        a_re=decay.reshape(column), a_im=zeros, b_re=gain.reshape(column), b_im=zeros,
        c_re=read.reshape(column) / 2, c_im=zeros, d=past, drive_re=zeros, drive_im=zeros,
        bias=np.zeros(here.channels), step_size=np.full(here.channels, here.steps.dt),
        method="zoh",
    )  # fmt: skip


def _check_rest(here: Here) -> None:
    here.zero("v_leak", "shift v_threshold and v_reset by v_leak, so that rest is 0")
    here.zero("v_reset", "neurossm resets to 0; shift the membrane so that it does")


def _synapse(here: Here) -> tuple[DiagonalSSM, Real]:
    """Return what a membrane of gain 1 must receive in a step, and its decay.

    With current I, ``I' = ds I + jump S``, the membrane receives ``old I + now S``. The state of
    the node is I', so that is ``(old/ds) I' + (now - old jump/ds) S``.
    """
    tau_syn, tau_mem = here.positive("tau_syn"), here.positive("tau_mem")
    r, weight, steps = here.positive("r"), _input_weight(here), here.steps
    ds, dm = here.decay(tau_syn, "tau_syn"), here.decay(tau_mem, "tau_mem")
    jump, gain = weight * steps.gain(tau_syn), r * steps.gain(tau_mem)
    if steps.is_exact:
        # both equations solved together over the step, the input held:
        # old = r/tau_mem times the integral of exp(-(dt-s)/tau_mem - s/tau_syn) over s
        x = steps.step * (1 / tau_mem - 1 / tau_syn)
        old = r * steps.step / tau_mem * dm * _expm1_over(x)
        now = weight * (gain - old)
    elif steps.name == "snntorch":  # the current moves first: gain I'
        old, now = gain * ds, gain * jump
    elif steps.name == "norse":  # a spike is a jump that the membrane sees before the decay
        jump, old, now = ds * weight, gain, gain * weight
    else:  # both equations from the state before the step
        old, now = gain, np.zeros(here.channels)
    return real_pole(here, ds, jump, old / ds, now - old * jump / ds), dm


def _expm1_over(x: Real) -> Real:
    """Return ``(exp(x) - 1) / x``, 1 at 0."""
    safe = np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, np.expm1(safe) / safe)


def _input_weight(here: Here) -> Real:
    return here.values("w_in") if "w_in" in here.part.fields else np.ones(here.channels)


def _membrane(here: Here, decay: Real, gain: Real) -> LIF:
    v_threshold = here.values("v_threshold")
    if not np.all(v_threshold >= 0):
        raise GraphError(
            f"{here.where}.v_threshold", expected="at least 0", got=f"{v_threshold.min():g}"
        )
    zeros = np.zeros(here.channels)
    theta = least_above(v_threshold, gain)
    # without leak it makes no difference whether a step later what is subtracted has decayed
    if here.reset != "subtract-late" or np.all(decay == 1):
        reset = "hard" if here.reset == "nir" else "soft"
        return LIF(theta=theta, tau=decay, rho=zeros, kappa=zeros, reset=reset)
    # what was subtracted decays as the membrane does: kept apart, it is the refractory trace
    return LIF(theta=theta, tau=decay, rho=decay, kappa=v_threshold / gain, reset="none")


def least_above(bound: Real, gain: Real) -> Real:
    """Return the least float64 ``x`` with ``gain x > bound`` as real numbers, ``gain > 0``."""
    pairs, index = np.unique(np.stack([bound, gain]), axis=1, return_inverse=True)
    found = [_least_above(float(limit), float(factor)) for limit, factor in pairs.T]
    return np.array(found)[index.ravel()]


def _least_above(bound: float, gain: float) -> float:
    x, factor, limit = bound / gain, Fraction(gain), Fraction(bound)
    while Fraction(x) * factor <= limit:
        x = math.nextafter(x, math.inf)
    while Fraction(below := math.nextafter(x, -math.inf)) * factor > limit:
        x = below
    return x
