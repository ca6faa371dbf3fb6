"""A layer with the names and the parameters of state-spaces/s4's `S4D`, written from its equations.

Its recurrence runs step by step: nothing of the repository's convolution is here.
"""

import torch
from torch import nn


class S4DKernel(nn.Module):
    """Poles ``-exp(log_A_real) + i A_imag``, held inputs (ZOH)."""

    def __init__(self, channels, modes):
        super().__init__()
        self.C = nn.Parameter(torch.randn(channels, modes, 2))
        self.log_dt = nn.Parameter(torch.rand(channels) - 3)
        self.log_A_real = nn.Parameter(torch.randn(channels, modes) * 0.3 - 0.7)
        self.A_imag = nn.Parameter(3 * torch.arange(modes).expand(channels, -1).clone().float())

    def discrete(self):
        a = torch.complex(-self.log_A_real.exp(), self.A_imag)
        pole = torch.exp(self.log_dt.exp()[:, None] * a)
        return pole, (pole - 1) / a, torch.complex(self.C[..., 0], self.C[..., 1])

    def forward(self, L):
        pole, gain, read = self.discrete()
        taps, state = [], gain
        for _ in range(L):
            taps.append(2 * (read * state).sum(1).real)
            state = pole * state
        return torch.stack(taps, 1)


class S4D(nn.Module):
    """Takes and gives (B, H, L), and a state that is None."""

    def __init__(self, channels=6, modes=4, dropout=0.0):
        super().__init__()
        self.kernel = S4DKernel(channels, modes)
        self.D = nn.Parameter(torch.randn(channels))
        self.activation = nn.GELU()
        self.dropout = nn.Dropout1d(dropout) if dropout else nn.Identity()
        self.output_linear = nn.Sequential(nn.Conv1d(channels, 2 * channels, 1), nn.GLU(dim=-2))

    def filtered(self, u):
        pole, gain, read = self.kernel.discrete()
        state, out = torch.zeros(*u.shape[:2], pole.shape[1], dtype=pole.dtype), []
        for t in range(u.shape[2]):
            state = pole * state + gain * u[:, :, t, None]
            out.append(2 * (read * state).sum(2).real + self.D * u[:, :, t])
        return torch.stack(out, 2)

    def forward(self, u):
        return self.output_linear(self.dropout(self.activation(self.filtered(u)))), None
