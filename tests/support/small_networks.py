"""Small networks of all families with trained-looking parameters, and their recurrences alone."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from neurossm_models import Network
from neurossm_models.families import FAMILIES

# Drives strong enough that every neuron spikes now and then in the sequences of the tests.
SETTINGS: dict[str, dict[str, Any]] = {
    "binary-s4d": {"threshold": 0.3},
    "gsu": {"delta": 0.4},
    "spikingssm": {"threshold": 0.4, "tau": 0.5},
    "spike-ssm": {"threshold": 0.4, "tau": 0.5, "rho": 0.75, "kappa": 0.5},
    "prf": {"threshold": 0.2, "dt_min": 0.05, "dt_max": 0.5},
    "d-rf": {"threshold": 0.1, "dt_min": 0.05, "dt_max": 0.5, "dendrites": 3, "taps": 2,
             "train_threshold": True},
}  # fmt: skip
NAMES = tuple(SETTINGS)
S4D_NAMES = tuple(name for name in NAMES if hasattr(FAMILIES[name].config, "state"))
MIXED_NAMES = tuple(name for name in NAMES if hasattr(FAMILIES[name].config, "mixing"))


def network(family: str = "binary-s4d", **changes: Any) -> Network:
    """Return a network in eval mode and double precision, away from its initial symmetries."""
    torch.manual_seed(3)
    shape = {"in_features": 2, "classes": 3, "width": 6}
    if family in S4D_NAMES:
        shape["state"] = 4
    config = FAMILIES[family].config(**{**shape, **SETTINGS[family], **changes})
    model = Network(config).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return model.eval()


def by_hand(model: Network, x: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the mean readout at every step, and the spikes (B, H, L) of each block, in NumPy."""
    p = {name: tensor.detach().double().numpy() for name, tensor in model.state_dict().items()}
    kind = _Block if model.config.family in S4D_NAMES else _ResonatingBlock
    blocks = [kind(model, p, index, len(x)) for index in range(model.config.layers)]
    total, logits = 0.0, []
    for t in range(x.shape[1]):
        r = _linear(p, "encoder", x[:, t])
        for block in blocks:
            r = block.step(r)
        total = total + _linear(p, "decoder", r)
        logits.append(total / (t + 1))
    return np.stack(logits, 1), [np.stack(block.spikes, -1) for block in blocks]


class _Block:
    """One block, a step at a time: the equations of the papers on arrays (B, H)."""

    def __init__(self, model: Network, p: dict[str, np.ndarray], index: int, batch: int) -> None:
        self.config, self.p, self.name = model.config, p, f"blocks.{index}"
        self.discrete = model.blocks[index].ssm.discretized()
        self.x = np.zeros((batch, *self.discrete[0].shape), complex)
        self.u = self.trace = self.last = np.zeros((batch, model.config.width))
        self.spikes: list[np.ndarray] = []

    def step(self, r: np.ndarray) -> np.ndarray:
        abar, bbar, c, d = self.discrete
        u = self._norm("norm", r)
        self.x = abar * self.x + bbar * u[..., None]
        y = 2 * (c * self.x).sum(-1).real + d * u
        if self.config.family == "gsu":
            return r + self._gated_unit(y)
        s = self._binary(y) if self.config.family == "binary-s4d" else self._membrane(y)
        self.spikes.append(s)
        mixed = _linear(self.p, f"{self.name}.mix", self._arriving())
        if self.config.mixing == "glu":
            one, two = np.split(mixed, 2, 1)
            mixed = one / (1 + np.exp(-two))
        return r + mixed

    def _arriving(self) -> np.ndarray:
        """Return the spikes that arrive now: those of n steps ago, n of each feature in turn."""
        s, delays = np.zeros_like(self.spikes[-1]), self.config.delays or (0,)
        for h in range(s.shape[1]):
            n = delays[h % len(delays)]
            if n < len(self.spikes):
                s[:, h] = self.spikes[-1 - n][:, h]
        return s

    def _binary(self, y: np.ndarray) -> np.ndarray:
        return (self._norm("ssm_norm", y) >= self.p[f"{self.name}.spike.theta"]).astype(float)

    def _membrane(self, y: np.ndarray) -> np.ndarray:
        """SpikingSSMs eq. 8, 9, 4 in volts (not scaled by the threshold); or soft, with a trace."""
        theta = np.exp(self.p[f"{self.name}.neuron.log_theta"])
        before = self.config.tau * self.u + y
        if self.config.family == "spikingssm":
            s = (before >= theta).astype(float)
            self.u = np.where(s > 0, 0, before)
            return s
        kappa = np.exp(self.p[f"{self.name}.neuron.log_kappa"])
        self.trace = self.config.rho * self.trace + kappa * theta * self.last
        s = (before - self.trace >= theta).astype(float)
        self.u, self.last = before - theta * s, s
        return s

    def _gated_unit(self, y: np.ndarray) -> np.ndarray:
        v, w = self._norm("ssm_norm", y), self.p[f"{self.name}.unit.weight"]
        if self.config.threshold == "maximum":
            delta = self.config.fraction * np.abs(v).max(1, keepdims=True)
        else:
            delta = np.exp(self.p[f"{self.name}.ternary.log_delta"])
        t = np.sign(v) * (np.abs(v) >= delta)
        self.spikes.append(t)
        signs = np.sign(w) * (np.abs(w) >= self.config.fraction * np.abs(w).max())
        n = v @ signs.T * self.p[f"{self.name}.unit.scale"] + self.p[f"{self.name}.unit.bias_n"]
        product = n * (t @ w.T + self.p[f"{self.name}.unit.bias_m"])
        return product * np.vectorize(lambda z: 0.5 * (1 + math.erf(z / math.sqrt(2))))(product)

    def _norm(self, name: str, z: np.ndarray) -> np.ndarray:
        return _norm(self.p, f"{self.name}.{name}", z)


