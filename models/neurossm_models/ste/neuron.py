"""The leaky integrate-and-fire neuron at the spikes of the integer network.

Backward the membranes run again from the given inputs in float32, reset where the integers spiked;
they differ from the integer membranes by what the integers cut off, and never drift.

Shape letters: ``H`` features (h of them in a part), ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from neurossm_models.chain import Stage
from neurossm_models.gpu.given import given_triton
from neurossm_models.gpu.neuron import Rule
from neurossm_models.native import given_spikes
from neurossm_models.surrogate import DERIVATIVES


@dataclass(frozen=True, eq=False)
class GivenSpikes:
    """Neurons of threshold 1 whose spikes are given.

    Attributes
    ----------
    spikes
        Shape (H, B, L), 0 or 1.
    tau, rho
        Rounded leaks, (H,); constants.
    kappa
        Jump of the refractory variable, (H,), differentiable.
    rule
        Reset, surrogate, and whether there is a trace.
    by_kernels
        Whether kernels of Triton run them where no chain does; else it is a loop over time.
    """

    spikes: Tensor
    tau: Tensor
    rho: Tensor
    kappa: Tensor
    rule: Rule
    by_kernels: bool = False

    @property
    def stage(self) -> Stage:
        """They as a stage of a chain of native kernels."""
        return _Stage(self)

    def __call__(self, y: Tensor) -> Tensor:
        """Return the given spikes, differentiable by the input y (H, B, L) and kappa."""
        parameters = (self.tau, self.rho, self.kappa)
        if self.by_kernels:
            return given_triton(y, self.spikes, *parameters, self.rule)
        spikes: Tensor = _Loop.apply(self.rule, y, self.spikes, *parameters)  # type: ignore[no-untyped-call]
        return spikes


class _Stage(Stage):
    def __init__(self, given: GivenSpikes) -> None:
        self.given, self.parameters = given, (given.kappa,)
        self.factors = tuple(np.float32(given.rule.reset == kind) for kind in ("hard", "soft"))

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the given spikes."""
        y.copy_(self.given.spikes[part])

    def output(self, part: slice, x: Tensor, kept: Any) -> Tensor:
        """Return the given spikes."""
        return self.given.spikes[part]

    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient of x."""
        given = self.given
        tau, rho, kappa = (
            p.detach()[part].numpy() for p in (given.tau, given.rho, *self.parameters)
        )
        spikes, (hard, soft) = _rows(given.spikes[part]), self.factors
        membranes, distances = torch.empty_like(x), torch.empty_like(x)
        v, d = _rows(membranes), _rows(distances)
        given_spikes.run_membranes(_rows(x), spikes, tau, rho, kappa, hard, soft, v, d)
        slopes = _rows(DERIVATIVES[given.rule.surrogate](distances))
        sums = np.zeros(len(spikes))
        out.copy_(grad)
        given_spikes.run_back(_rows(out), v, slopes, spikes, tau, rho, kappa, hard, soft, sums)
        grads[0][part] = torch.from_numpy(sums.reshape(x.shape[:2]).sum(1))


def _rows(x: Tensor) -> Any:
    return x.view(-1, x.shape[-1]).numpy()


class _Loop(torch.autograd.Function):
    """What the stage does, by a loop over time; any device."""

    @staticmethod
    def forward(ctx: Any, rule: Rule, x: Tensor, spikes: Tensor, *parameters: Tensor) -> Tensor:
        ctx.rule = rule
        ctx.save_for_backward(x, spikes, *parameters)
        return spikes.detach()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, spikes, *parameters = ctx.saved_tensors
        tau, rho, kappa = (p[:, None] for p in parameters)
        membranes, distances = _membranes(ctx.rule.reset, x, spikes, tau, rho, kappa)
        slopes = DERIVATIVES[ctx.rule.surrogate](distances)
        # dL/d membrane after the reset, dL/d next trace
        after = trace = torch.zeros_like(x[..., 0])
        total = torch.zeros_like(after, dtype=torch.float64)
        found = []
        for t in reversed(range(x.shape[-1])):
            v, s = membranes[..., t], spikes[..., t]
            total += trace * s
            at_spike = grad[..., t] + kappa * trace - after * _lost(ctx.rule.reset, v)
            at_spike = at_spike * slopes[..., t]
            kept = after - after * s if ctx.rule.reset == "hard" else after
            before = at_spike + kept
            after, trace = tau * before, rho * trace - at_spike
            found.append(before)
        found.reverse()
        return None, torch.stack(found, -1), None, None, None, total.sum(1).to(kappa.dtype)


def _membranes(
    reset: str, x: Tensor, spikes: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the membranes before the reset, and their distances from the threshold; (H, B, L)."""
    u = trace = torch.zeros_like(x[..., 0])
    membranes, distances = [], []
    for y, s in zip(x.unbind(-1), spikes.unbind(-1), strict=True):
        v = tau * u + y
        membranes.append(v)
        distances.append(v - trace - 1)
        u = v - s * _lost(reset, v)
        trace = rho * trace + kappa * s
    return torch.stack(membranes, -1), torch.stack(distances, -1)


def _lost(reset: str, v: Tensor) -> Tensor | float:
    """Return what a spike takes from the membrane v."""
    if reset == "hard":
        return v
    return 1.0 if reset == "soft" else 0.0
