"""Neurons of snnTorch (1.0.0): `Leaky`, `Lapicque`, `Synaptic`, `Alpha`, `StateLeaky`.

`RLeaky` and `RSynaptic` are driven by their own spikes of the step before too.

snnTorch compares with ``>``. With its default, ``reset_mechanism="subtract"`` and
``reset_delay=True``, the threshold is subtracted in the step after the spike from a membrane that
has decayed already::

    mem = beta mem + x - threshold s      s = 1[mem > threshold]

which is a membrane without reset and a trace of what was subtracted (`LIF` with kappa). With
``"zero"`` the membrane is zero before it decays, a hard reset.

States start at zero, as after ``snntorch.utils.reset(model)``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from neurossm.nodes import Affine, DiagonalSSM, Threshold
from neurossm_converters.formats.nir.leaky import diagonal
from neurossm_converters.formats.nir.rates import least
from neurossm_converters.formats.torch.builder import Builder, array, bias_of
from neurossm_converters.formats.torch.foreign.place import STEP, Place, Real, is_single

RESETS = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}


def leaky(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `snntorch.Leaky`."""
    at = _place(builder, path, module, source)
    beta = at.each(at.module.beta.clamp(0, 1), "beta")
    how, taken = _reset(at)
    return _fire(at, beta, np.ones(at.channels), how, taken)


