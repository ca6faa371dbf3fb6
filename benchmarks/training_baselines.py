"""What the training kernels are measured against: the same mathematics as one writes it first."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

from neurossm_models import LIF, S4D, SpikingSSMConfig
from neurossm_models.surrogate import heaviside


def plain_s4d(ssm: S4D, u: Tensor) -> Tensor:
    """Return the output of an S4D layer for u (H, B, L): Vandermonde kernel, FFT convolution."""
    dt = ssm.log_dt.exp()
    a = torch.complex(-ssm.log_a_real.exp(), ssm.a_imag)
    c, b = torch.view_as_complex(ssm.c), torch.view_as_complex(ssm.b)
    z = dt[:, None] * a
    weight = c * b * (z.exp() - 1) / a
    length = u.shape[-1]
    powers = (z[..., None] * torch.arange(length)).exp()
    kernel = 2 * torch.einsum("hm,hml->hl", weight, powers).real
    spectrum = torch.fft.rfft(u, 2 * length) * torch.fft.rfft(kernel, 2 * length)[:, None]
    return torch.fft.irfft(spectrum, 2 * length)[..., :length] + ssm.d[:, None, None] * u


def indexing_loop_seconds(neuron: LIF, y: Tensor, steps: int) -> float:
    """Return the time of the loop that reads ``y[..., t]``, from its first steps.

    Each indexing has a gradient of the size of the whole y, which autograd adds up step by step;
    so a step costs the same wherever it stands, and few of them are enough.
    """
    y = y.requires_grad_()
    tau, theta = neuron.tau[:, None], neuron.theta[:, None]
    started = time.perf_counter()
    u, spikes = torch.zeros_like(y[..., 0]), []
    for t in range(steps):
        v = tau * u + y[..., t] / theta
        s = heaviside(v - 1, neuron.surrogate)
        u = v * (1 - s)
        spikes.append(s)
    torch.stack(spikes, -1).sum().backward()  # type: ignore[no-untyped-call]
    return (time.perf_counter() - started) / steps * y.shape[-1]


class PlainSpikingSSM(nn.Module):
    """SpikingSSM in plain PyTorch, in its usual layout (B, H, L): FFT and a loop over time."""

    def __init__(self, config: SpikingSSMConfig) -> None:
        super().__init__()
        self.encoder = nn.Linear(config.in_features, config.width)
        self.layers = nn.ModuleList(_PlainBlock(config) for _ in range(config.layers))
        self.decoder = nn.Linear(config.width, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits (B, C) of (B, L, F)."""
        r = self.encoder(x).transpose(1, 2)
        for layer in self.layers:
            r = layer(r)
        logits: Tensor = self.decoder(r.mean(-1))
        return logits


class _PlainBlock(nn.Module):
    def __init__(self, config: SpikingSSMConfig) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(config.width)
        self.ssm = S4D(config.width, config.state)
        self.neuron = LIF(config.width, tau=config.tau, reset="hard")
        self.dropout = nn.Dropout1d(config.dropout)
        self.mix = nn.Sequential(nn.Conv1d(config.width, 2 * config.width, 1), nn.GLU(dim=1))

    def forward(self, r: Tensor) -> Tensor:
        """Return the residual stream (B, H, L) after the block."""
        y = plain_s4d(self.ssm, self.norm(r).transpose(0, 1))
        self.neuron.form = "loop"
        s = self.neuron(y).transpose(0, 1)
        mixed: Tensor = self.mix(self.dropout(s))
        return r + mixed
