"""Neurons and layers of SpikingJelly (2.0.0), ``activation_based``, in both step modes.

SpikingJelly compares with ``>=``, leaks toward ``v_reset`` (toward 0 where that is None), resets at
once, and starts at ``v_reset``::

    v = v + (x - (v - v_reset)) / tau      (decay_input)
    v = v - (v - v_reset) / tau + x        (else)

States start so as after ``functional.reset_net(model)``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from neurossm.nodes import Affine
from neurossm_converters.formats.torch.builder import Builder, Converter
from neurossm_converters.formats.torch.foreign.place import Place, Real
from neurossm_converters.formats.torch.layers import LAYERS

SIMPLER = "train with LIFNode, IFNode or ParametricLIFNode"


def lif(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `LIFNode` or `SimpleLIFNode`."""
    at = _place(builder, path, module, source)
    share = at.each(1 / at.module.tau, "tau")
    return _leaky(at, share)


def parametric_lif(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `ParametricLIFNode`, whose 1/tau is learned."""
    at = _place(builder, path, module, source)
    return _leaky(at, at.each(at.module.w.sigmoid(), "w"))


def integrate_and_fire(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `IFNode` or `SimpleIFNode`: a membrane without leak."""
    at = _place(builder, path, module, source)
    ones = np.ones(at.channels)
    return _fire(at, ones, ones)


def synaptic(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `CUBALIFNode`: the current moves first; the membrane leaks toward 0."""
    at = _place(builder, path, module, source)
    m, ones = at.module, np.ones(at.channels)
    keep = at.each(m.v_decay, "v_decay")
    # from where it starts, v_reset, a leak toward 0 is a constant too
    drive = (keep - 1) * (m.v_reset or 0.0)
    current = at.pole(at.each(m.c_decay, "c_decay"), ones, "current", bias=drive)
    return _fire(at, keep, ones, current)


def readout(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `NonSpikingLIFNode`: a leaky membrane that is read at each step."""
    at = Place(builder, path, module, source, "SpikingJelly")
    at.require("decode", None, "use decode=None, and take the mean or the last step behind it")
    share = at.each(1 / at.module.tau, "tau")
    return at.pole(1 - share, share)


def linear(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `layer.Linear`, in either step mode."""
    return LAYERS[nn.Linear](builder, path, module, source)


def batch_norm(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `layer.BatchNorm1d`, in either step mode."""
    return LAYERS[nn.BatchNorm1d](builder, path, module, source)


def dropout(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add nothing: in evaluation mode it is the identity."""
    at = Place(builder, path, module, source, "SpikingJelly")
    at.require("training", False, "call model.eval() first")
    return source


def voting(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `layer.VotingLayer`: means of groups of channels."""
    at = Place(builder, path, module, source, "SpikingJelly")
    size, channels = int(at.module.voting_size), at.channels
    if channels % size:
        at.refuse("voting_size", f"a divisor of {channels} channels", size,
                  "choose as many voters for each class")  # fmt: skip
    weight = np.kron(np.eye(channels // size), np.full((1, size), 1 / size))
    return at.add(Affine(weight=weight, bias=np.zeros(len(weight))))


def container(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add the modules of a container, one behind the other."""
    for name, child in module.named_children():
        source = builder.convert(f"{path}.{name}" if path else name, child, source)
    return source


NEURONS: dict[str, Converter] = {
    "LIFNode": lif,
    "SimpleLIFNode": lif,
    "ParametricLIFNode": parametric_lif,
    "IFNode": integrate_and_fire,
    "SimpleIFNode": integrate_and_fire,
    "CUBALIFNode": synaptic,
    "NonSpikingLIFNode": readout,
}

PARTS: dict[str, Converter] = {
    "Linear": linear,
    "BatchNorm1d": batch_norm,
    "Dropout": dropout,
    "VotingLayer": voting,
}

CONTAINERS: dict[str, Converter] = {
    "SeqToANNContainer": container,
    "MultiStepContainer": container,
    "StepModeContainer": container,
}

NEURON_REMEDIES = {
    **dict.fromkeys(
        ("QIFNode", "EIFNode", "IzhikevichNode", "RAFNode", "GatedLIFNode", "KLIFNode", "LIAFNode",
         "ComplementaryLIFNode", "PSN", "MaskedPSN", "SlidingPSN", "ILIFNode", "FewSpikeNode",
         "TernaryIFNode", "TernaryLIFNode", "STBIFNode", "HalfThresholdIFNode",
         "ActivationAwareIFNode", "DSRIFNode", "DSRLIFNode", "MPBNLIFNode", "OTTTLIFNode",
         "SLTTLIFNode"),
        SIMPLER,
    ),
    "NonSpikingIFNode": "sum its inputs over time behind the network",
}  # fmt: skip

PART_REMEDIES = {
    "LinearRecurrentContainer": "train without recurrent spikes: graphs have no cycles",
    "ElementWiseRecurrentContainer": "train without recurrent spikes: graphs have no cycles",
    "SynapseFilter": "train with CUBALIFNode, whose current decays",
    "Delay": "train without delays: no node has any",
}


def _place(builder: Builder, path: str, module: Any, source: str) -> Place:
    at = Place(builder, path, module, source, "SpikingJelly")
    at.check_step(module.surrogate_function, "ge", "surrogate_function")
    at.require("_neuron_precision", None, "use the precision of the module's own numbers")
    return at


def _leaky(at: Place, share: Real) -> str:
    # one that leaks toward v_reset is measured from it, and then leaks toward 0
    gain = share if at.module.decay_input else np.ones(at.channels)
    return _fire(at, 1 - share, gain)


def _fire(at: Place, keep: Real, gain: Real, source: str = "") -> str:
    reset = at.module.v_reset
    bound = at.each(at.module.v_threshold, "v_threshold") - at.each(reset or 0.0, "v_reset")
    how = "soft" if reset is None else "hard"
    return at.neuron(keep, gain, bound, reset=how, compare="ge", single=True, source=source)
