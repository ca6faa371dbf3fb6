"""Stages of a chain: batch norm, diagonal recurrence, thresholds, leaky integrate-and-fire.

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
from neurossm_models.native import adaptive_threshold, lif, norm, scan


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

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the normalized x; keep its mean and scale."""
        mean, variance = self.mean.numpy()[part], self.variance.numpy()[part]
        if self.training:
            norm.statistics(_rows(x, part), mean, variance)
        kept = mean, (1 / np.sqrt(variance + np.float32(self.eps))).astype(np.float32)
        self._normalize(part, x, kept, y)
        return kept

    def output(self, part: slice, x: Tensor, kept: Any) -> Tensor:
        """Return the normalized x."""
        y = torch.empty_like(x)
        self._normalize(part, x, kept, y)
        return y

    def _normalize(self, part: slice, x: Tensor, kept: Any, y: Tensor) -> None:
        mean, scale = kept
        gain, offset = (_array(p)[part] for p in self.parameters)
        norm.normalize(_rows(x, part), mean, scale, gain, offset, _rows(y, part))

    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient of x."""
        mean, scale = kept
        gain, (grad_gain, grad_offset) = _array(self.parameters[0])[part], _arrays(grads, part)
        norm.normalize_backward(
            _rows(grad, part), _rows(x, part), mean, scale, gain, self.training,
            grad_gain, grad_offset, _rows(out, part),
        )  # fmt: skip

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

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write y; keep it, because the products cost more than memory, and the block's states."""
        inner, write, read, pole = (p.detach()[part] for p in self.parameters)
        features, batch, length = x.shape
        u = self._blocks(x)
        states = torch.bmm(u, write)
        shape = (features, batch, u.shape[1] // batch, -1)
        scan.forward_kernel(pole.shape[1] // 2)(states.view(shape).numpy(), pole.numpy())
        out = self._blocks(y) if length % inner.shape[-1] == 0 else torch.empty_like(u)
        torch.bmm(u, inner, out=out).baddbmm_(states, read)
        if out.numel() != y.numel():
            y.copy_(out.view(features, batch, -1)[..., :length])
        return y, states

    def output(self, part: slice, x: Tensor, kept: Any) -> Tensor:
        """Return y."""
        y: Tensor = kept[0]
        return y

    def _blocks(self, x: Tensor) -> Tensor:
        """Return x in blocks (h, B K, T), the last one of each sequence filled with zeros."""
        features, batch, length = x.shape
        size = self.parameters[0].shape[-1]
        blocks = -(-length // size)
        if blocks * size != length:
            x = nn.functional.pad(x, (0, blocks * size - length))
        return x.view(features, batch * blocks, size)

    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient of x."""
        inner, write, read, pole = (p.detach()[part] for p in self.parameters)
        u, g, states = self._blocks(x), self._blocks(grad), kept[1]
        features, batch, length = x.shape
        added = torch.bmm(g, read.mT)
        shape = (features, batch, u.shape[1] // batch, -1)
        grad_pole = np.zeros(pole.shape)
        scan.backward_kernel(pole.shape[1] // 2)(
            added.view(shape).numpy(), states.view(shape).numpy(), pole.numpy(), grad_pole
        )
        grad_inner, grad_write, grad_read, grad_of_pole = (g[part] for g in grads)
        torch.bmm(u.mT, g, out=grad_inner)
        torch.bmm(u.mT, added, out=grad_write)
        torch.bmm(states.mT, g, out=grad_read)
        grad_of_pole.copy_(torch.from_numpy(grad_pole))
        grad_u = self._blocks(out) if length % inner.shape[-1] == 0 else torch.empty_like(u)
        torch.bmm(g, inner.mT, out=grad_u).baddbmm_(added, write.mT)
        if grad_u.numel() != out.numel():
            out.copy_(grad_u.view(features, batch, -1)[..., :length])


class Spikes(Stage):
    """What spikes: its messages are made again where they are needed, which costs less to keep."""

    def output(self, part: slice, x: Tensor, kept: Any) -> Tensor:
        """Return the spikes."""
        y = torch.empty_like(x)
        self.forward(part, x, y)
        return y


class Threshold(Spikes):
    """Spikes ``1[x >= theta]`` with a surrogate gradient."""

    def __init__(self, theta: Tensor, surrogate: str) -> None:
        self.parameters, self.surrogate = (theta,), surrogate

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the spikes."""
        norm.threshold(_rows(x, part), _array(self.parameters[0])[part], _rows(y, part))

    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient of x."""
        theta, grad_theta = _array(self.parameters[0])[part], grads[0].numpy()[part]
        run = norm.threshold_backward(self.surrogate)
        run(_rows(grad, part), _rows(x, part), theta, grad_theta, _rows(out, part))


class AdaptiveThreshold(Spikes):
    """Spikes above a threshold that earlier candidates raise.

    See `neurossm_models.neurons.adaptive_threshold`.
    """

    def __init__(self, theta: Tensor, taps: Tensor, surrogate: str) -> None:
        self.parameters, self.surrogate = (theta, taps), surrogate

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the spikes."""
        adaptive_threshold.forward(_each(x), *(_array(p)[part] for p in self.parameters), _each(y))

    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient of x."""
        run = adaptive_threshold.backward_kernel(self.surrogate)
        theta, taps = (_array(p)[part] for p in self.parameters)
        run(_each(grad), _each(x), theta, taps, *_arrays(grads, part), _each(out))


class Neuron(Spikes):
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

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the spikes; keep the neurons' states at the borders of blocks."""
        rows, length = x.shape[0] * x.shape[1], x.shape[2]
        borders = np.empty(lif.border_values(rows, length, self.refractory), np.float32)
        run = lif.forward_kernel(self.refractory)
        run(_flat(x), length, *self._of(part), *self.factors, _flat(y), borders)
        return borders

    def backward(
        self, part: slice, x: Tensor, kept: Any, grad: Tensor, grads: Sequence[Tensor], out: Tensor
    ) -> None:
        """Write the gradient of x."""
        features, batch, length = x.shape
        sums = np.zeros(features * batch * 4)
        run = lif.backward_kernel(self.refractory, self.surrogate)
        arrays = _flat(x), _flat(grad), length, *self._of(part)
        run(*arrays, *self.factors, kept, _flat(out), sums)
        totals = torch.from_numpy(sums.reshape(features, batch, 4).sum(1))
        for k, grad_parameter in enumerate(grads):
            grad_parameter[part] = totals[:, k]

    def _of(self, part: slice) -> list[Any]:
        return [_array(parameter)[part] for parameter in self.parameters]


def _rows(x: Tensor, part: slice) -> Any:
    return x.view(part.stop - part.start, -1).numpy()


def _each(x: Tensor) -> Any:
    return x.view(-1, x.shape[-1]).numpy()


def _flat(x: Tensor) -> Any:
    return x.view(-1).numpy()


def _arrays(tensors: Sequence[Tensor], part: slice) -> list[Any]:
    return [tensor.numpy()[part] for tensor in tensors]


def _array(x: Tensor) -> Any:
    return x.detach().numpy()
