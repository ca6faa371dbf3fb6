"""CUBA blocks of lava-dl SLAYER (0.6.0) in a graph of real numbers.

They are `Dense`, `Affine` and `Recurrent`.

A block computes with weights of 8 bits and decays of 12 bits::

    u = (1 - iDecay / 4096) u + W x     v = (1 - vDecay / 4096) v + u     s = 1[v > threshold]

and its states are whole numbers of ``1 / s_scale``, each product rounded toward zero. A graph of
real numbers has no such rounding, so only states that need none are expressed here: those with a
decay of 0 or 4096. The integers of any network of such blocks are those of
`neurossm_converters.formats.torch.foreign.slayer_integers`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch

from neurossm_converters.formats.torch.builder import Builder, Converter, array
from neurossm_converters.formats.torch.foreign.place import Place, Real
from neurossm_converters.formats.torch.modules import compute_parameters

PART = 2**12  # of decays


def dense(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `slayer.block.cuba.Dense`: synapses, a current, and a membrane with a hard reset."""
    at = checked(builder, path, module, source)
    _check_rounding(at)
    return _fire(replace(at, source=at.synapses(array(weights(at)), "synapses")))


def recurrent(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `slayer.block.cuba.Recurrent`: a `Dense` that its own spikes of before drive too."""
    at = checked(builder, path, module, source)
    _check_rounding(at)
    back = array(weights(at, "recurrent_synapse"))
    inner = replace(at, source=at.synapses(array(weights(at, "input_synapse")), "synapses"))
    return inner.fed_back(len(back), lambda s: at.synapses(back, "feedback", s), _fire)


def affine(builder: Builder, path: str, module: torch.nn.Module, source: str) -> str:
    """Add `slayer.block.cuba.Affine`: synapses, and with ``dynamics`` a current and a membrane."""
    at = checked(builder, path, module, source)
    weight = array(weights(at))
    if not at.module.dynamics:
        return at.synapses(weight, "")
    _check_rounding(at)
    inner = replace(at, source=at.synapses(weight, "synapses"))
    keep = 1 - inner.each(at.module.neuron.cx_voltage_decay, "voltage_decay") / PART
    return inner.pole(keep, np.ones(inner.channels), source=_current(inner))


CONVERTERS: dict[str, Converter] = {"Dense": dense, "Affine": affine, "Recurrent": recurrent}
SYNAPSES = {"Recurrent": ("input_synapse", "recurrent_synapse")}

REMEDIES = {
    "Input": "feed the network the spikes that it makes",
    "Conv": "train with Dense: there is no convolution",
    "ConvT": "train with Dense: there is no convolution",
    "Pool": "train without pooling",
    "Unpool": "train without pooling",
    "Average": "take the mean behind the network",
    "KWTA": "train with Recurrent, whose weights it may have",
    "TimeDecimation": "train without it",
}
OTHER_BLOCKS = "train with the blocks of slayer.block.cuba"


def checked(builder: Builder, path: str, module: Any, source: str, shifts: bool = False) -> Place:
    """Return where a block stands, if nothing about it is beyond what nodes have.

    With `shifts`, it may delay its spikes by a step.

    Raises
    ------
    GraphError
        If it has delays, norms, several outputs, complex synapses or random decays.
    """
    at = Place(builder, path, module, source, "SLAYER")
    neuron = module.neuron
    at.require("count_log", False, "use count_log=False")
    if getattr(module, "delay_shift", False) and not shifts:
        at.refuse("delay_shift", "False", "True, which delays its spikes by a step",
                  "set block.delay_shift = False: the same spikes, a step earlier")  # fmt: skip
    at.require(
        "delay", None, "train with delay=False: a delay of no step is among those that it learns"
    )
    for name, remedy in (
        ("norm", "train without norm"),
        ("graded_spike", "train with graded_spike=False"),
        ("drop", "set block.neuron.drop = None: in evaluation mode it does nothing"),
    ):
        if getattr(neuron, name, None):
            at.refuse(f"neuron.{name}", "none", type(getattr(neuron, name)).__name__, remedy)
    if hasattr(neuron, "current_decay_min"):
        at.refuse("neuron decays", "numbers", "none yet, as they are drawn in the first call",
                  "call the block once, or load its weights")  # fmt: skip
    for name in SYNAPSES.get(type(module).__name__, ("synapse",)):
        if getattr(module, name).complex:
            at.refuse(name, "real weights", "complex ones", "train with real weights")
    return at


def weights(at: Place, name: str = "synapse") -> torch.Tensor:
    """Return the weights as the block multiplies with them, ``(out, in)``."""
    synapse = getattr(at.module, name)
    compute_parameters(synapse)  # by weight_norm: after loading, what is there is of before
    weight: torch.Tensor = synapse.weight
    if getattr(at.module, "mask", None) is not None:
        weight = weight * at.module.mask
    if synapse.pre_hook_fx is not None:
        weight = synapse.pre_hook_fx(weight)
    return weight.detach().flatten(1)


def _check_rounding(at: Place) -> None:
    for name in ("current", "voltage"):
        decay = np.ravel(getattr(at.module.neuron, f"cx_{name}_decay"))
        if not np.all((decay == 0) | (decay == PART)):
            at.refuse(
                f"neuron.{name}_decay", f"0 or {PART}, where no state is rounded", int(decay[0]),
                "take the integers that it computes with: from_slayer(blocks) of"
                " neurossm_converters.formats.torch.foreign",
            )  # fmt: skip


def _fire(at: Place) -> str:
    neuron = at.module.neuron
    keep = 1 - at.each(neuron.cx_voltage_decay, "voltage_decay") / PART
    bound = at.each(float(neuron.threshold), "threshold")
    if not np.all(bound > 0):
        at.refuse("threshold", "above 0", f"{bound[0]:g}", "train with a threshold above 0")
    return at.neuron(
        keep, np.ones(at.channels), bound, reset="hard", compare="gt", single=True,
        source=_current(at),
    )  # fmt: skip


def _current(at: Place) -> str:
    keep: Real = 1 - at.each(at.module.neuron.cx_current_decay, "current_decay") / PART
    return at.pole(keep, np.ones(at.channels), "current")
