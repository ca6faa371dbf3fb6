"""Small networks with learned delays, and what they do by a plain loop over their equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neurossm_models import Network
from neurossm_models.families.delrec import DelRecConfig

FEATURES, WIDTH, CLASSES, STEPS = 2, 7, 3, 24
KINDS: dict[str, dict[str, Any]] = {
    "recurrent": {},
    "feed-forward": {"feedforward": "synaptic", "recurrent": "none", "reset": "hard"},
    "both": {"feedforward": "synaptic", "norm": "none"},
    "neither": {"recurrent": "none", "tau": 0.75},
}


def network(kind: str = "recurrent", **changes: Any) -> Network:
    """Return a network in double precision and eval mode whose norms have seen data."""
    torch.manual_seed(8)
    shape = {"in_features": FEATURES, "width": WIDTH, "classes": CLASSES, "layers": 2,
             "recurrent_scale": 4.0, "feedforward_longest": 6, "dropout": 0.1}  # fmt: skip
    model = Network(DelRecConfig(**{**shape, **KINDS[kind], **changes})).double()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight"):
                parameter *= 2 if model.config.norm == "none" else 1
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm1d):
                module.weight.uniform_(0.5, 1.5)
                module.bias.normal_(0.2, 0.3)
                module.momentum = 1.0  # statistics are those of one batch
        model(some_input(16))
    return model.eval()


def some_input(batch: int) -> torch.Tensor:
    """Return random values, (B, T, F)."""
    return torch.rand(batch, STEPS, FEATURES, dtype=torch.float64)


def by_hand(model: Network, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the mean readout after each step (B, T, C), and the spikes (B, T, H) of each layer."""
    p = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    stream, spikes = x, []
    for index in range(model.config.layers):
        stream = _layer(model.config, p, index, stream)
        spikes.append(stream)
    total = np.cumsum(stream @ p["decoder.weight"].T + p["decoder.bias"], 1)
    return total / np.arange(1, x.shape[1] + 1)[:, None], spikes


def _layer(config: DelRecConfig, p: dict, index: int, stream: np.ndarray) -> np.ndarray:
    name = f"blocks.{index}"
    inside = index > 0 or config.feedforward == "synaptic"
    weight = p[f"{name}.linear.weight" if inside else "encoder.weight"]
    bias = p.get(f"{name}.linear.bias" if inside else "encoder.bias", 0)
    steps = np.rint(p.get(f"{name}.linear.delay", np.zeros(weight.shape))).astype(int)
    u = np.zeros((*stream.shape[:2], len(weight))) + bias
    for o in range(weight.shape[0]):
        for i in range(weight.shape[1]):
            n = steps[o, i]
            u[:, n:, o] += weight[o, i] * stream[:, : stream.shape[1] - n, i]
    if config.norm == "batch":
        mean, var = (p[f"{name}.norm.running_{what}"] for what in ("mean", "var"))
        u = (u - mean) / np.sqrt(var + 1e-5) * p[f"{name}.norm.weight"] + p[f"{name}.norm.bias"]
    return _neurons(config, p, name, u)


def _neurons(config: DelRecConfig, p: dict, name: str, u: np.ndarray) -> np.ndarray:
    width = u.shape[2]
    back = p.get(f"{name}.neuron.weight", np.zeros((width, width)))
    waits = np.rint(p.get(f"{name}.neuron.delay", np.ones(width))).astype(int)
    membrane, spikes = np.zeros((len(u), width)), np.zeros(u.shape)
    for t in range(u.shape[1]):
        arriving = np.zeros((len(u), width))
        for h in range(width):
            if t >= waits[h]:
                arriving[:, h] = spikes[:, t - waits[h], h]
        v = config.tau * membrane + u[:, t] + arriving @ back.T
        fired = spikes[:, t] = v >= 1
        membrane = {"soft": v - fired, "hard": np.where(fired, 0, v), "none": v}[config.reset]
    return spikes
