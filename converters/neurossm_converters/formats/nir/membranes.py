"""NIR's neurons as nodes, one step at a time: `LIF`, `IF`, `CubaLIF`.

A membrane is measured here in units of its input, and from its reset, where it starts: so the gain
falls on the threshold, ``v > v_threshold`` is ``u > (v_threshold - v_reset) / gain``, and a resting
state other than the reset is a constant that is added to the input. NIR compares with ``>``, our
nodes with ``>=``, so the least float64 beyond that is the threshold. What a tool compares with, and
what it does after a spike, is the convention's, or the user's word.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.nodes import LIF
from neurossm_converters.formats.nir.convention import Convention
from neurossm_converters.formats.nir.leaky import (
    Chain,
    NodeContext,
    current,
    diagonal,
    steps_are_torch,
)
from neurossm_converters.formats.nir.neurons import membrane
from neurossm_converters.formats.nir.rates import simplest

Real = NDArray[np.float64]

NO_DRIVE = 2.0**12  # a threshold that so many inputs of 1 do not reach
SLOW = 2.0**-12  # of a membrane that keeps nearly all


def neuron(here: NodeContext) -> Chain:
    """LIF: membrane, threshold, reset."""
    keep, share = here.leak("tau", still=True)
    gain = gain_of(here)
    lead = here.drive(share, _start(here)) / gain
    chain: Chain = []
    if np.any(lead) and not here.lead(lead):
        chain = [("leak", diagonal(np.ones(here.channels), here.where, lead))]
    return [*chain, ("", _membrane(here, keep, gain, share))]


def integrate_and_fire(here: NodeContext) -> Chain:
    """IF: a membrane that does not leak."""
    _check_tool_has_if(here)
    ones = np.ones(here.channels)
    return [("", _membrane(here, ones, gain_of(here), ones))]


def gain_of(here: NodeContext) -> Real:
    """Return what an input of 1 adds in a step to the membrane of a LIF or IF."""
    if "tau" not in here.part.fields:
        gain = here.positive("r") * here.steps.integral
        gain = simplest(gain, gain * here.rough("r"))
        if here.steps.name == "spikingjelly":
            _check_step_of_spikingjelly(here, gain)
        return gain
    _, share = here.leak("tau", still=True)
    r = here.positive("r", infinite=steps_are_torch(here))
    if here.steps.name == "spikingjelly":
        _check_step_of_spikingjelly(here, np.where(r == 1, 1.0, r * share))
    return here.gain("r", "tau", share, r)


def synaptic_neuron(here: NodeContext) -> Chain:
    """CubaLIF: a leaky current into a membrane."""
    start = _start(here)
    synapse, keep, share = current(here, lambda share: here.drive(share, start))
    return [("synapse", synapse), ("", _membrane(here, keep, np.ones(here.channels), share))]


def _start(here: NodeContext) -> Real:
    """Return where a membrane starts and where a spike leaves it."""
    v_reset = here.rest("v_reset")
    name = f"{here.where}.v_reset"
    if here.reset != "nir" and np.any(v_reset):
        raise GraphError(
            name,
            expected=f"0 where the reset is {here.reset!r}, which does not use it",
            got=f"{v_reset[np.abs(v_reset).argmax()]:g}",
            remedy=f"--reset {here.name}=nir resets to v_reset",
        )
    if here.steps.is_norse and np.any(v_reset != here.rest("v_leak")):
        raise GraphError(
            name,
            expected="v_leak, where Norse starts its membranes",
            got=f"{v_reset[0]:g}, and {here.rest('v_leak')[0]:g}",
            remedy="neurons here start where a spike leaves them; train with v_reset = v_leak",
        )
    return v_reset


def _check_tool_has_if(here: NodeContext) -> None:
    """Refuse neurons without leak of tools that write none: a step would scale their input."""
    tool = {"snntorch": "snnTorch", "rockpool": "Rockpool"}.get(here.steps.name)
    if tool is not None:
        raise GraphError(
            here.where,
            expected=f"neurons that {tool} writes (LIF, CubaLIF)",
            got="IF, which it never writes",
            remedy="name the tool that wrote the file, such as --convention sinabs or norse, or"
            " --convention euler with --dt",
        )


def _check_step_of_spikingjelly(here: NodeContext, gain: Real) -> None:
    if not np.allclose(gain, 1, rtol=1e-6):
        raise GraphError(
            f"{here.where}.r",
            expected="an input added as it is, as SpikingJelly writes it",
            got=f"{gain[0]:g} of it in a step of {here.steps.step:g} s",
            remedy=f"say the dt of its export: --dt {here.steps.step / float(gain[0]):.6g}",
        )


def _membrane(here: NodeContext, keep: Real, gain: Real, share: Real) -> LIF:
    v_threshold, start = here.values("v_threshold", infinite=True), _start(here)
    bound = v_threshold - start
    if not np.all(bound >= 0):
        worst = int(bound.argmin())
        raise GraphError(
            f"{here.where}.v_threshold",
            expected=f"at least v_reset, {start[worst]:g}",
            got=f"{v_threshold[worst]:g}",
        )
    if here.compare == "ge" and not np.all(bound > 0):
        raise GraphError(
            f"{here.where}.v_threshold",
            expected="above v_reset where neurons spike at the threshold (they would in silence)",
            got=f"{v_threshold[bound.argmin()]:g}",
            remedy=f"--compare {here.name}=gt spikes above it only",
        )
    _check_drive(here, bound / gain, share)
    how = {"nir": "hard", "none": "none"}.get(here.reset, "soft")
    # an exact threshold where it is subtracted too
    single = here.steps.is_single and here.reset != "subtract"
    if here.reset == "subtract-late" and not np.all(keep == 1):
        return membrane(
            keep, gain, bound, reset="trace", compare=here.compare, single=single, taken=bound
        )
    return membrane(keep, gain, bound, reset=how, compare=here.compare, single=single)


def _meant(steps: Convention) -> str:
    """Return how to say that the unit is the right one."""
    if steps.is_single:
        name, unit = ("exact", "s") if steps.is_exact else ("euler", "s")
        return f"; if it is so meant, --convention {name} --tau-unit {unit} --dt {steps.step:g}"
    return f"; if it is so meant, say --tau-unit {steps.unit}"


def _check_drive(here: NodeContext, reach: Real, share: Real) -> None:
    """Refuse a membrane that hardly leaks and is hardly driven, if another unit explains it."""
    steps = here.steps
    silent = (share < SLOW) & (share > 0) & (reach > NO_DRIVE) & np.isfinite(reach)
    if steps.said or not steps.others or not np.any(silent):
        return
    worst = int(silent.argmax())
    raise GraphError(
        here.where,
        expected=f"a membrane that leaks and is driven in a step of {steps.step:g} ({steps.unit})",
        got=f"a leak of {share[worst]:.2g}, a threshold of {reach[worst]:.2g} inputs",
        remedy=steps.hint() + _meant(steps),
    )
