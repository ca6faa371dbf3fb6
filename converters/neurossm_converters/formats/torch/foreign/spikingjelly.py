"""Neurons and layers of SpikingJelly (2.0.0), ``activation_based``, in both step modes.

SpikingJelly compares with ``>=``, leaks toward ``v_reset`` (toward 0 where that is None), resets at
once, and starts at ``v_reset``::

    v = v + (x - (v - v_reset)) / tau      (decay_input)
    v = v - (v - v_reset) / tau + x        (else)

A recurrent container gives its module what that sent at the step before too. States start so as
after ``functional.reset_net(model)``.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from neurossm.nodes import Affine, Delay
from neurossm_converters.formats.torch.builder import Builder, Converter, array, bias_of
from neurossm_converters.formats.torch.foreign.place import Place, Real
from neurossm_converters.formats.torch.layers import LAYERS

PROBES = 40  # pairs on which a function of two tensors shows that it adds them
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


def delayed(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `layer.Delay`; nothing for one of no step."""
    at = Place(builder, path, module, source, "SpikingJelly")
    steps = int(at.module.delay_steps)
    if not 0 <= steps <= Delay.longest:
        at.refuse("delay_steps", f"at most {Delay.longest}", steps,
                  "put several Delay behind each other")  # fmt: skip
    return at.add(Delay(channels=at.channels, steps=np.array([steps]))) if steps else source


def linear_recurrent(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `LinearRecurrentContainer`: weights for what arrives and for what was sent before."""
    at = Place(builder, path, module, source, "SpikingJelly")
    weight, outs = array(at.module.rc.weight), int(at.module.sub_module_out_features)
    into, back = weight[:, : at.channels], weight[:, at.channels :]
    if back.shape[1] != outs:
        at.refuse("in_features", f"{at.channels}, as arrive", at.module.rc.in_features - outs,
                  "make both widths the same")  # fmt: skip
    node = Affine(weight=into, bias=bias_of(at.module.rc))
    inner = replace(at, source=at.add(node, "rc"))
    return inner.fed_back(outs, lambda y: at.synapses(back, "feedback", y), _within)


def element_wise_recurrent(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add `ElementWiseRecurrentContainer`, where its function adds the two with factors."""
    at = Place(builder, path, module, source, "SpikingJelly")
    from_own, from_input = _factors(at)
    inner = replace(at, source=at.scaled(from_input, "input", source))
    return inner.fed_back(
        at.channels, lambda y: at.scaled(from_own, "feedback", y), _within
    )  # fmt: skip


def _within(at: Place) -> str:
    return at.builder.convert(f"{at.path}.sub_module", at.module.sub_module, at.source)


def _factors(at: Place) -> tuple[Real, Real]:
    """Return the factors a and b of a function ``a y + b x`` of each channel."""
    own, arriving = torch.randn(
        2, PROBES, at.channels, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    own[0], own[1], arriving[0], arriving[1] = 1, 0, 0, 1
    function = at.module.element_wise_function
    try:
        found = array(function(own, arriving))
        a, b = np.broadcast_to(found, (PROBES, at.channels))[:2]
        fits = np.allclose(found, a * own.numpy() + b * arriving.numpy(), rtol=1e-6, atol=1e-9)
    except Exception:  # whatever a function of the user may raise on these
        fits = False
    if not fits:
        at.refuse(
            "element_wise_function",
            "a sum of both, with factors: lambda y, x: y + x",
            "another function",
            "train with a sum, or with LinearRecurrentContainer",
        )
    return np.array(a), np.array(b)


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
    "Delay": delayed,
    "LinearRecurrentContainer": linear_recurrent,
    "ElementWiseRecurrentContainer": element_wise_recurrent,
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
    "SynapseFilter": "train with CUBALIFNode, whose current decays",
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
