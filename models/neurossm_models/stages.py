"""The stages of a chain: batch norm, diagonal recurrence, threshold, leaky integrate-and-fire.

Shape letters: ``H`` features (h of them in a part), ``B`` batch, ``L`` time steps, ``T`` steps of a
block, ``K`` blocks, ``N`` real states.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neurossm_models.chain import Stage
from neurossm_models.native import lif, norm, scan


class Norm(Stage):
    """Batch norm with a module's parameters; updates its running statistics while training.

    Parameters
    ----------
    module
        A `BatchNorm1d` with affine parameters and running statistics.
    values
        Values of a feature that the statistics are taken over (B times L).
    """

    def __init__(self, module: nn.BatchNorm1d, values: int) -> None:
        assert module.running_mean is not None and module.running_var is not None
        self.parameters = (module.weight, module.bias)
        self.training, self.eps = module.training, module.eps
        self.mean = module.running_mean.clone()
        self.variance = module.running_var.clone()
        self.module, self.values = module, values

    def forward(self, part: slice, x: Tensor) -> tuple[Tensor, Any]:
        """Return the normalized x and what `backward` needs."""
        rows = _rows(x, part)
        mean, variance = self.mean.numpy()[part], self.variance.numpy()[part]
        if self.training:
            norm.statistics(rows, mean, variance)
        scale = (1 / np.sqrt(variance + np.float32(self.eps))).astype(np.float32)
        gain, offset = (_array(p)[part] for p in self.parameters)
        y = torch.empty_like(x)
        norm.normalize(rows, mean, scale, gain, offset, _rows(y, part))
        return y, (rows, mean, scale, gain)

    def backward(self, part: slice, kept: Any, grad: Tensor, grads: Sequence[Tensor]) -> Tensor:
        """Return the gradient of x."""
        rows, mean, scale, gain = kept
        outs = [g.numpy()[part] for g in grads]
        norm.normalize_backward(_rows(grad, part), rows, mean, scale, gain, self.training, *outs)
        return grad

    @torch.no_grad()
    def finish(self) -> None:
        """Update the module's running statistics with those of this batch."""
        module = self.module
        if self.training:
            assert module.running_mean is not None and module.running_var is not None
            assert module.momentum is not None and module.num_batches_tracked is not None
            unbiased = self.variance * (self.values / max(self.values - 1, 1))
            module.running_mean.lerp_(self.mean, module.momentum)
            module.running_var.lerp_(unbiased, module.momentum)
            module.num_batches_tracked += 1


