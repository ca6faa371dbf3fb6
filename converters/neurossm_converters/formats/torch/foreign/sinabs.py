"""Neurons of sinabs (3.1.3): `LIF`, `IAF`, `ALIF`, `ExpLeak`, and their forms that squeeze.

`LIFRecurrent` and `IAFRecurrent` add what ``rec_connect`` makes of the spikes of the step before.

sinabs compares with ``>=`` and resets at once. Its default, ``spike_fn=MultiSpike``, sends several
spikes in a step, which no node does::

    i = alpha_syn (i + x)      v = alpha_mem v + (1 - alpha_mem) i      s = 1[v >= threshold]

States start at zero, as after ``reset_states()``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from neurossm.nodes import LIF
from neurossm_converters.formats.nir.rates import least
from neurossm_converters.formats.torch.builder import Builder, Converter
from neurossm_converters.formats.torch.foreign.place import Place, Real, is_single


def lif(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `LIF` or `IAF`, with or without a synaptic current."""
    return _lif(_place(builder, path, module, source))


def recurrent_lif(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `LIFRecurrent` or `IAFRecurrent`; at its first step nothing comes back, nor a bias."""
    at = _place(builder, path, module, source)
    inner = at.module.rec_connect
    with torch.no_grad():
        first = next((p for p in inner.parameters()), torch.zeros(1))
        silent = inner(torch.zeros(1, at.channels, dtype=first.dtype, device=first.device))

    def back(spikes: str) -> str:
        if type(inner) is not nn.Sequential:
            return builder.convert(f"{path}.rec_connect", inner, spikes)
        for name, child in inner.named_children():
            if type(child) not in (nn.Flatten, nn.Unflatten):  # channels are in one row here
                spikes = builder.convert(f"{path}.rec_connect.{name}", child, spikes)
        return spikes

    return at.fed_back(at.channels, back, _lif, late=bool(silent.any()))


def _lif(at: Place) -> str:
    source = at.source
    keep, gain = _membrane(at)
    threshold = at.module.spike_threshold
    bound = at.each(threshold, "spike_threshold")
    how, taken = _reset(at, keep, bound)
    if at.module.alpha_syn_calculated is not None:
        source = _current(at, at.each(at.module.alpha_syn_calculated, "tau_syn"))
    return at.neuron(keep, gain, bound, reset=how, compare="ge", single=is_single(threshold),
                     taken=taken, source=source)  # fmt: skip


def adaptive(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `ALIF` that resets to zero: what its threshold rises by is a refractory variable."""
    at = _place(builder, path, module, source)
    m = at.module
    keep, gain = _membrane(at)
    bound = at.each(m.b0, "spike_threshold")
    if _reset(at, keep, bound)[0] != "hard":
        at.refuse("reset_fn", "MembraneReset()", "MembraneSubtract, of a threshold that adapts",
                  "train with reset_fn=MembraneReset()")  # fmt: skip
    if m.alpha_syn_calculated is not None:
        # with norm_input, what it stores as its current is scaled already, step after step
        decay = at.each(m.alpha_syn_calculated, "tau_syn") * gain
        source, gain = _current(at, decay), np.ones(at.channels)
    rho = at.each(m.alpha_adapt_calculated, "tau_adapt")
    rise = at.each(m.adapt_scale, "adapt_scale") * at.each(1 - m.alpha_adapt_calculated, "")
    at.check_keep(keep, "tau_mem")
    if not np.all(bound > 0) or not np.all(rise >= 0):
        at.refuse("spike_threshold and adapt_scale", "above 0", f"{bound.min():g}, {rise.min():g}",
                  "train with both above 0")  # fmt: skip
    theta = least(bound, gain, "ge", is_single(m.alpha_mem_calculated))
    node = LIF(theta=theta, tau=keep, rho=rho, kappa=rise / gain, reset="hard")
    return at.add(node, source=source)


def leaky(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `ExpLeak`: a membrane that is read."""
    at = Place(builder, path, module, source, "sinabs")
    at.require("min_v_mem", None, "use min_v_mem=None")
    keep, gain = _membrane(at)
    return at.pole(keep, gain)


def inner(name: str) -> Converter:
    """Return a converter that adds the one module inside another."""

    def add(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
        child = getattr(module, name)
        return builder.convert(f"{path}.{name}" if path else name, child, source)

    return add


LAYERS: dict[str, Converter] = {
    "LIF": lif,
    "LIFSqueeze": lif,
    "IAF": lif,
    "IAFSqueeze": lif,
    "ALIF": adaptive,
    "ALIFSqueeze": adaptive,
    "ExpLeak": leaky,
    "ExpLeakSqueeze": leaky,
    "LIFRecurrent": recurrent_lif,
    "IAFRecurrent": recurrent_lif,
}
CONTAINERS: dict[str, Converter] = {"Repeat": inner("module")}
NETWORKS: dict[str, Converter] = {"Network": inner("spiking_model")}

REMEDIES = {
    "ALIFRecurrent": "train with LIFRecurrent",
    "NeuromorphicReLU": "train the spiking network",
    "QuantizeLayer": "export the network without it; 'neurossm quantize' makes the integers",
}


def _place(builder: Builder, path: str, module: Any, source: str) -> Place:
    at = Place(builder, path, module, source, "sinabs")
    at.require("min_v_mem", None, "train with min_v_mem=None: membranes here have no lower bound")
    name = getattr(module.spike_fn, "__name__", type(module.spike_fn).__name__)
    if name != "SingleSpike" or not module.spike_fn.__module__.startswith("sinabs."):
        at.refuse("spike_fn", "SingleSpike: one spike in a step at most", name,
                  "train with spike_fn=sinabs.activation.SingleSpike")  # fmt: skip
    return at


def _membrane(at: Place) -> tuple[Real, Real]:
    """Return what the membrane keeps and takes in a step, in the module's own rounding."""
    alpha = at.module.alpha_mem_calculated
    keep = at.each(alpha, "tau_mem")
    return keep, at.each(1 - alpha, "tau_mem") if at.module.norm_input else np.ones(at.channels)


def _current(at: Place, decay: Real) -> str:
    return at.pole(decay, decay, "synapse")


def _reset(at: Place, keep: Real, bound: Real) -> tuple[str, Real | None]:
    """Return the reset of a node, and what a spike takes off the next membrane."""
    reset = at.module.reset_fn
    kind = type(reset).__name__
    if kind == "MembraneReset" and reset.reset_value == 0:
        return "hard", None
    if kind == "MembraneReset":  # sinabs adds the value to every membrane at every step
        at.refuse("reset_fn", "a reset_value of 0", reset.reset_value, "train with MembraneReset()")
    if kind != "MembraneSubtract":
        at.refuse("reset_fn", "MembraneSubtract() or MembraneReset()", kind, "train with either")
    if reset.subtract_value is None:
        return "soft", None
    taken = at.each(reset.subtract_value, "reset_fn")
    return ("soft", None) if np.array_equal(taken, bound) else ("trace", keep * taken)
