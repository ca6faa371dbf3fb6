"""The surrogate dynamic network of SpikingSSMs: a tiny causal network that predicts the membrane.

A fixed neuron is a fixed map from its input to its spikes. The network learns the part that needs
memory, the leaked membrane after the reset, from the eight inputs before; then all time steps are
computed at once::

    m_t = tau u_{t-1}  ~  SDN(y_{t-8} .. y_{t-1})          target of its training
    s_t = 1[m_t + y_t >= 1]

    z = relu(bn1(depthwise_8(encoder_1(y))))               8 channels, 8 steps
    h = relu(bn2(mix(z)) + z)
    m = read(h)                                            193 parameters, 153 folded

(in the paper's notation C8k1 - C8k8g8 - BN relu + C8k1 - BN + relu - C1k1).

In the network that is being trained it is frozen and sees no gradient, so the derivative of a spike
reaches ``y_t`` alone: time is credited by the state space layer. Deployment uses the exact neuron.

Shape letters: ``R`` rows, ``L`` time steps, ``W = 8`` steps seen, ``K = 8`` channels, ``N``
windows.

Source: Shen et al., "SpikingSSMs", AAAI 2025 (arXiv 2408.14909), and its released code (MIT).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from neurossm.errors import FormatError, InputError
from neurossm.files import replace_file
from neurossm_models.surrogate import heaviside

CHANNELS = STEPS = 8
WEIGHTS = Path(__file__).parent / "weights"
_SHAPES = {
    "kernel": (CHANNELS, STEPS),
    "kernel_bias": (CHANNELS, 1),
    "mix": (CHANNELS, CHANNELS),
    "mix_bias": (CHANNELS, 1),
    "read": (1, CHANNELS),
    "read_bias": (1, 1),
}
# OverflowError: an integer of hundreds of digits; RecursionError: JSON nested too deep
_DAMAGED = (
    OSError,
    SafetensorError,
    KeyError,
    TypeError,
    ValueError,
    OverflowError,
    RecursionError,
)
_PART = {"cpu": 2**15}  # windows at a time: 8 channels of them stay in the cache


class SDN(nn.Module):
    """The network as it is trained: encoder and depthwise kernel apart, with batch norms."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Parameter(_uniform(1, CHANNELS, 1))
        self.depthwise = nn.Parameter(_uniform(STEPS, CHANNELS, STEPS))
        self.depthwise_bias = nn.Parameter(_uniform(STEPS, CHANNELS, 1))
        self.norm1 = nn.BatchNorm1d(CHANNELS)
        self.mix = nn.Parameter(_uniform(CHANNELS, CHANNELS, CHANNELS))
        self.mix_bias = nn.Parameter(_uniform(CHANNELS, CHANNELS, 1))
        self.norm2 = nn.BatchNorm1d(CHANNELS)
        self.read = nn.Parameter(_uniform(CHANNELS, 1, CHANNELS))
        self.read_bias = nn.Parameter(_uniform(CHANNELS, 1, 1))

    def forward(self, windows: Tensor) -> Tensor:
        """Return the predicted membrane (N,) of the windows (W, N); see `windows_of`."""
        z = torch.relu(_normalized(self.norm1, self.drive(windows)))
        h = torch.relu(_normalized(self.norm2, self.mixed(z)) + z)
        return torch.addmm(self.read_bias, self.read, h)[0]

    def drive(self, windows: Tensor) -> Tensor:
        """Return what the first norm sees, (K, N)."""
        # A 1x1 encoder and a depthwise kernel behind it are one kernel.
        return torch.addmm(self.depthwise_bias, self.encoder * self.depthwise, windows)

    def mixed(self, z: Tensor) -> Tensor:
        """Return what the second norm sees, (K, N)."""
        return torch.addmm(self.mix_bias, self.mix, z)

    @torch.no_grad()
    def folded(self, tau: float) -> FoldedSDN:
        """Return the network with its norms, in eval mode, folded into the weights."""
        gain1, offset1 = _affine(self.norm1)
        gain2, offset2 = _affine(self.norm2)
        return FoldedSDN(
            tau,
            {
                "kernel": gain1 * self.encoder * self.depthwise,
                "kernel_bias": gain1 * self.depthwise_bias + offset1,
                "mix": gain2 * self.mix + torch.eye(CHANNELS),
                "mix_bias": gain2 * self.mix_bias + offset2,
                "read": self.read.clone(),
                "read_bias": self.read_bias.clone(),
            },
        )


