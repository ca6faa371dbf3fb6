"""Kernels against the plain loop on the device itself: spikes equal, gradients near.

The recurrence is held against the convolution in float64, where rounding would blur gradients, and
may be off by what float32 costs the convolution itself. Spikes are compared in float32, bit for
bit, on the same input. What Triton's interpreter runs in the tests, the card's compiler may
have changed: this is where it shows.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, TypedDict

import numpy as np
import torch
from torch import Tensor

from neurossm_models import LIF, S4D, Network
from neurossm_models.families import FAMILIES

NEAR = 1e-5  # of the largest gradient
SHAPES = ((128, 64, 784), (3, 5, 1), (7, 33, 257))  # H, B, L


class _Trace(TypedDict):
    rho: float
    kappa: float | None


def rows(options: Namespace) -> Iterator[dict[str, Any]]:
    """Yield the neuron, the recurrence and both in one kernel, then families end to end."""
    device = "cuda" if options.device == "cuda" else "cpu"
    shapes = SHAPES if options.device == "cuda" else ((2, 3, 37),)
    for shape in shapes:
        for reset, tau, trace in product(
            ("hard", "soft", "none"), (0.0, 0.125, 0.999), (False, True)
        ):
            yield neuron(shape, reset, tau, trace, device)
        yield recurrence(shape, device)
        for reset, trace in product(("hard", "soft"), (False, True)):
            yield both(shape, reset, trace, device)
    for name in FAMILIES:
        yield family(name, device, 256 if options.device == "cuda" else 33)


def neuron(
    shape: tuple[int, int, int], reset: str, tau: float, trace: bool, device: str
) -> dict[str, Any]:
    """Return how the neuron's kernel and the loop over time compare; a tenth are ties."""
    torch.manual_seed(0)
    layer = LIF(shape[0], tau=tau, reset=reset, **_trace(trace)).to(device)
    x = torch.randn(shape, device=device)
    x[torch.rand(shape, device=device) < 0.1] = 1.0
    loop, kernel = (_passed(layer, form, x) for form in ("loop", "triton"))
    wrong = int((loop[0] != kernel[0]).sum())
    off = _most(loop[1:], kernel[1:])
    what = f"LIF {reset}, tau {tau:g}{', trace' if trace else ''}"
    return {"what": what, "H, B, L": str(shape), "% spikes": 100 * float(loop[0].mean()),
            "spikes wrong": wrong, "gradients off": off,
            "right": wrong == 0 and off < NEAR}  # fmt: skip


def recurrence(shape: tuple[int, int, int], device: str) -> dict[str, Any]:
    """Return how far the recurrence's kernel is from the convolution in double precision."""
    layer, x = _state_space(shape, device)
    kernel, single = (_passed(layer, form, x) for form in ("triton", "fft"))
    exact = _passed(layer.double(), "fft", x.double())
    off, single_off = (_most(exact[1:], one[1:]) for one in (kernel, single))
    outputs = _most(exact[:1], kernel[:1])
    right = all(
        _off(a, b) < max(NEAR, 2 * _off(a, c))
        for a, b, c in zip(exact, kernel, single, strict=True)
    )
    return {"what": "diagonal SSM", "H, B, L": str(shape), "outputs off": outputs,
            "gradients off": off, "of FFT": single_off, "right": right}  # fmt: skip


def both(shape: tuple[int, int, int], reset: str, trace: bool, device: str) -> dict[str, Any]:
    """Return how recurrence and neuron in one kernel, and the loop behind the kernel, compare."""
    layer, x = _state_space(shape, device)
    layer.form = "triton"
    neuron = LIF(shape[0], threshold=0.3, tau=0.5, reset=reset, **_trace(trace)).to(device)
    neuron.form = "loop"
    parameters = [*layer.parameters(), *neuron.parameters()]
    found = []
    for run in (lambda x: layer.with_neighbors(x, None, neuron.for_kernels()),
                lambda x: neuron(layer(x))):  # fmt: skip
        found.append(_gradients(run, x, parameters))
    one, loop = found
    wrong = int((one[0] != loop[0]).sum())
    off = _most(loop[1:], one[1:])
    what = f"SSM + LIF {reset}{', trace' if trace else ''}, one kernel"
    return {"what": what, "H, B, L": str(shape), "% spikes": 100 * float(loop[0].mean()),
            "spikes wrong": wrong, "gradients off": off,
            "right": wrong == 0 and off < NEAR}  # fmt: skip


def _state_space(shape: tuple[int, int, int], device: str) -> tuple[S4D, Tensor]:
    torch.manual_seed(0)
    layer = S4D(shape[0], 64 if shape[0] > 2 else 4).to(device)
    return layer, torch.randn(shape, device=device)


def _trace(there: bool) -> _Trace:
    return {"rho": 0.5, "kappa": 0.25} if there else {"rho": 0.0, "kappa": None}


def family(name: str, device: str, length: int) -> dict[str, Any]:
    """Return how a small network by the kernels and by the plain forms compare.

    No verdict: a spike at its threshold may fall to either side of another order of summation.
    """
    torch.manual_seed(0)
    config = FAMILIES[name].config(
        in_features=2, classes=5, width=16, state=8, layers=2, dropout=0.0
    )
    network = Network(config).to(device).train()
    x = torch.randn(8, length, 2, device=device)
    found = []
    for ssm, form in (("fft", "loop"), ("triton", "triton")):
        network.use(ssm=ssm, neuron=form)
        y = network(x)
        loss = y.square().mean()
        trained = [p for p in network.parameters() if p.requires_grad]
        grads = torch.autograd.grad(loss, trained, allow_unused=True)
        found.append([y.detach(), *(g for g in grads if g is not None)])
    # in front of a batch norm some gradients are zero, and rounding is all that is left of them
    floor = 1e-3 * max(float(grad.abs().max()) for grad in found[0][1:])
    outputs, gradients = ([one[part] for one in found] for part in (slice(1), slice(1, None)))
    return {"what": f"{name}, 2 layers", "H, B, L": f"(16, 8, {length})",
            "outputs off": _most(*outputs), "gradients off": _most(*gradients, floor)}  # fmt: skip


def _passed(layer: Any, form: str, x: Tensor) -> list[Tensor]:
    """Return output and gradients of input and parameters."""
    layer.form = form
    return _gradients(layer, x, list(layer.parameters()))


def _gradients(run: Callable[[Tensor], Tensor], x: Tensor, parameters: list[Any]) -> list[Tensor]:
    x = x.clone().requires_grad_()
    y = run(x)
    torch.manual_seed(1)
    weight = torch.randn(y.shape).to(y)
    trained = [p for p in parameters if p.requires_grad]
    return [y.detach(), *torch.autograd.grad(y, [x, *trained], weight)]


def _most(one: list[Tensor], two: list[Tensor], floor: float = 0.0) -> float:
    """Return the most that any is off; nan where one is nan."""
    return float(np.max([_off(a, b, floor) for a, b in zip(one, two, strict=True)]))


def _off(one: Tensor, two: Tensor, floor: float = 0.0) -> float:
    largest = max(float(one.abs().max()), floor) or 1.0
    return float((one.double() - two.double()).abs().max()) / largest
