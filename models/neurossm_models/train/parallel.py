"""Data parallel training under torchrun: the same steps as in one process.

Every process draws the same batch and the same dropout masks, and computes its share of the
sequences. Losses, gradients and the statistics of batch norms are those of the whole batch, so one
process and several differ by the rounding of sums alone.

Shape letters: ``H`` features, ``B`` sequences of a share, ``R`` values of a feature in it.
"""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.parallel import DistributedDataParallel

from neurossm.errors import InputError
from neurossm_models.train.devices import device_of

T = TypeVar("T")


@dataclass(frozen=True)
class Group:
    """The processes that train together.

    Attributes
    ----------
    rank
        Which of them this is; 0 writes the files.
    size
        How many they are.
    device
        Where this one computes.
    """

    rank: int = 0
    size: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))

    @property
    def first(self) -> bool:
        """Whether this process writes and speaks for all."""
        return self.rank == 0

    def span(self, rows: int) -> slice:
        """Return which rows of a whole batch are this process's."""
        own = rows // self.size
        return slice(self.rank * own, (self.rank + 1) * own)

    def sums(self, *values: float) -> tuple[float, ...]:
        """Return the sums over all processes."""
        if self.size == 1:
            return values
        total = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return tuple(total.tolist())

    def gathered(self, value: T) -> list[T]:
        """Return the values of all processes, in their order."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, value)
        return found

    def any(self, value: bool) -> bool:
        """Say whether a value is true in some process."""
        return self.sums(float(value))[0] > 0


@contextmanager
def processes(device: str | torch.device = "cpu") -> Iterator[Group]:
    """Join the processes that torchrun started, if it did, while the block runs.

    Parameters
    ----------
    device
        Name of the device that each computes on, as `device_of` takes it.

    Raises
    ------
    InputError
        If there is no such device, or several processes would share one GPU.
    """
    place = device_of(device)
    gpu = place.type == "cuda"
    with torch.cuda.device(place) if gpu else nullcontext():  # where kernels and NCCL run
        if not dist.is_torchelastic_launched():
            yield Group(device=place)
            return
        if gpu:
            _check_own_gpu(device)
        dist.init_process_group("nccl" if gpu else "gloo")
        try:
            yield Group(dist.get_rank(), dist.get_world_size(), place)
            # what still holds the group would outlive it, and could abort the process at its end
            gc.collect()
            dist.barrier()  # the first process writes files at the end: nobody leaves before
        finally:
            dist.destroy_process_group()


def _check_own_gpu(device: str | torch.device) -> None:
    together = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if together > 1 and ":" in str(device):
        expected = f"a GPU for each of the {together} processes of this machine"
        raise InputError("train device", expected=expected, got=f"{device} for all",
                         remedy="--set train.device=cuda, the GPU of the local rank")  # fmt: skip


def process_count() -> int:
    """Return how many processes torchrun started; 1 where it did not."""
    return int(os.environ.get("WORLD_SIZE", "1")) if dist.is_torchelastic_launched() else 1


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
    with warnings.catch_warnings():
        # the name that newer versions of PyTorch have for it is not there in older ones
        warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated", FutureWarning)
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
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine,
                   norm.track_running_stats)  # fmt: skip
        made.load_state_dict(norm.state_dict())
        made.weight, made.bias = norm.weight, norm.bias
        return made.train(norm.training)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalized x, (1, H, R) in our networks, or (B, H), or (B, H, R)."""
        if not self.training:
            return super().forward(x)
        count, others = dist.get_world_size(), (0, 2) if x.ndim == 3 else (0,)
        mean: Tensor = _Sum.apply(x.mean(others) / count)  # type: ignore[no-untyped-call]
        centered = x - _across(mean, x)
        own = centered.square().mean(others) / count
        variance: Tensor = _Sum.apply(own)  # type: ignore[no-untyped-call]
        self._track(mean.detach(), variance.detach(), count * x.numel() // x.shape[1])
        gain = (variance + self.eps).rsqrt() if self.weight is None else (
            self.weight / (variance + self.eps).sqrt()
        )  # fmt: skip
        normed = centered * _across(gain, x)
        return normed if self.bias is None else normed + _across(self.bias, x)

    def _track(self, mean: Tensor, variance: Tensor, values: int) -> None:
        if self.running_mean is None or self.running_var is None:
            return
        assert self.momentum is not None and self.num_batches_tracked is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (values / max(values - 1, 1)), self.momentum)
        self.num_batches_tracked += 1


def _across(values: Tensor, x: Tensor) -> Tensor:
    """Return one value a feature in a shape that goes with (B, H) or (B, H, R)."""
    return values[:, None] if x.ndim == 3 else values


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
        return x * whole[:, self.group.span(whole.shape[1])]
