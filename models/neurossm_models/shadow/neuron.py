"""The leaky integrate-and-fire neuron at the spikes that the integers had.

Shape letters: ``H`` features (h of them in a part), ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurossm_models.chain import Stage
from neurossm_models.native import given_spikes
from neurossm_models.surrogate import DERIVATIVES


class GivenSpikes(Stage):
    """A neuron of threshold 1 whose spikes are given.

    Backward the membranes run again from the given inputs in float32, reset where the integers
    spiked; they differ from the integer membranes by what the integers cut off, and never drift.

    Parameters
    ----------
    spikes
        Shape (H, B, L), 0 or 1.
    tau, rho
        Rounded leaks, (H,); constants.
    kappa
        Jump of the refractory trace, (H,), differentiable.
    reset, surrogate
        As of `neurossm_models.neurons.LIF`.
    """

    def __init__(
        self, spikes: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, reset: str, surrogate: str
    ) -> None:
        self.parameters = (kappa,)
        self.spikes, self.leaks, self.surrogate = spikes, (tau, rho), surrogate
        self.factors = np.float32(reset == "hard"), np.float32(reset == "soft")

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the given spikes."""
        y.copy_(self.spikes[part])

    def output(self, part: slice, x: Tensor, kept: Any) -> Tensor:
        """Return the given spikes."""
        return self.spikes[part]

    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient of x."""
        tau, rho, kappa = (p.detach()[part].numpy() for p in (*self.leaks, *self.parameters))
        spikes, (hard, soft) = _rows(self.spikes[part]), self.factors
        membranes, distances = torch.empty_like(x), torch.empty_like(x)
        v, d = _rows(membranes), _rows(distances)
        given_spikes.run_membranes(_rows(x), spikes, tau, rho, kappa, hard, soft, v, d)
        slopes = _rows(DERIVATIVES[self.surrogate](distances))
        sums = np.zeros(len(spikes))
        out.copy_(grad)
        given_spikes.run_back(_rows(out), v, slopes, spikes, tau, rho, kappa, hard, soft, sums)
        grads[0][part] = torch.from_numpy(sums.reshape(x.shape[:2]).sum(1))


def _rows(x: Tensor) -> Any:
    return x.view(-1, x.shape[-1]).numpy()