def lapicque(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `snntorch.Lapicque`; the input of the step behind a spike is lost where it is zeroed."""
    at = _place(builder, path, module, source)
    keep, gain = _lapicque_rates(at)
    if _mechanism(at) == "zero":
        at.refuse("reset_mechanism", '"subtract" or "none"', '"zero", which loses an input too',
                  'use reset_mechanism="subtract", or Leaky')  # fmt: skip
    how, taken = _reset(at)
    return _fire(at, keep, gain, how, taken)


def synaptic(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `snntorch.Synaptic`: the current moves first, the membrane takes what it became."""
    at = _place(builder, path, module, source)
    beta = at.each(at.module.beta.clamp(0, 1), "beta")
    _check_zero(at)
    how, taken = _reset(at)
    ones = np.ones(at.channels)
    return _fire(at, beta, ones, how, taken, _current(at))


def recurrent_leaky(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `snntorch.RLeaky`."""
    at = _place(builder, path, module, source)
    _check_zero(at)

    def fire(inner: Place) -> str:
        beta = inner.each(at.module.beta.clamp(0, 1), "beta")
        return _spikes(inner, beta, np.ones(at.channels), *_reset(at))

    return _graded(at, at.fed_back(at.channels, _back(at), fire))


def recurrent_synaptic(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `snntorch.RSynaptic`; its ``reset_delay=False`` changes nothing in its own forward."""
    at = _place(builder, path, module, source)
    if _mechanism(at) == "zero":
        at.refuse("reset_mechanism", '"subtract" or "none"', '"zero", which loses an input too',
                  'use reset_mechanism="subtract", or RLeaky with reset_delay=False')  # fmt: skip

    def fire(inner: Place) -> str:
        beta = inner.each(at.module.beta.clamp(0, 1), "beta")
        return _spikes(inner, beta, np.ones(at.channels), *_reset(at), _current(inner))

    return _graded(at, at.fed_back(at.channels, _back(at), fire))


def alpha(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `snntorch.Alpha` without reset: two currents and a comparison, no membrane."""
    at = _place(builder, path, module, source)
    if _mechanism(at) != "none":
        at.refuse("reset_mechanism", '"none"', f'"{_mechanism(at)}", which resets the currents',
                  'use reset_mechanism="none", or Synaptic')  # fmt: skip
    filtered = _two_currents(at)
    bound = at.each(at.module.threshold, "threshold")
    if not np.all(bound >= 0):
        at.refuse("threshold", "at least 0", f"{bound.min():g}",
                  "raise it: these neurons spike in silence")  # fmt: skip
    theta = least(bound, np.ones(at.channels), "gt", is_single(at.module.threshold))
    return _graded(at, at.add(Threshold(theta=theta), source=filtered))


def state_leaky(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `snntorch.StateLeaky`: a leaky membrane that is never reset, or its spikes."""
    at = _place(builder, path, module, source)
    at.require("kernel_truncation_steps", None, "use kernel_truncation_steps=None")
    keep = at.each(torch.exp(-1 / at.module.tau), "tau")
    if not at.module.output:
        return at.pole(keep, np.ones(at.channels))
    spikes = _fire(at, keep, np.ones(at.channels), "none", None)
    # its forward multiplies by the factor once more than `fire` does
    return at.scaled(_factor(at), "graded_again", spikes)


def membrane(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add the membrane that a neuron returns beside its spikes, where it is never reset."""
    at = _place(builder, path, module, source)
    kind = type(module).__name__
    if kind != "StateLeaky" and _mechanism(at) != "none":
        at.refuse("membrane as an output", 'reset_mechanism="none"', f'"{_mechanism(at)}"',
                  'read its spikes, or use reset_mechanism="none" in this layer')  # fmt: skip
    if kind == "Alpha":
        return _two_currents(at, "mem")
    ones = np.ones(at.channels)
    if kind == "StateLeaky":
        return at.pole(at.each(torch.exp(-1 / at.module.tau), "tau"), ones, "mem")
    if kind == "Lapicque":
        keep, gain = _lapicque_rates(at)
        return at.pole(keep, gain, "mem")
    beta = at.each(at.module.beta.clamp(0, 1), "beta")
    driven = _current(at) if kind == "Synaptic" else ""
    return at.pole(beta, ones, "mem", driven)


CONVERTERS = {
    "Leaky": leaky,
    "Lapicque": lapicque,
    "Synaptic": synaptic,
    "Alpha": alpha,
    "StateLeaky": state_leaky,
    "RLeaky": recurrent_leaky,
    "RSynaptic": recurrent_synaptic,
}

# the last output, (spikes, membrane)
MEMBRANES = dict.fromkeys(("Leaky", "Lapicque", "Synaptic", "Alpha", "StateLeaky"), membrane)

REMEDIES = {
    "LeakyParallel": "train with Leaky: its ReLU cuts negative membranes",
    "LinearLeaky": "use a Linear and a StateLeaky",
    "SLSTM": "train with Leaky or Synaptic",
    "SConv2dLSTM": "train with Leaky or Synaptic",
    "DeltaLeaky": "train with Leaky",
    "AssociativeLeaky": "train with Leaky",
}


def _place(builder: Builder, path: str, module: torch.nn.Module, source: str) -> Place:
    at = Place(builder, path, module, source, "snnTorch")
    at.require("inhibition", False, "train with inhibition=False")
    at.require("state_quant", False, "train with state_quant=False; 'neurossm quantize' makes"
               " integers")  # fmt: skip
    at.check_step(at.module.spike_grad, "gt", "spike_grad")
    return at


def _mechanism(at: Place) -> str:
    """Return what it does, which was bound when it was built."""
    found = RESETS.get(at.module.state_function.__name__, "another")
    if found != at.module.reset_mechanism or at.module.reset_mechanism_val != list(
        at.module.reset_dict
    ).index(found):
        at.refuse(
            "reset_mechanism", f'"{found}", as it was built', f'"{at.module.reset_mechanism}"',
            "build the neuron anew with the mechanism that is meant, and load the weights",
        )  # fmt: skip
    return found


def _reset(at: Place) -> tuple[str, Real | None]:
    """Return the reset of a node, and what a spike takes off the next membrane."""
    mechanism = _mechanism(at)
    if mechanism != "subtract":
        return {"zero": "hard", "none": "none"}[mechanism], None
    if not getattr(at.module, "reset_delay", True):
        # a membrane of more than twice the threshold is reset once more in the next step, and that
        # is taken back where no second spike follows
        at.refuse("reset_delay", "True where the threshold is subtracted", "False",
                  'train with reset_delay=True, or with reset_mechanism="zero"')  # fmt: skip
    return "trace", at.each(at.module.threshold, "threshold")


def _check_zero(at: Place) -> None:
    """Refuse a membrane that is zero for the whole step behind a spike, whatever arrives."""
    if _mechanism(at) == "zero" and getattr(at.module, "reset_delay", True):
        at.refuse("reset_mechanism", '"subtract" or "none"', '"zero", which loses an input too',
                  'use reset_delay=False with it, or reset_mechanism="subtract"')  # fmt: skip


def _fire(at: Place, keep: Real, gain: Real, how: str, taken: Real | None, source: str = "") -> str:
    return _graded(at, _spikes(at, keep, gain, how, taken, source))


def _spikes(
    at: Place, keep: Real, gain: Real, how: str, taken: Real | None, source: str = ""
) -> str:
    threshold = at.module.threshold
    return at.neuron(
        keep, gain, at.each(threshold, "threshold"), reset=how, compare="gt",
        single=is_single(threshold), taken=taken, source=source,
    )  # fmt: skip


def _back(at: Place) -> Callable[[str], str]:
    """Return what adds the weights behind the spikes of the step before, graded as they are."""
    inner, factor = at.module.recurrent, _factor(at)

    def add(before: str) -> str:
        if type(inner).__name__ == "RecurrentOneToOne":
            return at.add(diagonal(at.each(inner.V, "V") * factor, at.where), "feedback", before)
        if type(inner) is not torch.nn.Linear:
            at.refuse("recurrent", "a Linear, or all_to_all=False", type(inner).__name__,
                      "train with linear_features, or all_to_all=False")  # fmt: skip
        node = Affine(weight=array(inner.weight) * factor, bias=bias_of(inner))
        return at.add(node, "feedback", before)

    return add


def _factor(at: Place) -> Real:
    return at.each(at.module.graded_spikes_factor, "graded_spikes_factor")


def _graded(at: Place, spikes: str) -> str:
    return at.scaled(_factor(at), "graded", spikes)


def _current(at: Place) -> str:
    """Add the synaptic current, unless it is there."""
    name = f"{at.path}.synapse"
    if name in at.builder.nodes:
        return name
    decay = at.each(at.module.alpha.clamp(0, 1), "alpha")
    return at.pole(decay, np.ones(at.channels), "synapse")


def _lapicque_rates(at: Place) -> tuple[Real, Real]:
    """Return what the membrane keeps in a step and takes of its input, as its forward has it."""
    m = at.module
    gain = at.each(m.R * (1 / (m.R * m.C)) * m.time_step, "R, C and time_step")
    keep = at.each(1 - m.time_step / (m.R * m.C), "R, C and time_step")
    return keep, gain


def _two_currents(at: Place, suffix: str = "currents") -> str:
    """Add the exciting and the inhibiting current, whose scaled sum is the membrane."""
    m, column = at.module, (at.channels, 1)
    up, down = m.alpha.clamp(0, 1), m.beta.clamp(0, 1)
    scale = torch.log(up) / (torch.log(down) - torch.log(up)) + 1
    decays = [at.each(up, "alpha").reshape(column), at.each(down, "beta").reshape(column)]
    ones, zeros = np.ones(column), np.zeros((at.channels, 2))
    c = np.repeat(at.each(scale, "alpha and beta").reshape(column), 2, axis=1) / 2
    none = np.zeros(at.channels)
    node = DiagonalSSM(
        a_re=np.hstack(decays), a_im=zeros, b_re=np.hstack([ones, -ones]), b_im=zeros, c_re=c,
        c_im=zeros, d=none, drive_re=zeros, drive_im=zeros, bias=none,
        step_size=np.full(at.channels, STEP), method="zoh",
    )  # fmt: skip
    return at.add(node, suffix)