@dataclass(frozen=True, eq=False)
class FoldedSDN:
    """The network as it is used: three matrices; the residual is part of the second.

    Attributes
    ----------
    tau
        Leak of the neuron that it stands for.
    weights
        ``kernel`` (K, W), oldest step first, ``mix`` (K, K), ``read`` (1, K), and their biases.
    """

    tau: float
    weights: dict[str, Tensor]

    @torch.no_grad()
    def __call__(self, y: Tensor) -> Tensor:
        """Return the predicted membrane before each input, shape (..., L) of y; no gradient."""
        weights = {name: tensor.to(y) for name, tensor in self.weights.items()}
        rows = y.detach().reshape(-1, y.shape[-1])
        size = max(1, _PART.get(y.device.type, 2**22) // max(1, y.shape[-1]))
        out = torch.empty_like(rows)
        for part, target in zip(torch.split(rows, size), torch.split(out, size), strict=True):
            x = windows_of(part)
            z = torch.addmm(weights["kernel_bias"], weights["kernel"], x).relu_()
            h = torch.addmm(weights["mix_bias"], weights["mix"], z).relu_()
            target.copy_(torch.addmm(weights["read_bias"], weights["read"], h).view_as(part))
        return out.view(y.shape)


def sdn_spikes(y: Tensor, network: FoldedSDN, *, surrogate: str = "triangle") -> Tensor:
    """Return the spikes of the neuron that the network stands for, all steps at once.

    Parameters
    ----------
    y
        Input in units of the threshold, shape (..., L).
    network
        Trained for the leak at hand.
    surrogate
        Derivative of the spike used backward; the gradient of a spike reaches ``y_t`` alone.
    """
    return heaviside(network(y) + y - 1, surrogate)


def windows_of(y: Tensor) -> Tensor:
    """Return the eight inputs before each step, oldest first: rows (R, L) to (W, R L)."""
    padded = nn.functional.pad(y, (STEPS, 0))
    length = y.shape[-1]
    return torch.stack([padded[:, k : k + length] for k in range(STEPS)]).view(STEPS, -1)


def save_sdn(path: Path, network: FoldedSDN, meta: dict[str, Any]) -> None:
    """Write the folded weights as safetensors, with `meta` as JSON in the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.contiguous() for name, tensor in network.weights.items()}
    header = {"neurossm": json.dumps({"sdn": 1, "tau": network.tau, **meta})}
    replace_file(path, save(weights, header))


def load_sdn(path: Path) -> tuple[FoldedSDN, dict[str, Any]]:
    """Return the network of a file written by `save_sdn`, and its metadata.

    Raises
    ------
    FormatError
        If the file is missing, damaged or of another kind.
    """
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {})["neurossm"])
            weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        shapes = {name: tuple(tensor.shape) for name, tensor in weights.items()}
        if meta["sdn"] != 1 or shapes != _SHAPES:
            raise ValueError(f"tensors {shapes}")
        tau = float(meta["tau"])
        if not 0 <= tau < 1:  # nan would pass for every leak
            raise ValueError(f"tau {tau}")
        return FoldedSDN(tau, weights), meta
    except _DAMAGED as error:
        remedy = "make one with 'neurossm sdn --out FILE'"
        got = f"{type(error).__name__}: {error}"
        expected = "the weights of a surrogate dynamic network"
        raise FormatError(str(path), expected=expected, got=got, remedy=remedy) from None


def find_sdn(tau: float, file: str = "") -> FoldedSDN:
    """Return the network for a leak: from a file, or the one that comes with the package.

    Raises
    ------
    InputError
        If it was trained for another leak, or none comes with the package.
    FormatError
        If the file is not such a network.
    """
    path = Path(file) if file else WEIGHTS / f"{weights_name(tau)}.safetensors"
    remedy = f"train one with 'neurossm sdn --tau {tau:g} --out FILE' and choose 'sdn:FILE'"
    if not file and not path.is_file():
        known = ", ".join(sorted(p.stem for p in WEIGHTS.glob("*.safetensors")))
        expected = f"a leak with a trained network ({known})"
        raise InputError("form 'sdn'", expected=expected, got=f"tau {tau:g}", remedy=remedy)
    network = _loaded(path)
    if abs(network.tau - tau) > 1e-6:
        got = f"one for tau {network.tau:g} in {path}"
        expected = f"a network for tau {tau:g}"
        raise InputError("form 'sdn'", expected=expected, got=got, remedy=remedy)
    return network


def weights_name(tau: float) -> str:
    """Return the name of the weights for a leak: ``sdn-tau0125`` for 0.125."""
    return "sdn-tau" + f"{tau:g}".replace(".", "")


@cache
def _loaded(path: Path) -> FoldedSDN:
    return load_sdn(path)[0]


def _uniform(fan_in: int, *shape: int) -> Tensor:
    return torch.empty(shape).uniform_(-(fan_in**-0.5), fan_in**-0.5)


def _normalized(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    normalized: Tensor = norm(x[None])[0]
    return normalized


def _affine(norm: nn.BatchNorm1d) -> tuple[Tensor, Tensor]:
    """Return gain and offset (K, 1) of a norm in eval mode."""
    assert norm.running_mean is not None and norm.running_var is not None
    gain = norm.weight / (norm.running_var + norm.eps).sqrt()
    return gain[:, None], (norm.bias - gain * norm.running_mean)[:, None]
