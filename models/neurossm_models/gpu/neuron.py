"""The exact neuron by Triton kernels; see `neurossm_models.neurons.lif` for the equations.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps, ``K`` blocks of `STEPS` steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurossm_models.gpu.setting import check_same, launch

LINES, BACK_LINES = 2, 5  # blocks that a program puts down, see `kernels.neuron_steps`
STEPS = 32  # of a block: the bits of a word
ROWS = 32  # of a program


@dataclass(frozen=True)
class Rule:
    """What a kernel is compiled for.

    Attributes
    ----------
    reset
        ``"hard"``, ``"soft"`` or ``"none"``.
    surrogate
        Derivative of the spike used backward, a key of `neurossm_models.surrogate.DERIVATIVES`.
    refractory
        Whether there is a trace. Said, not looked up: reading kappa would wait for the GPU.
    """

    reset: str
    surrogate: str = "triangle"
    refractory: bool = True

    @property
    def forward(self) -> dict[str, Any]:
        """Constants of the forward kernels."""
        return {"RESET": self.reset, "REFRACTORY": self.refractory}

    @property
    def backward(self) -> dict[str, Any]:
        """Constants of the backward kernels."""
        return {**self.forward, "SURROGATE": self.surrogate}


@dataclass(frozen=True, eq=False)
class Neurons:
    """Neurons of all features; see `neurossm_models.neurons.lif` for the equations.

    Attributes
    ----------
    theta, tau, rho, kappa
        Threshold, leak, decay and jump of the refractory variable, shape (H,), float32.
    rule
        What they do.
    """

    theta: Tensor
    tau: Tensor
    rho: Tensor
    kappa: Tensor
    rule: Rule

    @property
    def parameters(self) -> tuple[Tensor, ...]:
        """All four."""
        return self.theta, self.tau, self.rho, self.kappa


def block_count(length: int) -> int:
    """Return how many blocks K a sequence has."""
    return -(-length // STEPS)


class _Neuron(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rule: Rule, x: Tensor, *parameters: Tensor) -> Tensor:
        from neurossm_models.gpu.kernels import neuron as kernels

        x, parameters = x.contiguous(), tuple(p.contiguous() for p in parameters)
        rows, length = x.shape[0] * x.shape[1], x.shape[2]
        bits, membranes = room_for(rule, x)
        spikes = torch.empty_like(x)
        grid = grid_of(rows)
        launch(
            kernels.forward, grid, x, x, spikes, lines_for(x, grid, ROWS, LINES), bits,
            membranes[0], membranes[-1], *parameters, rows, x.shape[1], length, bits.shape[1],
            **rule.forward, GIVEN=False, ROWS=ROWS, STEPS=STEPS, LINES=LINES,
        )  # fmt: skip
        ctx.save_for_backward(x, bits, membranes, *parameters)
        ctx.rule = rule
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return None, *neuron_backward(ctx.rule, grad, *ctx.saved_tensors)


def neuron_backward(
    rule: Rule, grad: Tensor, x: Tensor, bits: Tensor, membranes: Tensor, *parameters: Tensor
) -> tuple[Tensor, ...]:
    """Return the gradients of x (H, B, L) and of theta, tau, rho and kappa.

    Parameters
    ----------
    grad
        That of the spikes.
    x, bits, membranes, parameters
        As the forward pass kept them.
    """
    from neurossm_models.gpu.kernels import neuron as kernels

    features, batch, length = x.shape
    rows = features * batch
    grad_x = torch.empty_like(x)
    sums = torch.empty(4, rows, dtype=torch.float32, device=x.device)
    grid = grid_of(rows)
    room = lines_for(x, grid, ROWS, BACK_LINES)
    launch(
        kernels.backward, grid, x, x, grad.contiguous(), grad_x, room, sums, bits,
        membranes[0], membranes[-1], *parameters, rows, batch, length, bits.shape[1],
        **rule.backward, ROWS=ROWS, STEPS=STEPS, LINES=BACK_LINES,
    )  # fmt: skip
    totals = sums.view(4, features, batch).sum(-1, dtype=torch.float64).float()
    return grad_x, *totals


def room_for(rule: Rule, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return room for what a forward pass keeps of x (H, B, L): spikes as bits, and states."""
    rows, blocks = x.shape[0] * x.shape[1], block_count(x.shape[2])
    bits = torch.empty(rows, blocks, dtype=torch.int32, device=x.device)
    states = 2 if rule.refractory else 1
    return bits, torch.empty(states, rows, blocks, dtype=torch.float32, device=x.device)


def lines_for(x: Tensor, grid: tuple[int, ...], rows: int, count: int) -> Tensor:
    """Return room in which each program of so many rows puts down `count` blocks, step by step."""
    shape = (math.prod(grid), count, STEPS, rows)
    return torch.empty(shape, dtype=torch.float32, device=x.device)


def grid_of(rows: int) -> tuple[int, ...]:
    """Return how many programs run so many rows."""
    return (-(-rows // ROWS),)


def lif_triton(x: Tensor, neurons: Neurons) -> Tensor:
    """Return the spikes of exact neurons with input x / theta.

    Kept for the backward pass, beside x: the spikes as bits, and the state before each block of 32
    steps; two words of 32 bits for 32 steps, three with a trace.

    Parameters
    ----------
    x
        Input, shape (H, B, L), float32 or bfloat16, on a GPU or in Triton's interpreter.
    neurons
        With parameters on the same device.

    Returns
    -------
    Tensor
        0 or 1, in the type of x: those of `lif_loop` bit for bit. Differentiable in x and the four
        parameters, through time and reset.

    Raises
    ------
    InputError
        If a tensor is of another type, or where no kernel runs.
    """
    check_same(x, *neurons.parameters)
    spikes: Tensor = _Neuron.apply(neurons.rule, x, *neurons.parameters)  # type: ignore[no-untyped-call]
    return spikes
