"""Copies batches to a device: the next one while the current one is computed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from neurossm_models.train.batches import Batch


def moved(batches: Iterable[Batch], device: torch.device) -> Iterator[Batch]:
    """Yield batches on a device, in their order.

    On a GPU one more is asked for than was yielded: it is copied from pinned memory, beside what
    the GPU computes.
    """
    if device.type != "cuda":
        for batch in batches:
            yield batch.to(device)
        return
    copies, waiting = _Copies(device), None
    for batch in batches:
        begun = copies.begin(batch)
        if waiting is not None:
            yield copies.finish(waiting)
        waiting = begun
    if waiting is not None:
        yield copies.finish(waiting)


def pinned(batch: Batch, device: torch.device) -> Batch:
    """Return a batch in memory from which a GPU copies by itself, if it goes to one."""
    if device.type != "cuda":
        return batch
    return batch.mapped(lambda x: x if x.is_cuda or x.is_pinned() else x.pin_memory())


def threads_for(device: torch.device, workers: int) -> int:
    """Return how many background threads load batches: as many as are asked for.

    Elsewhere than on the CPU one at least, as nothing is taken from what computes.
    """
    return workers or int(device.type != "cpu")


@dataclass(frozen=True, eq=False)
class _Begun:
    batch: Batch
    done: torch.cuda.Event


class _Copies:
    """Copies on a stream of their own."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def begin(self, batch: Batch) -> _Begun:
        ready = pinned(batch, self._device)
        with torch.cuda.stream(self._stream):
            there = ready.mapped(lambda x: x.to(self._device, non_blocking=True))
            return _Begun(there, self._stream.record_event())

    def finish(self, begun: _Begun) -> Batch:
        """Let what is computed from now on wait for the copy, and the copy's memory for that."""
        computing = torch.cuda.current_stream(self._device)
        computing.wait_event(begun.done)
        for tensor in begun.batch.tensors:
            tensor.record_stream(computing)
        return begun.batch
