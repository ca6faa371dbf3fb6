"""Random PyTorch modules of supported operations, each a small program that a seed writes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEPS, FEATURES = 7, 3
EXACT = ("linear", "linear", "skip", "product", "cat", "chunk", "flipped", "relu", "clamp", "norm",
         "scaled", "spikes", "einsum", "heads", "where", "conv", "features", "abs", "running",
         "square")  # fmt: skip
READOUTS = ("mean", "sum", "last", "max", "every", "head")


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
        match kind:
            case "linear":
                return self.layers[name](x)
            case "conv":
                return self.layers[name](x.transpose(1, 2)).transpose(1, 2)
            case "norm":
                return self.layers[name](x.permute(0, 2, 1)).mT
            case "skip":
                return x + y if name[-1] in "02468" else x - 0.5 * y
            case "product":
                return x * y
            case "cat":
                return torch.cat([x, y], dim=-1)
            case "chunk":
                one, two = x.chunk(2, dim=2)
                return 2 * one - two / 3
            case "features":
                return x[..., ::2] + x[:, :, x.shape[2] // 2 :]
            case "flipped":
                return torch.flip(x, [-1]) + 0.25
            case "relu":
                return F.relu(x)
            case "abs":
                return (0.1 - x).abs()
            case "clamp":
                return x.clamp(-0.5, 0.75)
            case "scaled":
                return getattr(self, name) * x + 0.1
            case "spikes":
                return (x > 0.1).float()
            case "where":
                return torch.where(x <= 0, 0.5, x)
            case "einsum":
                return torch.einsum("btf,fg->btg", x, getattr(self, name))
            case "heads":
                parts = x.unflatten(-1, (2, -1)).movedim(1, 2) * getattr(self, name)
                return parts.movedim(2, 1).flatten(2)
            case "square":
                return x**2 - x
            case _:
                return x.cumsum(1)

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
