"""Data parallel training: the processes that torchrun started take the steps that one would take.

Every process draws the same batch and the same dropout masks, and computes its share of the
sequences. Losses, gradients and the statistics of batch norms are those of the whole batch, so one
process and several differ by the rounding of sums alone.

Shape letters: ``H`` features, ``B`` sequences of a share, ``R`` values of a feature in it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.parallel import DistributedDataParallel

from neurossm_models.data.dataset import Dataset
from neurossm_models.network import Network
from neurossm_models.train.evaluation import Evaluation, measure


@dataclass(frozen=True)
class Group:
    """The processes that train together.

    Attributes
    ----------
    rank
        Which of them this is; 0 writes the files.
    size
        How many they are.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def share(self, x: Tensor) -> Tensor:
        """Return this process's rows of the rows of a whole batch."""
        rows = len(x) // self.size
        return x[self.rank * rows : (self.rank + 1) * rows]

    def sums(self, *values: float) -> tuple[float, ...]:
        """Return the sums over all processes."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64)
        dist.all_reduce(total)
        return tuple(total.tolist())

    def any(self, value: bool) -> bool:
        """Say whether a value is true in some process."""
        return self.sums(float(value))[0] > 0


@contextmanager
def processes() -> Iterator[Group]:
    """Join the processes that torchrun started, if it did, while the block runs."""
    if not dist.is_torchelastic_launched():
        yield Group()
        return
    dist.init_process_group("gloo")
    try:
        yield Group(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def is_first_process() -> bool:
    """Say whether this process speaks for all: torchrun's first one, or the only one."""
    return os.environ.get("RANK", "0") == "0" or not dist.is_torchelastic_launched()


def spread_over(model: nn.Module, group: Group) -> nn.Module:
    """Return what to call instead of the model: gradients become means over the processes.

    Changes batch norms and dropouts inside the model to those of whole batches; the parameters stay
    the same objects, under the same names.
    """
    if group.size == 1:
        return model
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.BatchNorm1d):
                setattr(parent, name, GlobalBatchNorm1d.of(child))
            elif isinstance(child, nn.Dropout1d):
                setattr(parent, name, GlobalDropout1d(child.p, group))
    # Buffers are equal everywhere already: they come from the statistics of whole batches.
    return DistributedDataParallel(model, broadcast_buffers=False)


class _Sum(torch.autograd.Function):
    """Sum over all processes; so is the gradient, since every process uses the result."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        total = grad.clone()
        dist.all_reduce(total)
        return total


class GlobalBatchNorm1d(nn.BatchNorm1d):
    """Batch norm with the statistics of all processes; PyTorch's own one is for GPUs only."""

    @classmethod
    def of(cls, norm: nn.BatchNorm1d) -> GlobalBatchNorm1d:
        """Return the norm that shares the parameters of a plain one."""
        made = cls(norm.num_features, norm.eps, norm.momentum)
        made.load_state_dict(norm.state_dict())
        made.weight, made.bias = norm.weight, norm.bias
        return made.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized x; while training its shape is (1, H, R)."""
        if not self.training:
            return super().forward(x)
        count = dist.get_world_size()
        mean: Tensor = _Sum.apply(x.mean((0, 2)) / count)  # type: ignore[no-untyped-call]
        centered = x - mean[:, None]
        own = centered.square().mean((0, 2)) / count
        variance: Tensor = _Sum.apply(own)  # type: ignore[no-untyped-call]
        self._track(mean.detach(), variance.detach(), count * x.shape[2])
        gain = self.weight / (variance + self.eps).sqrt()
        return centered * gain[:, None] + self.bias[:, None]

    def _track(self, mean: Tensor, variance: Tensor, values: int) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.momentum is not None and self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (values / max(values - 1, 1)), self.momentum)
        self.num_batches_tracked += 1


class GlobalDropout1d(nn.Dropout1d):
    """Dropout of whole features, drawn for the whole batch as one process draws it."""

    def __init__(self, p: float, group: Group) -> None:
        super().__init__(p)
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Return x (H, B, L) with features of this process's sequences silenced."""
        if not self.training:
            return x
        whole = super().forward(x.new_ones(len(x), x.shape[1] * self.group.size, 1))
        return x * self.group.share(whole.transpose(0, 1)).transpose(0, 1)


def measure_together(model: Network, dataset: Dataset, group: Group) -> Evaluation:
    """Return what `measure` does; each process measures its share of the sequences."""
    if group.size == 1:
        return measure(model, dataset)
    part = dataset.take(slice(group.rank, None, group.size))
    own = [0.0] * (3 + model.config.layers)
    if len(part):
        found = measure(model, part)
        rates = [rate * len(part) for rate in found.spike_rates]
        own = [found.count, found.correct, found.loss * found.count, *rates]
    count, correct, loss, *rates = group.sums(*own)
    return Evaluation(
        f"{dataset.name}:{dataset.split}",
        int(count),
        int(correct),
        correct / count,
        loss / count,
        tuple(rate / len(dataset) for rate in rates),
    )
