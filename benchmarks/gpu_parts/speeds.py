"""Speed and memory of a layer's forms on the card, forward and backward, by length.

A layer here is S4D and neuron: B 64, H 128, 32 complex modes. "G steps/s" are steps of a neuron,
``B H L`` a pass. Two shares say how near a pass comes to the card's own limits, as measured in the
same process. Of the bandwidth: what the least traffic would take, input read twice, gradient read,
gradient and output written. Of the products: what the matrix products of our kernels would take at
the rate of large ones.
"""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from card import bandwidth, products
from timing import cost
from torch import Tensor

from neurossm_models import LIF, S4D

BATCH, WIDTH, STATES = 64, 128, 64
LENGTHS = 8192, 1024, 16384, 4096, 2048
TAU = 0.125
Formed = TypeVar("Formed", S4D, LIF)


@dataclass(frozen=True)
class Card:
    """What the card reaches: bytes and operations a second. Zeros where there is none."""

    bandwidth: float = 0.0
    products: float = 0.0
    tf32: float = 0.0

    @classmethod
    def measured(cls) -> Card:
        """Measure it."""
        exact, rounded = (1e12 * products(torch.float32, tf32=tf32) for tf32 in (False, True))
        return cls(1e12 * bandwidth(), exact, rounded)


@dataclass(frozen=True)
class Layer:
    """A form of the layer.

    Attributes
    ----------
    what
        Its name in the table.
    run
        Input (H, B, L) to output; differentiable.
    parameters
        That get gradients.
    operations
        Of matrix products, a step of a neuron, forward and backward; 0: not known.
    tf32
        Whether tensor cores do them.
    longest
        Length beyond which it is not tried: it would take minutes.
    """

    what: str
    run: Callable[[Tensor], Tensor]
    parameters: list[Tensor]
    operations: int = 0
    tf32: bool = False
    longest: int = max(LENGTHS)


def rows(options: Namespace) -> Iterator[dict[str, Any]]:
    """Yield a row a form and length, those that matter most first."""
    real = options.device == "cuda"
    batch, width, lengths = (BATCH, WIDTH, LENGTHS) if real else (2, 2, (40,))
    card = Card.measured() if real else Card()
    for length in lengths:
        x = torch.randn(width, batch, length, device="cuda" if real else "cpu", requires_grad=True)
        for layer in layers(x):
            if time.monotonic() > options.until:
                return
            if length <= layer.longest:
                yield row(layer, x, options.device, card, L=length)
        del x
        if length == lengths[0]:
            yield from usual(options.device, card)


def row(layer: Layer, x: Tensor, device: str, card: Card, **first: int) -> dict[str, Any]:
    """Return a row of the table."""
    spent = cost(passes(layer, x), device, 0.4)
    found: dict[str, Any] = {**first, "form": layer.what, "ms": spent.ms}
    if spent.problem:
        return {**found, "note": spent.problem}
    if device != "cuda" or not spent.ms:
        return found
    with torch.no_grad():
        forward = cost(lambda: layer.run(x), device, 0.2)
    found |= {"forward ms": forward.ms, "MB": spent.megabytes,
              "G steps/s": x.numel() / spent.ms / 1e6}  # fmt: skip
    seconds, rate = spent.ms / 1e3, card.tf32 if layer.tf32 else card.products
    found["% of bandwidth"] = 100 * 5 * 4 * x.numel() / card.bandwidth / seconds
    if layer.operations:
        found["% of products"] = 100 * layer.operations * x.numel() / rate / seconds
    return found


def operations(modes: int, *, neuron: bool) -> int:
    """Return how much the products of our kernels do, a step: by blocks of 32, there and back.

    Forward the block's own response (64), what the state adds, what it becomes (4 a mode each).
    Backward the state again, gradients of both tables and of the response, and of input and state;
    with a neuron also the outputs again.
    """
    forward, backward = 64 + 8 * modes, 128 + 20 * modes
    return forward + backward + (64 + 4 * modes if neuron else 0)


