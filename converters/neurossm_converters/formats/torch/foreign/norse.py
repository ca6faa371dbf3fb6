"""Neurons of Norse (1.1.0): `LIFCell`, `LIFBoxCell`, `IAFCell`, `LICell` and their like.

`LIFRecurrentCell` adds spikes of its own of the step before, through weights, to its current.

Norse takes forward Euler steps of its ``dt``, compares with ``>``, and starts a membrane at
``v_leak``. In a step, an input is added to the current, the membrane takes the current, and only
then the current decays::

    j = i + x      v = v + dt tau_mem_inv (v_leak - v + j)      i = j - dt tau_syn_inv j

so j is a leaky state that decays before an input is added to it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from neurossm.nodes import Affine
from neurossm_converters.formats.torch.builder import Builder, Converter, array
from neurossm_converters.formats.torch.foreign.place import Place, Real

ACTIVATIONS = {
    "LIFCell": ("lif_feed_forward_step", "lif_feed_forward_adjoint_step"),
    "LIF": ("lif_feed_forward_step", "lif_feed_forward_adjoint_step"),
    "LIFBoxCell": ("lif_box_feed_forward_step",),
    "IAFCell": ("iaf_feed_forward_step",),
    "IAF": ("iaf_feed_forward_step",),
    "LICell": ("li_feed_forward_step",),
    "LI": ("li_feed_forward_step",),
    "LIBoxCell": ("li_box_feed_forward_step",),
    "LIFRecurrentCell": ("lif_step", "lif_adjoint_step"),
    "LIFRecurrent": ("lif_step", "lif_adjoint_step"),
}
RESET_METHODS = {"reset_value": "hard", "reset_subtract": "soft"}


def lif(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `LIFCell` or `LIF`: a current and a membrane with a hard reset."""
    return _lif(_place(builder, path, module, source))


