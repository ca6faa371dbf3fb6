"""The context of a NIR node, and NIR's integrators: `LI`, `I`, `CubaLI`, the synapse of `CubaLIF`.

A leaky state of time constant tau keeps a part of itself in a step and takes ``r`` times the share
that left of its input; `neurossm_converters.formats.nir.rates` says which part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import LEAK_FRAC
from neurossm.nodes import Accumulate, Affine, DiagonalSSM, Node
from neurossm_converters.formats.nir.convention import Convention
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.nir.neurons import real_pole
from neurossm_converters.formats.nir.rates import leaks, roughness, simplest

Real = NDArray[np.float64]
Chain = list[tuple[str, Node]]  # suffix of the name and node, in the order of the signal

SMALLEST_DECAY = 2.0 ** -(LEAK_FRAC + 1)
MAX_DIAGONAL = 4096


@dataclass(frozen=True)
class NodeContext:
    """A NIR node with what is known of its surroundings.

    Parameters
    ----------
    part
        The node.
    name
        Its name in the file.
    where
        How messages call it.
    channels
        How many channels arrive.
    steps
        What a step is.
    reset
        ``nir``, ``subtract``, ``subtract-late`` or ``none``.
    compare
        ``gt`` or ``ge``.
    length
        Steps for which a running sum must have headroom; None where nobody said.
    lead
        Adds a constant to what arrives, in the node in front; False where there is none to take it.
    spikes
        Whether spikes arrive.
    shape
        Channels and space of what arrives; None where nothing in front says so.
    """

    part: Part
    name: str
    where: str
    channels: int
    steps: Convention
    reset: str
    compare: str
    length: int | None
    lead: Callable[[Real], bool]
    spikes: bool = False
    shape: tuple[int, ...] | None = None

    def values(self, name: str, infinite: bool = False) -> Real:
        """Return a parameter, one value a channel."""
        found = self.part.numbers(name, self.where, infinite)
        return spread(found, self.channels, f"{self.where}.{name}")

    def rest(self, name: str) -> Real:
        """Return a parameter that is 0 where the file does not have it."""
        return self.values(name) if name in self.part.fields else np.zeros(self.channels)

    def positive(self, name: str, infinite: bool = False) -> Real:
        """Return a parameter that must be above 0."""
        values = self.values(name, infinite)
        if not np.all(values > 0):
            raise GraphError(f"{self.where}.{name}", expected="above 0", got=f"{values.min():g}")
        return values

    def rough(self, *names: str) -> float:
        """Return the relative error of quotients of parameters."""
        stored = (self.part.fields[name] for name in names if name in self.part.fields)
        return roughness(self.steps, *(item for item in stored if not isinstance(item, str)))

    def leak(self, name: str, still: bool = False) -> tuple[Real, Real]:
        """Return what a state keeps in a step, and the share that it loses.

        Refused is a state that forgets everything, or nothing, or grows; a beta of 0 or, with
        `still`, of 1 is what snnTorch writes on purpose.
        """
        torch = self.steps.name == "snntorch"
        tau = self.positive(name, infinite=torch)
        keep, share = leaks(self.steps, tau, self.rough(name))
        fits = (keep >= SMALLEST_DECAY) & (keep < 1)
        fits |= torch & ((keep == 0) | (still & (tau == np.inf)))
        if not np.all(fits):
            worst = tau[~fits].min() if keep.min() < SMALLEST_DECAY else tau.max()
            raise GraphError(
                f"{self.where}.{name}",
                expected="a state that keeps something and loses something in a step of "
                f"{self.steps.step:g} ({self.steps.unit})",
                got=f"a time constant of {worst:g}",
                remedy=self.steps.hint(),
            )
        return keep, share

    def gain(self, name: str, leak: str, share: Real, r: Real) -> Real:
        """Return what a held input of 1 adds in a step to a state with a resistance or weight."""
        rough = self.rough(name, leak)
        if self.steps.name == "snntorch":
            # r dt / tau is 1 by construction; with tau and r infinite too
            with np.errstate(invalid="ignore"):
                built = np.where(np.isinf(r), 1.0, r * self.steps.step / self.values(leak, True))
            if np.all(np.abs(built - 1) <= 4 * rough):
                return np.ones(self.channels)
        if self.steps.name == "rockpool" and leak != "tau_syn":
            # what is written is alpha tau / dt (before: tau / dt); what is added is the input
            tau = self.values(leak)
            built = r * self.steps.step / tau
            if np.allclose(built, 1 - share, rtol=1e-5) or np.allclose(built, 1, rtol=1e-5):
                return np.ones(self.channels)
            raise GraphError(
                f"{self.where}.{name}",
                expected="what Rockpool writes: tau exp(-dt/tau) / dt",
                got=f"{r[0]:g} for a tau of {tau[0]:g} s and a dt of {self.steps.step:g} s",
                remedy=_step_of_rockpool(r, tau),
            )
        found = r * share
        return simplest(found, np.abs(found) * rough)

    def drive(self, share: Real, start: Real | float = 0.0) -> Real:
        """Return what the resting state adds in a step, measured from `start`."""
        return share * (self.rest("v_leak") - start)


def _step_of_rockpool(r: Real, tau: Real) -> str:
    """Return what to do: the one step by which Rockpool's r would follow from all tau, if any.

    ``r = exp(-x) / x`` with ``x = dt / tau``: Newton's steps on ``x + log x = -log r``.
    """
    x = np.where(r < 1, 1.0, 1 / (r + 1))
    with np.errstate(all="ignore"):
        for _ in range(60):
            x = np.maximum(x - (x + np.log(x) + np.log(r)) * x / (1 + x), x / 10)
        dt = x * tau
    if np.all(np.isfinite(dt)) and np.allclose(dt, dt[0], rtol=1e-5):
        return f"say the dt of the network: --dt {dt[0]:.8g}"
    return "no dt makes sense of it: name the tool that wrote the file with --convention"


def spread(values: Real, size: int, where: str) -> Real:
    """Return flat values, one a channel; a single value is repeated."""
    flat = values.ravel()
    if flat.size not in (1, size):
        raise GraphError(where, expected=f"1 or {size} values", got=f"shape {values.shape}")
    return np.array(np.broadcast_to(flat, (size,)))


def leaky_integrator(here: NodeContext) -> Chain:
    """LI: a real pole read as it is."""
    (keep, share), r = here.leak("tau"), here.values("r")
    if here.steps.name == "rockpool":  # ExpSyn: the file's r tau / dt is exp(-dt / tau)
        gain = simplest(r * here.steps.step / here.values("tau"), keep * here.rough("tau", "r"))
    else:
        gain = here.gain("r", "tau", share, r)
    return [("", resting(here, keep, share, gain))]


def integrator(here: NodeContext) -> Chain:
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
    gain = simplest(gain, np.abs(gain) * here.rough("r"))
    if np.all(gain == 1):
        return [("", total)]
    return [("gain", diagonal(gain, here.where)), ("", total)]


def synaptic_integrator(here: NodeContext) -> Chain:
    """CubaLI: a leaky current into a leaky integrator."""
    synapse, keep, share = current(here)
    ones = np.ones(here.channels)
    return [("synapse", synapse), ("", resting(here, keep, share, ones))]


def resting(here: NodeContext, keep: Real, share: Real, gain: Real) -> DiagonalSSM:
    """Return a leaky integrator with its resting state.

    It starts at 0 and is drawn to v_leak; in Norse it starts there.
    """
    if here.steps.is_norse:
        return pole(here, keep, gain, bias=here.rest("v_leak"))
    return pole(here, keep, gain, drive=here.drive(share))


def diagonal(scale: Real, where: str, bias: Real | None = None) -> Affine:
    """Return channelwise factors as the diagonal matrix that they are."""
    if scale.size > MAX_DIAGONAL:
        raise GraphError(
            where,
            expected=f"at most {MAX_DIAGONAL} channels scaled or moved one by one",
            got=str(scale.size),
            remedy="put the factors, or the constant, into a Linear or Affine of its own in front",
        )
    return Affine(weight=np.diag(scale), bias=np.zeros(scale.size) if bias is None else bias)


def pole(
    here: NodeContext, keep: Real, gain: Real, read: Real | float = 1, past: Real | float = 0,
    drive: Real | float = 0, bias: Real | float = 0,
) -> DiagonalSSM:  # fmt: skip
    """Return a leaky state with the step of where it stands."""
    step = here.steps.dt or here.steps.step
    return real_pole(keep, gain, step, read, past, drive, bias)


def current(here: NodeContext, bias: Callable[[Real], Real] | None = None
            ) -> tuple[DiagonalSSM, Real, Real]:  # fmt: skip
    """Return what a membrane of gain 1 must receive in a step, what it keeps, what it loses.

    With current I, ``I' = ds I + jump S``, the membrane receives ``old I + now S``. The state of
    the node is I', so that is ``(old/ds) I' + (now - old jump/ds) S``.

    Parameters
    ----------
    here
        A `CubaLI` or `CubaLIF`.
    bias
        What to add to that at each step, from the share that the membrane loses.
    """
    (ds, synaptic), (dm, share) = here.leak("tau_syn"), here.leak("tau_mem", still=True)
    r, steps = here.positive("r", infinite=steps_are_torch(here)), here.steps
    weight = input_weight(here)
    jump = here.gain("w_in", "tau_syn", synaptic, weight)
    gain = here.gain("r", "tau_mem", share, r)
    read, past = np.zeros(0), np.zeros(0)
    if steps.name in ("snntorch", "spikingjelly"):  # the current moves first: gain I'
        read, past = gain, 0 * gain
    elif steps.name == "rockpool":  # a spike is added, all of it decays, the membrane takes it
        jump, read, past = ds * weight, gain, 0 * gain
    elif steps.is_norse:  # a spike is a jump that the membrane sees before the decay
        jump, read, past = ds * weight, gain / ds, 0 * gain
    elif steps.is_exact:
        # both equations solved together over the step, the input held:
        # old = r/tau_mem times the integral of exp(-(dt-s)/tau_mem - s/tau_syn) over s
        tau_syn, tau_mem = here.values("tau_syn"), here.values("tau_mem")
        x = steps.step * (1 / tau_mem - 1 / tau_syn)
        old = r * steps.step / tau_mem * dm * _expm1_over(x)
        read, past = old / ds, weight * (gain - old) - old * jump / ds
    else:  # both equations from the state before the step
        read, past = gain / ds, -gain * jump / ds
    given = 0.0 if bias is None else bias(share)
    return pole(here, ds, jump, read, past, bias=given), dm, share


def steps_are_torch(here: NodeContext) -> bool:
    """Return whether infinity is what a beta of 1 comes as."""
    return here.steps.name == "snntorch"


def input_weight(here: NodeContext) -> Real:
    """Return the weight of a synapse, 1 where the file has none."""
    return here.values("w_in") if "w_in" in here.part.fields else np.ones(here.channels)


def _expm1_over(x: Real) -> Real:
    """Return ``(exp(x) - 1) / x``, 1 at 0."""
    safe = np.where(x == 0, 1.0, x)
    return np.where(x == 0, 1.0, np.expm1(safe) / safe)
