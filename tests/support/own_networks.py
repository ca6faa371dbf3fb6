"""Networks that are not ours, as somebody would write them, with converters for their layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from neurossm.graph import Graph
from neurossm.nodes import LIF, DiagonalSSM
from neurossm_converters.formats.torch import Builder, array, from_torch
from neurossm_models import neurons
from neurossm_models.s4d import S4D as OurS4D

SAMPLES, STEPS, FEATURES = 3, 10, 3
UNIT = 2.0**-9  # values of the tests: whole parts of it, so every number type holds them


class Own(nn.Module):
    """A forward as a function, and the modules that it calls."""

    def __init__(self, function: Callable[..., Any], **parts: Any) -> None:
        super().__init__()
        self.function = function
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, *args: Tensor, **kwargs: Tensor) -> Any:
        return self.function(self, *args, **kwargs)


def module(function: Callable[..., Any], **parts: Any) -> nn.Module:
    torch.manual_seed(0)
    return Own(function, **parts).eval()


def example(*shape: int, seed: int = 1) -> Tensor:
    whole = np.random.default_rng(seed).integers(-1000, 1000, shape or (SAMPLES, 7, FEATURES))
    return torch.from_numpy(whole * UNIT).float()


class Spiking(torch.autograd.Function):
    """A comparison with a surrogate gradient."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, theta: Tensor) -> Tensor:
        ctx.save_for_backward(v)
        return (v > theta).float()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad, None


class Skips(nn.Module):
    """Skips around gated and spiking parts, and two readouts."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.first = nn.Linear(FEATURES, width)
        self.gate, self.mix = nn.Linear(width, 2 * width), nn.Linear(width, width, bias=False)
        self.classes, self.value = nn.Linear(width, 4), nn.Linear(width, 1)
        self.theta = nn.Parameter(torch.rand(width))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = self.first(x)
        value, gate = self.gate(h).chunk(2, dim=-1)
        h = h + value * torch.sigmoid(gate)
        spikes = Spiking.apply(h, self.theta)
        h = h + self.mix(spikes)
        return self.classes(spikes).mean(dim=1), self.value(F.relu(h))[:, -1]


class Diagonal(nn.Module):
    """A diagonal state space layer of one's own, (B, H, L), as a convolution."""

    def __init__(self, width: int, modes: int) -> None:
        super().__init__()
        self.decay = nn.Parameter(torch.randn(width, modes))
        self.turn = nn.Parameter(torch.rand(width, modes) * 3)
        self.c = nn.Parameter(torch.randn(width, modes, 2))
        self.d = nn.Parameter(torch.randn(width))
        self.log_step = nn.Parameter(torch.rand(width) * -2 - 1)

    def discretized(self) -> tuple[Tensor, Tensor, Tensor]:
        a = torch.complex(-torch.exp(self.decay), self.turn)
        pole = torch.exp(a * torch.exp(self.log_step)[:, None])
        return pole, (pole - 1) / a, torch.view_as_complex(self.c)

    def forward(self, u: Tensor) -> Tensor:
        pole, b, c = self.discretized()
        length = u.shape[-1]
        powers = pole[..., None] ** torch.arange(length, device=u.device)
        kernel = 2 * torch.einsum("hn,hnl->hl", b * c, powers).real
        spectrum = torch.fft.rfft(u, n=2 * length) * torch.fft.rfft(kernel, n=2 * length)
        return torch.fft.irfft(spectrum, n=2 * length)[..., :length] + self.d[:, None] * u


def convert_diagonal(builder: Builder, path: str, module: Diagonal, source: str) -> str:
    with torch.no_grad():
        a, b, c = (part.numpy() for part in module.discretized())
    none = np.zeros(a.shape)
    return builder.add(path, DiagonalSSM(
        a_re=a.real, a_im=a.imag, b_re=b.real, b_im=b.imag, c_re=c.real, c_im=c.imag,
        d=array(module.d), drive_re=none, drive_im=none, bias=np.zeros(len(a)),
        step_size=np.exp(array(module.log_step)), method="zoh"), source)  # fmt: skip


