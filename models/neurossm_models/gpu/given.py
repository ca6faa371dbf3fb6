"""The exact neuron at given spikes, by Triton kernels.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurossm_models.gpu.neuron import (
    BACK_LINES,
    ROWS,
    STEPS,
    Rule,
    grid_of,
    lines_for,
    neuron_backward,
    room_for,
)
from neurossm_models.gpu.setting import check_runs, check_same, launch


class _Given(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rule: Rule, x: Tensor, spikes: Tensor, *parameters: Tensor) -> Tensor:
        from neurossm_models.gpu.kernels import neuron as kernels

        x, parameters = x.contiguous(), tuple(p.contiguous() for p in parameters)
        rows = x.shape[0] * x.shape[1]
        bits, membranes = room_for(rule, x)
        grid = grid_of(rows)
        room = lines_for(x, grid, ROWS, BACK_LINES)
        parameters = (torch.ones_like(parameters[0]), *parameters)
        launch(
            kernels.forward, grid, x, x, spikes.contiguous(), room, bits, membranes[0],
            membranes[-1], *parameters, rows, x.shape[1], x.shape[2], bits.shape[1],
            **rule.forward, GIVEN=True, ROWS=ROWS, STEPS=STEPS, LINES=BACK_LINES,
        )  # fmt: skip
        ctx.save_for_backward(x, bits, membranes, *parameters)
        ctx.rule = rule
        return spikes.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        grad_x, _, *grads = neuron_backward(ctx.rule, grad, *ctx.saved_tensors)
        return None, grad_x, None, *grads


def given_triton(
    x: Tensor, spikes: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, rule: Rule
) -> Tensor:
    """Return the given spikes, differentiable as those of neurons of threshold 1 with input x.

    Membranes reset where the given spikes are; the derivative of a spike is the surrogate at the
    distance of that membrane. Kept for the backward pass, beside x: as `lif_triton`.

    Parameters
    ----------
    x, spikes
        Shape (H, B, L), float32, on a GPU or in Triton's interpreter; spikes are 0 or 1.
    tau, rho, kappa
        As of `neurossm_models.gpu.neuron.Neurons`.
    rule
        What the neurons do.

    Raises
    ------
    InputError
        If a tensor is of another type, or where no kernel runs.
    """
    check_runs(x)
    check_same(x, spikes, tau, rho, kappa)
    y: Tensor = _Given.apply(rule, x, spikes, tau, rho, kappa)  # type: ignore[no-untyped-call]
    return y
