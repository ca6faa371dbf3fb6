"""Your own nn.Module: exported as a graph, made integer, compared with PyTorch.

    python own_network.py

Layers of PyTorch, skips and transposes are followed without help. `Diagonal`, a state space layer
computed as a convolution, is unknown to neurossm, so it comes with a converter of ten lines.
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import neurossm
from neurossm.nodes import DiagonalSSM

STEPS, CHANNELS, WIDTH = 64, 4, 16


class Diagonal(nn.Module):
    """A diagonal state space model per feature, (batch, features, time), zero-order hold."""

    def __init__(self, width: int, states: int) -> None:
        super().__init__()
        self.log_decay = nn.Parameter(torch.zeros(width, states))
        self.frequency = nn.Parameter(3 * torch.rand(width, states))
        self.c = nn.Parameter(torch.randn(width, states, dtype=torch.cfloat) / states)
        self.log_step = nn.Parameter(torch.full((width,), -2.0))

    def discretized(self) -> tuple[Tensor, Tensor]:
        """Return poles and input gains, (width, states)."""
        a = torch.complex(-torch.exp(self.log_decay), self.frequency)
        pole = torch.exp(a * torch.exp(self.log_step)[:, None])
        return pole, (pole - 1) / a

    def forward(self, u: Tensor) -> Tensor:
        """Convolve with the impulse response."""
        pole, b = self.discretized()
        steps = u.shape[-1]
        powers = pole[..., None] ** torch.arange(steps)
        kernel = 2 * torch.einsum("hn,hnl->hl", self.c * b, powers).real
        spectrum = torch.fft.rfft(u, n=2 * steps) * torch.fft.rfft(kernel, n=2 * steps)
        return torch.fft.irfft(spectrum, n=2 * steps)[..., :steps]


def convert(builder: neurossm.Builder, path: str, module: Diagonal, source: str) -> str:
    """Add the node behind `source`; return its name."""
    with torch.no_grad():
        a, b = (part.numpy() for part in module.discretized())
        c = module.c.numpy()
    width, none = len(a), np.zeros(a.shape)
    node = DiagonalSSM(
        a_re=a.real, a_im=a.imag, b_re=b.real, b_im=b.imag, c_re=c.real, c_im=c.imag,
        d=np.zeros(width), drive_re=none, drive_im=none, bias=np.zeros(width),
        step_size=np.exp(module.log_step.detach().numpy()), method="zoh",
    )  # fmt: skip
    return builder.add(path, node, source)


class Network(nn.Module):
    """Two blocks with skips; outputs: classes by the mean over time, a value at the last step."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Conv1d(CHANNELS, WIDTH, 1)
        self.norms = nn.ModuleList(nn.BatchNorm1d(WIDTH) for _ in range(2))
        self.layers = nn.ModuleList(Diagonal(WIDTH, 4) for _ in range(2))
        self.mixes = nn.ModuleList(nn.Conv1d(WIDTH, 2 * WIDTH, 1) for _ in range(2))
        self.classes, self.value = nn.Linear(WIDTH, 5), nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Take (batch, time, channels)."""
        x = self.encoder(x.transpose(1, 2))
        for norm, layer, mix in zip(self.norms, self.layers, self.mixes, strict=True):
            x = x + F.glu(mix(F.gelu(layer(norm(x)))), dim=1)
        x = x.transpose(1, 2)
        return {"classes": self.classes(x).mean(dim=1), "value": self.value(x)[:, -1]}


def main() -> None:
    """Export, quantize, run, and print the largest errors."""
    torch.manual_seed(0)
    model = Network().eval()  # train it first
    example = torch.randn(16, STEPS, CHANNELS)

    # module and graph are run on the example and compared, operation by operation
    graph = neurossm.from_torch(model, example, converters={Diagonal: convert})
    print(f"{len(graph.nodes)} nodes, outputs {', '.join(graph.outputs)}")

    unit = 2.0 ** -graph.nodes["input"].out.frac
    integers = np.rint(example.numpy() / unit).astype(np.int64)
    integer = neurossm.quantize(graph, integers).graph
    trace = neurossm.run(integer, integers, "fast")
    with torch.no_grad():
        expected = model(example)
    for name in graph.outputs:
        scale = 2.0 ** -integer.nodes[name].out.frac
        found = trace.last(name) * scale
        error = np.abs(found - expected[name].numpy()).max()
        print(f"{name}: integers differ from PyTorch by at most {error:.3f}")


if __name__ == "__main__":
    main()