class Convolutional(nn.Module):
    """Channels first: convolutions of kernel 1, batch norms, a layer of one's own, a gate."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.encoder, self.norm = nn.Conv1d(FEATURES, width, 1), nn.BatchNorm1d(width)
        self.ssm, self.gate = Diagonal(width, 2), nn.Conv1d(width, 2 * width, 1)
        self.head = nn.Linear(width, 4)
        self.norm.running_mean.normal_()
        self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.encoder(x)
        x = x + F.glu(self.gate(F.gelu(self.ssm(self.norm(x)))), dim=1)
        return self.head(x.mean(-1))


class Concatenated(nn.Module):
    """Branches that are concatenated, mixed and split again."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = nn.Linear(FEATURES, 4), nn.Linear(FEATURES, 2)
        self.mix, self.out = nn.Linear(6 + FEATURES, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        both = torch.cat([torch.tanh(self.one(x)), self.two(x).clamp(-1, 1), x], dim=-1)
        left, right = self.mix(both).split([5, 3], dim=-1)
        again = torch.cat([F.silu(right), F.leaky_relu(left, 0.125)], dim=-1)
        return {"classes": self.out(again).sum(1), "peak": again.amax(1)}


class TwoInputs(nn.Module):
    """Tokens beside real values."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.mix = nn.Embedding(9, 4), nn.Linear(4 + FEATURES, 6)
        self.out = nn.Linear(6, 2)

    def forward(self, token: Tensor, signal: Tensor) -> Tensor:
        h = self.mix(torch.cat([self.embedding(token), signal], dim=-1))
        return self.out(h.relu() * h)


class Cell(nn.Module):
    """A leaky neuron with a hard reset that takes a step."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.leak = nn.Parameter(torch.rand(width) * 0.5 + 0.4)
        self.theta = nn.Parameter(torch.rand(width) * 0.5 + 0.3)

    def forward(self, x: Tensor, u: Tensor | None = None) -> tuple[Tensor, Tensor]:
        u = x if u is None else self.leak * u + x
        spikes = Spiking.apply(u - self.theta, torch.full((), -1e-300))
        return spikes, u * (1 - spikes)


def convert_cell(builder: Builder, path: str, module: Cell, source: str) -> str:
    none = np.zeros(len(module.leak))
    return builder.add(path, LIF(theta=array(module.theta), tau=array(module.leak), rho=none,
                                 kappa=none, reset="hard"), source)  # fmt: skip


class Stepping(nn.Module):
    """Takes one step; states go in and out."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.encoder, self.mix = nn.Linear(FEATURES, width), nn.Linear(width, width)
        self.one, self.two, self.out = Cell(width), Cell(width), nn.Linear(width, 4)

    def forward(
        self, x: Tensor, a: Tensor | None = None, b: Tensor | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        spikes, a = self.one(2 * self.encoder(x), a)
        more, b = self.two(self.mix(spikes) + spikes, b)
        return self.out(more), a, b


class Looping(Stepping):
    """The same as a loop over time, with the mean added up by hand."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[override]
        a = b = None
        total, answers = 0, []
        for t in range(x.shape[1]):
            y, a, b = super().forward(x[:, t], a, b)
            total = total + y
            answers.append(y)
        return total / x.shape[1], torch.stack(answers, dim=1)


class OurLayers(nn.Module):
    """Our state space layer and neurons, features first, in an order of one's own."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.encoder = nn.Linear(FEATURES, width)
        self.ssm = OurS4D(width, 4, dt_min=0.05, dt_max=0.5)
        self.neuron = neurons.LIF(width, tau=0.5, reset="soft", threshold=0.3)
        self.head = nn.Linear(width, 4)

    def forward(self, x: Tensor) -> Tensor:
        h = self.encoder(x).permute(2, 0, 1).contiguous()
        return self.head(self.neuron(3 * self.ssm(h)).permute(1, 2, 0)).mean(1)


@dataclass(frozen=True)
class Case:
    """A network with its example and the arguments of `from_torch`."""

    build: Callable[[], nn.Module]
    example: Callable[[], Any]
    options: dict[str, Any] = field(default_factory=dict)


def _values() -> Tensor:
    return torch.randn(SAMPLES, STEPS, FEATURES)


CELLS = {Cell: convert_cell}
NETWORKS = {
    "skips": Case(Skips, _values),
    "convolutional": Case(Convolutional, lambda: _values().mT,
                         {"converters": {Diagonal: convert_diagonal}, "layout": "bft"}),
    "concatenated": Case(Concatenated, _values),
    "two-inputs": Case(TwoInputs, lambda: (torch.randint(0, 9, (SAMPLES, STEPS)), _values())),
    "stepping": Case(Stepping, _values, {"converters": CELLS, "step": True, "readout": "mean"}),
    "looping": Case(Looping, lambda: _values().transpose(0, 1).contiguous().transpose(0, 1),
                   {"converters": CELLS}),
    "our-layers": Case(OurLayers, _values),
}  # fmt: skip


def own(name: str) -> tuple[nn.Module, Any, dict[str, Any]]:
    """Return a network in evaluation mode, its example, and the arguments of `from_torch`."""
    torch.manual_seed(4)
    case = NETWORKS[name]
    return case.build().eval(), case.example(), case.options


@cache
def exported(name: str) -> Graph:
    """Return the graph of a network."""
    model, example, options = own(name)
    return from_torch(model, example, **options)