class _ResonatingBlock:
    """A block of PRF or D-RF, a step at a time, by the equations of the papers."""

    def __init__(self, model: Network, p: dict[str, np.ndarray], index: int, batch: int) -> None:
        self.p, self.name, config = p, f"blocks.{index}", model.config
        dt, omega = (np.exp(p[f"{self.name}.ssm.{part}"]) for part in ("log_dt", "log_omega"))
        self.dt, self.pole = dt[:, None], np.exp(dt[:, None] * (-1 / config.tau + 1j * omega))
        self.weight = p.get(f"{self.name}.ssm.weight", np.ones_like(omega))
        self.z = np.zeros((batch, *omega.shape), complex)
        self.spikes: list[np.ndarray] = []
        self.candidates: list[np.ndarray] = []

    def step(self, r: np.ndarray) -> np.ndarray:
        u = _norm(self.p, f"{self.name}.norm", r)
        self.z = self.pole * self.z + self.dt * u[..., None]
        self.spikes.append(self._fired((self.weight * self.z.real).sum(-1)))
        v = r + _linear(self.p, f"{self.name}.mix", self.spikes[-1])
        q = (v >= 0.5) * self.p[f"{self.name}.amplitude"]
        return v + _linear(self.p, f"{self.name}.spatial_mix", q)

    def _fired(self, h: np.ndarray) -> np.ndarray:
        theta = self.p.get(f"{self.name}.spike.theta")
        logit = self.p.get(f"{self.name}.spike.logit")
        if theta is None:
            theta = np.exp(self.p[f"{self.name}.spike.log_theta"])
        raised = theta.copy()
        if logit is not None:
            alpha = 1 / (1 + np.exp(-logit))
            for k, before in enumerate(reversed(self.candidates[-logit.shape[1] :])):
                raised = raised + alpha[:, k] * theta * before
        self.candidates.append((h >= theta).astype(float))
        return (h >= raised).astype(float)


def _norm(p: dict[str, np.ndarray], name: str, z: np.ndarray) -> np.ndarray:
    spread = np.sqrt(p[f"{name}.running_var"] + 1e-5)
    scaled = (z - p[f"{name}.running_mean"]) / spread
    return scaled * p[f"{name}.weight"] + p[f"{name}.bias"]


def _linear(p: dict[str, np.ndarray], name: str, z: np.ndarray) -> np.ndarray:
    return z @ p[f"{name}.weight"].T + p[f"{name}.bias"]
