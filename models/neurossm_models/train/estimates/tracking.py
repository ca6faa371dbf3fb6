"""Memory of one training step: kept for the backward pass, and at its peak.

What autograd saves is seen by its hooks, what kernels of ours keep is told by them
(`neurossm_models.kept`), and what lives at a moment is followed allocation by allocation. Storages
count once, however many tensors look at them; parameters, buffers and the batch do not count.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from neurossm_models import kept
from neurossm_models.network import Network
from neurossm_models.tasks.losses import Loss
from neurossm_models.train.batches import Batch
from neurossm_models.train.devices import FLOAT32, narrow
from neurossm_models.train.measuring import answers_of, asks_for_labels, records


@dataclass(frozen=True)
class StepMemory:
    """What one step needs beside parameters, buffers, batch and optimizer, in bytes.

    Attributes
    ----------
    saved
        What autograd saves for the backward pass.
    native
        What kernels keep for it beside autograd.
    peak
        The most at once in the forward and the backward pass, gradients of parameters included.
    left
        What is there after the backward pass: the gradients.
    """

    saved: int
    native: int
    peak: int
    left: int


class Live(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the storages that operations make while it is active: how many bytes live."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Run an operation and take up what it made."""
        out = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(out):
            if isinstance(leaf, Tensor):
                self._take_up(leaf.untyped_storage())
        return out

    def ignore(self, tensors: Iterable[Tensor]) -> None:
        """Count none of these, nor what looks at them."""
        self._known |= {tensor.untyped_storage().data_ptr() for tensor in tensors}

    def _take_up(self, storage: torch.UntypedStorage) -> None:
        place, size = storage.data_ptr(), storage.nbytes()
        if place in self._known or not size:
            return
        self._known.add(place)
        self.now += size
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._let_go, place, size)

    def _let_go(self, place: int, size: int) -> None:
        self._known.discard(place)
        self.now -= size


def step_memory(model: nn.Module, batch: Batch, loss: Loss, precision: str = FLOAT32) -> StepMemory:
    """Return what a step of training on a batch needs; runs forward and backward.

    Parameters
    ----------
    model, batch, loss
        Whose step, on the device of the batch. The gradients are None afterwards.
    precision
        Of matrix products.
    """
    model.train()
    model.zero_grad()
    given = [*_own(model), *_of_batch(batch)]
    outside = {tensor.untyped_storage().data_ptr() for tensor in given}
    saved: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in outside:
            saved[storage.data_ptr()] = storage.nbytes()
        return tensor

    live = Live()
    live.ignore(given)
    with _one_thread(), live:
        with kept.listening() as told, saved_tensors_hooks(pack, lambda tensor: tensor):
            with narrow(batch.x.device, precision):
                answers = answers_of(model, batch)  # held to the end, as the loop does
            mean, _ = loss(answers if answers.dtype == torch.float64 else answers.float(),
                           batch.labels, batch.lengths)  # fmt: skip
        native, arrays = _beside(told, outside | set(saved))
        told.clear()
        mean.backward()  # type: ignore[no-untyped-call]
    left = sum(p.grad.nbytes for p in model.parameters() if p.grad is not None)
    model.zero_grad()
    return StepMemory(sum(saved.values()), native, live.peak + arrays, left)


@torch.no_grad()
def evaluation_memory(model: nn.Module, batch: Batch, loss: Loss) -> int:
    """Return the most at once while a batch is answered and judged in eval mode, in bytes."""
    was_training, live = model.training, Live()
    live.ignore([*_own(model), *_of_batch(batch)])
    model.eval()
    try:
        with _one_thread(), live:
            if records(model):
                labels = batch.labels if asks_for_labels(model) else None
                recording = cast(Network, model).record(batch.x, batch.lengths, labels)
                loss(recording.logits, batch.labels, batch.lengths)
            else:
                loss(answers_of(model, batch), batch.labels, batch.lengths)
    finally:
        model.train(was_training)
    return live.peak


def _beside(told: list[Any], counted: set[int]) -> tuple[int, int]:
    """Return the bytes that kernels keep and nobody counted, and those of them in arrays."""
    tensors: dict[int, int] = {}
    arrays: dict[int, int] = {}
    for leaf in tree_leaves(told):
        if isinstance(leaf, Tensor) and leaf.untyped_storage().data_ptr() not in counted:
            tensors[leaf.untyped_storage().data_ptr()] = leaf.untyped_storage().nbytes()
        elif isinstance(leaf, np.ndarray) and leaf.base is None:
            arrays[id(leaf)] = leaf.nbytes
    return sum(tensors.values()) + sum(arrays.values()), sum(arrays.values())


def _own(model: nn.Module) -> list[Tensor]:
    return [*model.parameters(), *model.buffers()]


def _of_batch(batch: Batch) -> list[Tensor]:
    lengths = [] if batch.lengths is None else [batch.lengths]
    return [batch.x, batch.labels, *lengths]


@contextmanager
def _one_thread() -> Iterator[None]:
    """Run what chains spread over threads in this one: a dispatch mode sees no other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