def recurrent_lif(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `LIFRecurrentCell` or `LIFRecurrent`: weights, and those of its own spikes."""
    at = _place(builder, path, module, source)
    into, back = array(at.module.input_weights), array(at.module.recurrent_weights)
    inner = replace(at, source=at.synapses(into, "synapses"))
    return inner.fed_back(len(back), lambda s: at.synapses(back, "feedback", s), _lif)


def _lif(at: Place) -> str:
    bound = _bound(at, "v_leak")
    keep, share = _rates(at, at.module.p.tau_mem_inv, "tau_mem_inv")
    current = _current(at)
    return at.neuron(keep, share, bound, reset="hard", compare="gt", single=True, source=current)


def lif_box(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `LIFBoxCell`: a membrane that takes its input itself."""
    at = _place(builder, path, module, source)
    p = at.module.p
    how = RESET_METHODS.get(getattr(p.reset_method, "__name__", ""))
    if how is None:
        at.refuse("reset_method", " or ".join(RESET_METHODS), "another function",
                  "use one of norse.torch.functional.reset")  # fmt: skip
    keep, share = _rates(at, p.tau_mem_inv, "tau_mem_inv")
    if how == "hard":
        bound = _bound(at, "v_leak")
        return at.neuron(keep, share, bound, reset="hard", compare="gt", single=True)
    threshold = at.each(p.v_th, "v_th")
    bound = threshold - at.each(p.v_leak, "v_leak")
    if np.array_equal(bound, threshold):
        return at.neuron(keep, share, bound, reset="soft", compare="gt", single=True)
    # what is subtracted is the threshold from 0, and not from where the membrane starts
    return at.neuron(keep, share, bound, reset="trace", compare="gt", single=True,
                     taken=keep * threshold)  # fmt: skip


def iaf(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `IAFCell` or `IAF`: a membrane without leak."""
    at = _place(builder, path, module, source)
    p, ones = at.module.p, np.ones(at.channels)
    bound = at.each(p.v_th, "v_th") - at.each(p.v_reset, "v_reset")
    return at.neuron(ones, ones, bound, reset="hard", compare="gt", single=True)


def li(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `LICell` or `LI`: a current into a membrane that is read."""
    at = _place(builder, path, module, source)
    return _integrator(at, _current(at))


def li_box(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `LIBoxCell`: a membrane that takes its input itself, and is read."""
    return _integrator(_place(builder, path, module, source), "")


def li_linear(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `LILinearCell`: weights, a current, and a membrane that is read."""
    weight = array(Place(builder, path, module, source, "Norse").module.input_weights)
    synapses = Affine(weight=weight, bias=np.zeros(len(weight)))
    at = Place(builder, path, module, builder.add(f"{path}.synapses", synapses, source), "Norse")
    return _integrator(at, _current(at))


def recurrent_sequential(builder: Builder, path: str, module: Any, source: str) -> str:
    """Add a `RecurrentSequential`: what its last module sent at the step before, and its input."""
    at = Place(builder, path, module, source, "Norse")
    children = list(module.module.children())
    if module.output_modules not in (-1, len(children) - 1):
        at.refuse("output_modules", "-1, the last module", module.output_modules,
                  "feed back the output of the last module")  # fmt: skip

    def within(inner: Place) -> str:
        source = inner.source
        for name, child in module.module.named_children():
            source = builder.convert(f"{path}.module.{name}" if path else name, child, source)
        return source

    return at.fed_back(at.channels, lambda spikes: spikes, within)


def sequential(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add the modules of a `SequentialState`, one behind the other."""
    at = Place(builder, path, module, source, "Norse")
    at.require("return_hidden", False, "use return_hidden=False")
    for name, child in module.named_children():
        source = builder.convert(f"{path}.{name}" if path else name, child, source)
    return source


def lift(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add what a `Lift` applies at each step."""
    at = Place(builder, path, module, source, "Norse")
    return builder.convert(f"{path}.lifted_module", at.module.lifted_module, source)


CONVERTERS: dict[str, Converter] = {
    "LIFCell": lif,
    "LIF": lif,
    "LIFBoxCell": lif_box,
    "IAFCell": iaf,
    "IAF": iaf,
    "LICell": li,
    "LI": li,
    "LIBoxCell": li_box,
    "LILinearCell": li_linear,
    "LIFRecurrentCell": recurrent_lif,
    "LIFRecurrent": recurrent_lif,
    "RecurrentSequential": recurrent_sequential,
}
CONTAINERS: dict[str, Converter] = {"SequentialState": sequential, "Lift": lift}

REMEDIES = {
    **{
        f"{kind}Recurrent{cell}": "train with LIFRecurrentCell"
        for kind in ("LIFEx", "LIFAdEx", "LIFRefrac", "LSNN", "Izhikevich")
        for cell in ("", "Cell")
    },
    **{
        f"{kind}{cell}": "train with LIFCell or LIFBoxCell"
        for kind in ("LIFEx", "LIFAdEx", "LIFAdExRefrac", "LIFRefrac", "LSNN", "Izhikevich",
                     "CobaLIF", "LIFCorrelation", "LIFMC", "LIFMCRefrac", "LIFAdExFeedForward")
        for cell in ("", "Cell")
    },
}  # fmt: skip


def _place(builder: Builder, path: str, module: Any, source: str) -> Place:
    at = Place(builder, path, module, source, "Norse")
    allowed = ACTIVATIONS[type(module).__name__]
    if (name := getattr(module.activation, "__name__", "?")) not in allowed:
        at.refuse("activation", " or ".join(allowed), name,
                  "use the class as it is, or write a converter")  # fmt: skip
    return at


def _rates(at: Place, inverse: Any, name: str) -> tuple[Real, Real]:
    """Return what a state keeps in a step and what it loses, as Norse multiplies them."""
    share = at.each(torch.as_tensor(at.module.dt * inverse), name)
    return 1 - share, share


def _bound(at: Place, start: str) -> Real:
    """Return the threshold from where membranes start, which must be where they are reset to."""
    p = at.module.p
    began, reset = at.each(getattr(p, start), start), at.each(p.v_reset, "v_reset")
    if not np.array_equal(began, reset):
        at.refuse(
            "v_reset",
            "v_leak, where Norse starts its membranes",
            f"{reset[0]:g}, and {began[0]:g}",
            "train with v_reset = v_leak: neurons here start where a spike leaves them",
        )
    return at.each(p.v_th, "v_th") - began


def _current(at: Place) -> str:
    keep, _ = _rates(at, at.module.p.tau_syn_inv, "tau_syn_inv")
    return at.pole(keep, np.ones(at.channels), "current")


def _integrator(at: Place, source: str) -> str:
    keep, share = _rates(at, at.module.p.tau_mem_inv, "tau_mem_inv")
    return at.pole(keep, share, source=source, bias=at.each(at.module.p.v_leak, "v_leak"))
