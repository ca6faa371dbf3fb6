"""Random PyTorch modules of supported operations, each a small program that a seed writes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS, FEATURES = 7, 3
EXACT = ("linear", "linear", "skip", "product", "cat", "chunk", "flipped", "relu", "clamp", "norm",
         "scaled", "spikes", "einsum", "heads", "where", "conv", "features", "abs", "running",
         "square")  # fmt: skip
READOUTS = ("mean", "sum", "last", "max", "every", "head")


PLAIN: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "skip": lambda x, y: x - 0.5 * y,
    "product": lambda x, y: x * y,
    "cat": lambda x, y: torch.cat([x, y], dim=-1),
    "chunk": lambda x, _: 2 * x.chunk(2, dim=2)[0] - x.chunk(2, dim=2)[1] / 3,
    "features": lambda x, _: x[..., ::2] + x[:, :, x.shape[2] // 2 :],
    "flipped": lambda x, _: torch.flip(x, [-1]) + 0.25,
    "relu": lambda x, _: F.relu(x),
    "abs": lambda x, _: (0.1 - x).abs(),
    "clamp": lambda x, _: x.clamp(-0.5, 0.75),
    "spikes": lambda x, _: (x > 0.1).float(),
    "where": lambda x, _: torch.where(x <= 0, 0.5, x),
    "square": lambda x, _: x**2 - x,
    "running": lambda x, _: x.cumsum(1),
}


def weighted(kind: str, weight: Tensor, x: Tensor) -> Tensor:
    """Apply a parameter without a layer."""
    if kind == "scaled":
        return weight * x + 0.1
    if kind == "einsum":
        return torch.einsum("btf,fg->btg", x, weight)
    parts = x.unflatten(-1, (2, -1)).movedim(1, 2) * weight
    return parts.movedim(2, 1).flatten(2)


class Program(nn.Module):
    """Runs operations that were drawn, each on one or two earlier values (B, T, features)."""

    def __init__(self, seed: int, length: int = 6) -> None:
        super().__init__()
        self.rng = np.random.default_rng(seed)
        torch.manual_seed(seed)
        self.layers, self.lines, widths = nn.ModuleDict(), [], [FEATURES]
        for place in range(length):
            kind, first, second = self.drawn(widths)
            out = self.added(kind, f"{kind}{place}", widths[first], widths[second])
            self.lines.append((kind, f"{kind}{place}", first, second))
            widths.append(out)
        self.readout = str(self.rng.choice(READOUTS))
        self.layers["head"] = nn.Linear(widths[-1], 2)
        self.eval()

    def drawn(self, widths: list[int]) -> tuple[str, int, int]:
        kind = str(self.rng.choice(EXACT))
        first = int(self.rng.integers(max(0, len(widths) - 3), len(widths)))
        second = int(self.rng.integers(0, len(widths)))
        if kind in ("chunk", "heads", "features") and widths[first] % 2:
            kind = "linear"
        if kind in ("skip", "product") and widths[first] != widths[second]:
            kind = "relu"
        return kind, first, second

    def added(self, kind: str, name: str, width: int, other: int) -> int:
        out = int(self.rng.choice([2, 4, 6]))
        match kind:
            case "linear":
                self.layers[name] = nn.Linear(width, out, bias=bool(self.rng.integers(0, 2)))
                return out
            case "conv":
                self.layers[name] = nn.Conv1d(width, out, 1)
                return out
            case "norm":
                norm = nn.BatchNorm1d(width)
                norm.running_mean.normal_()
                norm.running_var.uniform_(0.5, 2)
                self.layers[name] = norm
            case "scaled" | "einsum" | "heads":
                shape = (width,) if kind == "scaled" else (width, out)
                shape = (2, 1, width // 2) if kind == "heads" else shape
                self.register_parameter(name, nn.Parameter(torch.randn(shape)))
                return out if kind == "einsum" else width
            case "cat":
                return width + other
            case "chunk" | "features":
                return width // 2
        return width

    def step(self, kind: str, name: str, x: Tensor, y: Tensor) -> Tensor:
        if kind in ("linear", "conv", "norm"):
            return self.layered(kind, self.layers[name], x)
        if kind in ("scaled", "einsum", "heads"):
            return weighted(kind, getattr(self, name), x)
        return PLAIN[kind](x, y)

    def layered(self, kind: str, layer: nn.Module, x: Tensor) -> Tensor:
        if kind == "linear":
            return layer(x)
        if kind == "conv":
            return layer(x.transpose(1, 2)).transpose(1, 2)
        return layer(x.permute(0, 2, 1)).mT

    def forward(self, x: Tensor) -> Tensor:
        values = [x]
        for kind, name, first, second in self.lines:
            values.append(self.step(kind, name, values[first], values[second]))
        last = values[-1]
        match self.readout:
            case "mean":
                return self.layers["head"](last).mean(1)
            case "sum":
                return last.sum(1)
            case "last":
                return last[:, -1]
            case "max":
                return last.amax(dim=1)
            case "head":
                return self.layers["head"](last.mean(1)).relu()
        return last