class Recurrence(Stage):
    """The diagonal recurrence in blocks; see `neurossm_models.recurrence`.

    Parameters
    ----------
    tables
        From `neurossm_models.recurrence.tables`.
    """

    def __init__(self, tables: tuple[Tensor, ...]) -> None:
        self.parameters = tables

    def forward(self, part: slice, x: Tensor) -> tuple[Tensor, Any]:
        """Return y and what `backward` needs: the inputs and the states before each block."""
        inner, write, read, pole = (p.detach()[part] for p in self.parameters)
        features, batch, length = x.shape
        u = self._blocks(x)
        states = torch.bmm(u, write)
        shape = (features, batch, u.shape[1] // batch, -1)
        scan.forward_kernel(pole.shape[1] // 2)(states.view(shape).numpy(), pole.numpy())
        y = torch.bmm(u, inner).baddbmm_(states, read)
        y = y.view(features, batch, -1)[..., :length].contiguous()
        return y, (u, states, batch, length)

    def save(self, y: Tensor, kept: Any) -> Any:
        """Return outputs and states: reading them is cheaper than the matrix products."""
        return y, kept[1]

    def restore(self, part: slice, x: Tensor, saved: Any) -> tuple[Tensor, Any]:
        """Return what `forward` returned."""
        y, states = saved
        return y, (self._blocks(x), states, *x.shape[1:])

    def _blocks(self, x: Tensor) -> Tensor:
        features, batch, length = x.shape
        size = self.parameters[0].shape[-1]
        blocks = -(-length // size)
        if blocks * size != length:
            x = nn.functional.pad(x, (0, blocks * size - length))
        return x.view(features, batch * blocks, size)

    def backward(self, part: slice, kept: Any, grad: Tensor, grads: Sequence[Tensor]) -> Tensor:
        """Return the gradient of x."""
        inner, write, read, pole = (p.detach()[part] for p in self.parameters)
        u, states, batch, length = kept
        features, _, size = u.shape
        blocks = u.shape[1] // batch
        if blocks * size != length:
            grad = nn.functional.pad(grad, (0, blocks * size - length))
        g = grad.view(features, batch * blocks, size)
        added = torch.bmm(g, read.mT)
        shape = (features, batch, blocks, -1)
        grad_pole = np.zeros(pole.shape)
        scan.backward_kernel(pole.shape[1] // 2)(
            added.view(shape).numpy(), states.view(shape).numpy(), pole.numpy(), grad_pole
        )
        grad_inner, grad_write, grad_read, grad_of_pole = (g[part] for g in grads)
        torch.bmm(u.mT, g, out=grad_inner)
        torch.bmm(u.mT, added, out=grad_write)
        torch.bmm(states.mT, g, out=grad_read)
        grad_of_pole.copy_(torch.from_numpy(grad_pole))
        grad_u = torch.bmm(g, inner.mT).baddbmm_(added, write.mT)
        return grad_u.view(features, batch, -1)[..., :length].contiguous()


class Threshold(Stage):
    """Spikes ``1[x >= theta]`` with a surrogate gradient."""

    def __init__(self, theta: Tensor, surrogate: str) -> None:
        self.parameters, self.surrogate = (theta,), surrogate

    def forward(self, part: slice, x: Tensor) -> tuple[Tensor, Any]:
        """Return the spikes and what `backward` needs."""
        y = torch.empty_like(x)
        rows, theta = _rows(x, part), _array(self.parameters[0])[part]
        norm.threshold(rows, theta, _rows(y, part))
        return y, (rows, theta)

    def save(self, y: Tensor, kept: Any) -> Any:
        """Return nothing of use: `backward` needs only the input."""
        return ()

    def restore(self, part: slice, x: Tensor, saved: Any) -> tuple[Tensor, Any]:
        """Return the input and what `backward` needs; nothing follows a threshold in a chain."""
        return x, (_rows(x, part), _array(self.parameters[0])[part])

    def backward(self, part: slice, kept: Any, grad: Tensor, grads: Sequence[Tensor]) -> Tensor:
        """Return the gradient of x."""
        run = norm.threshold_backward(self.surrogate)
        run(_rows(grad, part), *kept, grads[0].numpy()[part])
        return grad


class Neuron(Stage):
    """Leaky integrate-and-fire with input x / theta; see `neurossm_models.neurons.lif`.

    Parameters
    ----------
    theta, tau, rho, kappa
        Shape (H,).
    reset, surrogate
        As of `LIF`.
    """

    def __init__(
        self, theta: Tensor, tau: Tensor, rho: Tensor, kappa: Tensor, reset: str, surrogate: str
    ) -> None:
        self.parameters = (theta, tau, rho, kappa)
        self.surrogate = surrogate
        self.refractory = kappa.requires_grad or bool((kappa != 0).any())
        self.factors = np.float32(reset == "hard"), np.float32(reset == "soft")

    def forward(self, part: slice, x: Tensor) -> tuple[Tensor, Any]:
        """Return the spikes and what `backward` needs."""
        theta, *arrays = (_array(p)[part] for p in self.parameters)
        y = x / torch.from_numpy(theta)[:, None, None]
        spikes = torch.empty_like(x)
        run = lif.forward_kernel(self.refractory)
        run(_sequences(y), *arrays, *self.factors, _sequences(spikes))
        return spikes, y

    def save(self, y: Tensor, kept: Any) -> Any:
        """Return nothing of use: `backward` runs the membranes again by itself."""
        return ()

    def restore(self, part: slice, x: Tensor, saved: Any) -> tuple[Tensor, Any]:
        """Return the scaled input; nothing follows a neuron in a chain."""
        y = x / self.parameters[0].detach()[part, None, None]
        return y, y

    def backward(self, part: slice, kept: Any, grad: Tensor, grads: Sequence[Tensor]) -> Tensor:
        """Return the gradient of x."""
        theta, *arrays = (_array(p)[part] for p in self.parameters)
        grad_y = torch.empty_like(grad)
        sums = np.zeros((grad.shape[0] * grad.shape[1], 3))
        run = lif.backward_kernel(self.refractory, self.surrogate)
        run(_sequences(kept), _sequences(grad), *arrays, *self.factors, _sequences(grad_y), sums)
        totals = torch.from_numpy(sums.reshape(*grad.shape[:2], 3).sum(1))
        for k in range(3):
            grads[k + 1][part] = totals[:, k]
        grad_x = grad_y / torch.from_numpy(theta)[:, None, None]
        grads[0][part] = -(grad_x * kept).sum((1, 2))
        return grad_x


def _rows(x: Tensor, part: slice) -> Any:
    return x.view(part.stop - part.start, -1).numpy()


def _sequences(x: Tensor) -> Any:
    return x.view(-1, x.shape[-1]).numpy()


def _array(x: Tensor) -> Any:
    return x.detach().numpy()