def layers(x: Tensor) -> Iterator[Layer]:
    """Yield the forms, made for tensors like x."""
    torch.manual_seed(0)
    width = len(x)
    ssm = S4D(width, STATES if width > 2 else 4).to(x.device)
    hard = LIF(width, tau=TAU, reset="hard").to(x.device)
    soft = LIF(width, tau=TAU, reset="soft", rho=0.5, kappa=0.25).to(x.device)
    modes = ssm.a_imag.shape[-1]
    work, more = (operations(modes, neuron=neuron) for neuron in (False, True))

    def alone(form: str) -> Callable[[Tensor], Tensor]:
        return lambda x: formed(ssm, form)(x)

    def with_neuron(form: str, neuron: LIF, way: str) -> Callable[[Tensor], Tensor]:
        return lambda x: formed(neuron, way)(formed(ssm, form)(x))

    of_ssm, of_hard, of_soft = (list(m.parameters()) for m in (ssm, hard, soft))
    both = of_ssm + of_hard
    for name, form in (("", ""), (", TF32 in three", ":tf32x3"), (", TF32", ":tf32")):
        way, tensor_cores = f"triton{form}", bool(form)
        yield Layer(f"SSM alone, triton{name}", alone(way), of_ssm, work, tensor_cores)
        yield Layer(f"SSM + exact LIF, one kernel{name}", fused(ssm, hard, way), both, more,
                    tensor_cores)  # fmt: skip
    yield Layer("SSM + exact LIF with trace, one kernel", fused(ssm, soft, "triton"),
                of_ssm + of_soft, more)  # fmt: skip
    yield Layer("exact LIF alone, triton", formed(hard, "triton"), of_hard)
    yield Layer("SSM + exact LIF, a kernel each", with_neuron("triton", hard, "triton"), both,
                work)  # fmt: skip
    yield Layer("SSM alone, FFT", alone("fft"), of_ssm)
    if x.device.type == "cuda":
        yield Layer("FFT + SDN", with_neuron("fft", hard, "sdn"), both)
        yield Layer("FFT + boundary, soft reset", with_neuron("fft", soft, "boundary"),
                    of_ssm + of_soft, longest=8192)  # fmt: skip
        yield Layer("FFT + loop over time", with_neuron("fft", hard, "loop"), both, longest=8192)


def formed(module: Formed, form: str) -> Formed:
    """Return a module set to a form."""
    module.form = form
    return module


def fused(ssm: S4D, neuron: LIF, form: str) -> Callable[[Tensor], Tensor]:
    """Return SSM and neuron by one kernel, without a norm in front."""
    return lambda x: formed(ssm, form).with_neighbors(x, None, neuron.for_kernels())


def passes(layer: Layer, x: Tensor) -> Callable[[], object]:
    """Return a forward and a backward pass."""
    grad = torch.ones_like(x)

    def run() -> None:
        y = layer.run(x)
        torch.autograd.grad(y, [x, *(p for p in layer.parameters if p.requires_grad)], grad,
                            allow_unused=True)  # fmt: skip

    return run


def usual(device: str, card: Card) -> Iterator[dict[str, Any]]:
    """Yield a neuron of the usual kind and ours, at the 32 steps that it can."""
    from usual_neuron import LONGEST, UsualNeuron

    count = 64 * 65_536 if device == "cuda" else 512
    y = torch.randn(LONGEST, count, device="cuda" if device == "cuda" else "cpu",
                    requires_grad=True)  # fmt: skip
    theirs = Layer("LIF of the usual kind", lambda y: UsualNeuron.apply(y, TAU), [])
    yield row(theirs, y, device, card, L=LONGEST)
    x = y.detach().T.reshape(1, count, LONGEST).contiguous().requires_grad_()
    del y
    ours = formed(LIF(1, tau=TAU, reset="hard").to(x.device), "triton")
    yield row(Layer("exact LIF alone, triton", ours, []), x, device, card, L=LONGEST)
