"""Small networks of every family with random parameters, and what PyTorch makes of an input."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from inspect import signature

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neurossm.piecewise import piecewise
from neurossm_models import Network
from neurossm_models.families import FAMILIES
from neurossm_models.feed_forward import FeedForwardBlock
from neurossm_models.neurons import LIF

WIDTH, STATE, STEPS, SAMPLES, FEATURES, CLASSES = 8, 4, 20, 6, 2, 3
SCALE = 1 / 255
DRIVE = 4
PIXELS = np.random.default_rng(0).integers(0, 256, (SAMPLES, STEPS, FEATURES))
SPIKES = {
    "binary-s4d": "spike",
    "gsu": "ternary",
    "spikingssm": "neuron",
    "spike-ssm": "neuron",
    "prf": "spike",
    "d-rf": "spike",
    "silif": "neuron",
    "c-silif": "neuron",
    "s5-rf": "neuron",
    "delrec": "neuron",
}
STARTS = {
    "binary-s4d": {"threshold": 0.3}, "gsu": {"delta": 0.4},
    "spikingssm": {"threshold": 0.4}, "spike-ssm": {"threshold": 0.3}, "prf": {"threshold": 0.15},
    "d-rf": {"threshold": 0.1, "dendrites": 3, "taps": 3, "alpha": 0.2},
    "silif": {"dt": 0.03}, "c-silif": {}, "s5-rf": {"blocks": 2, "norm": "batch"},
    "delrec": {"recurrent_scale": 4.0, "tau": 0.9}, "s5": {},
}  # fmt: skip


def network(family: str, **changes: object) -> Network:
    """Return a network in float64 and eval mode that a test may alter.

    Every parameter is random, leaks too; batch norms have seen data and have negative gains.
    """
    return deepcopy(_network(family, **changes))


@cache
def _network(family: str, **changes: object) -> Network:
    torch.manual_seed(5)
    settings = {"in_features": FEATURES, "classes": CLASSES, "width": WIDTH, "state": STATE,
                "dropout": 0.1, "dt_min": 0.02, "dt_max": 0.5, **STARTS[family]}  # fmt: skip
    config = FAMILIES[family].config
    settings = {key: settings[key] for key in settings if key in signature(config).parameters}
    model = Network(config(**(settings | changes))).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.endswith(("a_imag", "log_dt")):
                parameter += 0.2 * torch.randn_like(parameter)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.weight.uniform_(0.5, 1.5).mul_(torch.randn_like(module.weight).sign())
                module.bias.normal_(std=0.3)
            elif isinstance(module, LIF):
                module.tau.uniform_(0.1, 0.8)
                if module.log_kappa is not None:
                    module.rho.uniform_(0.1, 0.8)
        for block in model.blocks:  # nothing else makes these neurons spike
            if isinstance(block, FeedForwardBlock) and isinstance(block.norm, nn.BatchNorm1d):
                block.norm.weight.mul_(DRIVE)
        for _ in range(5):
            model(some_input(model))
    return model.eval()


def some_input(model: Network) -> Tensor:
    """Return a random batch, tokens where the network takes tokens."""
    if model.config.vocabulary:
        return torch.randint(model.config.vocabulary, (16, STEPS))
    return torch.rand(16, STEPS, FEATURES, dtype=torch.float64)


def pixels(model: Network, scale: float = SCALE) -> Tensor:
    """Return `PIXELS` as the network takes them."""
    return torch.tensor(PIXELS * scale).to(model.decoder.weight.dtype)


@torch.no_grad()
def in_parallel(model: Network, x: Tensor) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the mean readout after every step (B, T, C) and the spikes of each block (B, T, H)."""
    spikes = [s.numpy().transpose(0, 2, 1) for s in model.record(x).spikes]
    return model.forward_sequence(x).numpy(), spikes


@torch.no_grad()
def step_by_step(model: Network, x: Tensor) -> np.ndarray:
    """Return the mean readout after every step by the recurrent form."""
    state, logits = model.initial_state(len(x)), []
    for x_t in x.unbind(1):
        now, state = model.step(x_t, state)
        logits.append(now.numpy())
    return np.stack(logits, 1)


def use_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make PyTorch compute sigmoid and gelu by the same straight segments as the graph."""
    sigmoid, gelu = _by_segments("sigmoid"), _by_segments("gelu")

    def glu(x: Tensor) -> Tensor:
        value, gate = x.chunk(2, 0)
        return value * sigmoid(gate)

    monkeypatch.setattr("neurossm_models.families.binary_s4d.glu", glu)
    monkeypatch.setattr("neurossm_models.families.spikingssm.glu", glu)
    monkeypatch.setattr("neurossm_models.families.gsu.gelu", gelu)


def _by_segments(function: str):
    node = piecewise(function, 1)
    knots, slopes, offsets = (torch.tensor(p) for p in (node.knots, node.slopes, node.offsets))

    def apply(x: Tensor) -> Tensor:
        segment = torch.searchsorted(knots, x.contiguous(), right=True)
        return slopes[segment] * x + offsets[segment]

    return apply
