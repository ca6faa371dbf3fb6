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


class SSMKernelDiag(nn.Module):
    """Poles ``-exp(A_real) - i A_imag`` that channels may share, ZOH or bilinear."""

    is_real = False

    def __init__(self, channels, modes, disc, n_ssm):
        super().__init__()
        self.disc, self.repeat = disc, channels // n_ssm
        self.inv_dt = nn.Parameter(torch.rand(channels, 1) - 3)
        self.A_real = nn.Parameter(torch.randn(n_ssm, modes))
        self.A_imag = nn.Parameter(torch.randn(n_ssm, modes))
        self.B = nn.Parameter(torch.randn(1, n_ssm, modes, 2))
        self.C = nn.Parameter(torch.randn(1, channels, modes, 2))

    def _get_params(self):
        a = torch.complex(-self.A_real.exp(), -self.A_imag).repeat(self.repeat, 1)
        b = torch.view_as_complex(self.B).repeat(1, self.repeat, 1)
        return self.inv_dt.exp(), a, b, torch.view_as_complex(self.C)

    def forward(self, L):
        dt, a, b, c = self._get_params()
        half = dt * a / 2
        pole = torch.exp(2 * half) if self.disc == "zoh" else (1 + half) / (1 - half)
        gain = (pole - 1) / a if self.disc == "zoh" else dt / (1 - half)
        taps, state = [], b * gain
        for _ in range(L):
            taps.append(2 * (c * state).sum(2).real)
            state = pole * state
        return torch.stack(taps, 2), None


class Convolution(nn.Module):
    """A kernel and what is around it, as `S4Block` holds it."""

    def __init__(self, channels, modes, disc, n_ssm):
        super().__init__()
        self.channels, self.bidirectional, self.L = 1, False, None
        self.kernel = SSMKernelDiag(channels, modes, disc, n_ssm)
        self.D = nn.Parameter(torch.randn(1, channels))
        self.activation, self.drop, self.drop_kernel = nn.GELU(), nn.Identity(), nn.Identity()

    def forward(self, x):  # (B, L, H)
        k, out = self.kernel(x.shape[1])[0][0], []
        for t in range(x.shape[1]):
            past = x[:, : t + 1].flip(1).transpose(1, 2)
            out.append((past * k[:, : t + 1]).sum(2) + x[:, t] * self.D[0])
        return self.activation(torch.stack(out, 1))


class S4Block(nn.Module):
    """Takes and gives (B, H, L), and a state that is None."""

    def __init__(self, channels=6, modes=4, disc="zoh", n_ssm=6):
        super().__init__()
        self.gate = self.bottleneck = None
        self.layer = Convolution(channels, modes, disc, n_ssm)
        self.mult_activation, self.drop = nn.Identity(), nn.Identity()
        self.output_linear = nn.Sequential(nn.Linear(channels, 2 * channels), nn.GLU(dim=-1))

    def forward(self, x):
        y = self.output_linear(self.layer(x.transpose(1, 2)))
        return y.transpose(1, 2), None
