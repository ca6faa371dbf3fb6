"""What neurobench says of small networks that it can count; runs where it is installed.

    python neurobench_numbers.py recorded.json           print its numbers for the networks there
    python neurobench_numbers.py --make recorded.json    draw the networks anew, record its numbers

Its environment has torch, snntorch, neurobench and tqdm, and not neurossm; torchaudio, which
neurobench declares, is not needed for its metrics.
"""

import argparse
import json
import platform
from datetime import date
from importlib import metadata
from pathlib import Path

import numpy as np
import snntorch
import torch
from neurobench.metrics.static import ConnectionSparsity, Footprint
from neurobench.metrics.workload import ActivationSparsity, SynapticOperations
from neurobench.models import SNNTorchModel, TorchModel
from torch import nn

PACKAGES = ("neurobench", "snntorch", "torch", "numpy")
HALF = 0.5  # a leak that float32 computes exactly for as many steps as the weights have room


class IntegerLinear(nn.Linear):
    """A Linear stored in 8 and 16 bits, so that its Footprint is comparable."""

    def __init__(self, weight, bias):
        super().__init__(len(weight[0]), len(weight))
        self.weight = nn.Parameter(torch.tensor(weight, dtype=torch.int8), requires_grad=False)
        self.bias = nn.Parameter(torch.tensor(bias, dtype=torch.int16), requires_grad=False)

    def forward(self, u):
        return nn.functional.linear(u, self.weight.float(), self.bias.float())


class Spike(nn.Module):
    """Binary or ternary spikes, without membrane."""

    def __init__(self, theta, signed):
        super().__init__()
        self.register_buffer("theta", torch.tensor(theta, dtype=torch.int16))
        self.signed = signed

    def forward(self, u):
        if self.signed:
            return torch.sign(u) * (u.abs() >= self.theta)
        return (u >= self.theta).float()


class Chain(nn.Module):
    """Layers one after another; every call is one time step."""

    def __init__(self, layers):
        super().__init__()
        self.layers = nn.ModuleList(_layer(layer) for layer in layers)

    def forward(self, u):
        for layer in self.layers:
            u = layer(u)
        return u, None


def _layer(layer):
    match layer["kind"]:
        case "linear":
            return IntegerLinear(layer["weight"], layer["bias"])
        case "relu":
            return nn.ReLU()
        case "lif":
            # strictly above in snnTorch, at or above in the graph: half a unit apart
            theta = torch.tensor(layer["theta"], dtype=torch.float32) - 0.5
            return snntorch.Leaky(
                beta=HALF, threshold=theta, reset_mechanism="none", init_hidden=True
            )
    return Spike(layer["theta"], layer["kind"] == "ternary")


class Steps(TorchModel):
    """A plain PyTorch model that is called once a time step."""

    def __call__(self, data):
        return torch.stack([self.net(data[:, t])[0] for t in range(data.shape[1])], 1)


def numbers(network):
    net = Chain(network["layers"])
    leaky = any(layer["kind"] == "lif" for layer in network["layers"])
    model = SNNTorchModel(net) if leaky else Steps(net)
    model.add_activation_module(Spike)
    model.register_hooks()
    inputs = torch.tensor(network["inputs"], dtype=torch.float32)
    data = (inputs, torch.zeros(len(inputs)))
    with torch.no_grad():
        preds = model(inputs)
    found = {
        "ConnectionSparsity": ConnectionSparsity()(model),
        "ActivationSparsity": ActivationSparsity()(model, preds, data),
        **SynapticOperations()(model, preds, data),
    }
    model.cleanup_hooks()
    if not leaky:  # snnTorch keeps buffers of its own
        found["Footprint"] = Footprint()(model)
    return found


def draw(rng, kinds, sizes, inputs):
    layers = []
    scale = 16 if "lif" in kinds else 1
    for index, kind in enumerate(kinds):
        n_in, n_out = sizes[index], sizes[index + 1]
        weight = rng.integers(-7, 8, (n_out, n_in)) * (rng.random((n_out, n_in)) < 0.7) * scale
        bias = rng.integers(-3, 4, n_out) * scale
        layers.append({"kind": "linear", "weight": weight.tolist(), "bias": bias.tolist()})
        if kind == "relu":
            layers.append({"kind": kind})
        elif kind != "none":
            theta = rng.integers(2, 9, n_out) * scale
            layers.append({"kind": kind, "theta": theta.tolist()})
    return {"layers": layers, "inputs": inputs.tolist()}


def make():
    rng = np.random.default_rng(20)
    binary = rng.random((5, 6, 12)) < 0.4
    # never all of -1, 0 and 1 in one call: neurobench would take them for spikes
    graded = rng.integers(-9, 10, (5, 6, 12)) * (rng.random((5, 6, 12)) < 0.6)
    graded[0, :, 0] = 9
    events = rng.random((5, 4, 12)) < 0.4
    return {
        "spikes": draw(rng, ("binary", "ternary", "none"), (12, 16, 10, 4), binary.astype(int)),
        "graded": draw(rng, ("relu", "binary", "none"), (12, 16, 10, 4), graded),
        "leaky": draw(rng, ("lif", "lif", "none"), (12, 16, 10, 4), events.astype(int)),
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("file", type=Path)
    parser.add_argument("--make", action="store_true")
    given = parser.parse_args()
    if not given.make:
        networks = json.loads(given.file.read_text())["networks"]
        print(json.dumps({name: numbers(network) for name, network in networks.items()}))
        return
    networks = make()
    document = {
        "provenance": {
            "made_by": "tests/optional/neurobench_numbers.py --make",
            "date": date.today().isoformat(),
            "python": platform.python_version(),
            "packages": {name: metadata.version(name) for name in PACKAGES},
        },
        "recorded": {name: numbers(network) for name, network in networks.items()},
        "networks": networks,
    }
    given.file.write_text(json.dumps(document) + "\n")


if __name__ == "__main__":
    main()
