"""Batches: from samples to tensors on a device, read ahead in the background.

Shape letters: ``n`` answers of a batch, ``L`` steps, ``F`` channels, ``K`` numbers of an answer.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurossm.errors import InputError
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.labels import (
    CLASSIFICATION,
    EVERY_STEP,
    MULTILABEL,
    NEXT_STEP,
    REGRESSION,
    STEP_CLASSIFICATION,
    STEP_REGRESSION,
)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, eq=False)
class Batch:
    """What a model takes, and what it should answer.

    Attributes
    ----------
    x
        Values (n, L, F) or tokens (n, L); of pairs 2 n rows, those of a pair one after the other.
    lengths
        Steps of each row that count; None: all.
    labels
        Of the n answers, as of a `Dataset`.
    data
        The integers, where they come from a `Dataset`.
    """

    x: Tensor
    lengths: Tensor | None
    labels: Tensor
    data: Dataset | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def tensors(self) -> list[Tensor]:
        """Its tensors."""
        return [one for one in (self.x, self.lengths, self.labels) if one is not None]

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Batch:
        """Return it with what a function makes of each tensor."""
        lengths = None if self.lengths is None else change(self.lengths)
        return Batch(change(self.x), lengths, change(self.labels), self.data)

    def to(self, device: torch.device) -> Batch:
        """Return it on a device."""
        return self if self.x.device == device else self.mapped(lambda one: one.to(device))

    def rows(self, start: int, stop: int) -> Batch:
        """Return some of the answers with what they are asked of."""
        each = len(self.x) // max(len(self), 1)
        wide = slice(start * each, stop * each)
        lengths = None if self.lengths is None else self.lengths[wide]
        return Batch(self.x[wide], lengths, self.labels[start:stop], self.data)

    def parts(self, count: int) -> list[Batch]:
        """Return it in so many parts, of the same size within one."""
        ends = [len(self) * k // count for k in range(count + 1)]
        return [self.rows(start, stop) for start, stop in pairwise(ends) if stop > start]


def tensors(dataset: Dataset, longest: int | None = None) -> tuple[Tensor, Tensor | None, Tensor]:
    """Return what `Network` takes, the lengths (None: all steps count), and the labels.

    Values are (n, L, F), tokens (n, L); pairs are 2 n rows, those of a pair one after the other.
    What is padding for all of them is cut off, or what is beyond `longest` steps.
    """
    inputs = dataset.inputs
    real = dataset.labels.dtype.kind == "f"
    labels = torch.tensor(dataset.labels, dtype=torch.float64 if real else torch.int64)
    lengths = None
    if dataset.lengths is not None:
        lengths = torch.tensor(dataset.lengths.reshape(-1))
        longest = int(lengths.max()) if longest is None else longest
        inputs = inputs[:, :longest]
        by_step = dataset.kind in EVERY_STEP and labels.ndim > 1
        labels = labels[:, :longest] if by_step else labels
    if dataset.vocabulary:
        return as_tokens(torch.tensor(inputs)), lengths, labels
    return torch.tensor(inputs) * scale_of(dataset), lengths, labels


def as_tokens(inputs: Tensor) -> Tensor:
    """Return the tokens (n F, L) of integers (n, L, F)."""
    tokens = inputs.long().transpose(1, 2)
    return tokens.reshape(-1, tokens.shape[2])


def scale_of(dataset: Dataset, device: torch.device | None = None) -> float | Tensor:
    """Return what the network takes one unit of the input for; of each channel, (F,)."""
    if dataset.scaling is None:
        return dataset.scale
    return torch.tensor(dataset.factors, dtype=torch.float32).to(device)


def longest_of(dataset: Dataset, index: slice | NDArray[np.int64]) -> int:
    """Return how many steps the longest of some samples has."""
    return dataset.shape[1] if dataset.lengths is None else int(dataset.lengths[index].max())


def batch_of(dataset: Dataset, longest: int | None = None) -> Batch:
    """Return the batch of samples that are in memory; see `tensors`."""
    return Batch(*tensors(dataset, longest), dataset)


def taken(given: object, kind: str) -> Batch:
    """Return the batch of what a loader of one's own yields: (x, y) or (x, y, lengths).

    Real numbers may come without an axis for them where an answer is one, several labels as 0.0
    and 1.0.

    Raises
    ------
    InputError
        For anything else, and labels that are none of this kind of task.
    """
    fields = tuple(given) if isinstance(given, tuple | list) else ()
    right = len(fields) in (2, 3) and all(isinstance(one, Tensor) for one in fields)
    if not right or not len(fields[0]) or any(len(one) != len(fields[0]) for one in fields):
        shapes = ", ".join(
            str(tuple(one.shape)) if isinstance(one, Tensor) else type(one).__name__
            for one in fields
        )
        got = f"({shapes})" if fields else type(given).__name__
        raise InputError("batch", expected="tensors (x, y) or (x, y, lengths)", got=got)
    return Batch(fields[0], fields[2] if len(fields) == 3 else None, labels_of(fields[1], kind))


def labels_of(given: Tensor, kind: str) -> Tensor:
    """Return labels as the losses take them; `InputError` if they are none of this kind."""
    real = given.is_floating_point()
    axes: tuple[int, ...]
    if kind == MULTILABEL:
        axes, right = (2,), True
    elif kind in (REGRESSION, STEP_REGRESSION):
        least = 1 if kind == REGRESSION else 2
        axes, right, real = (least, least + 1), True, True
    else:
        axes = (1,) if kind == CLASSIFICATION else (2, 3) if kind == NEXT_STEP else (2,)
        right = not real or kind == NEXT_STEP
    if not right or given.ndim not in axes:
        got = f"{str(given.dtype).removeprefix('torch.')} of shape {tuple(given.shape)}"
        raise InputError(f"labels of a {kind}", expected=_EXPECTED[kind], got=got)
    if not real or kind == MULTILABEL:
        return given.long()
    return (given if given.ndim == axes[-1] else given[..., None]).double()


_EXPECTED = {
    CLASSIFICATION: "integers (batch,)",
    MULTILABEL: "0 and 1, (batch, labels)",
    REGRESSION: "real numbers (batch, K)",
    STEP_CLASSIFICATION: "integers (batch, steps)",
    STEP_REGRESSION: "real numbers (batch, steps, K)",
    NEXT_STEP: "tokens (batch, steps), or real numbers (batch, steps, K)",
}


def ahead(make: Callable[[T], R], items: Iterable[T], workers: int) -> Iterator[R]:
    """Yield what `make` makes of each item, in order; in the background while others are used.

    At most `workers` + 1 are held. With 0 workers it is made when it is asked for.
    """
    if not workers:
        yield from map(make, items)
        return
    rest = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="neurossm-load") as pool:
        waiting: deque[Future[R]] = deque(pool.submit(make, i) for i in islice(rest, workers + 1))
        try:
            while waiting:
                done = waiting.popleft().result()
                waiting.extend(pool.submit(make, item) for item in islice(rest, 1))
                yield done
        finally:
            for future in waiting:
                future.cancel()


def takes_lengths(model: nn.Module) -> bool:
    """Say whether the forward of a model, also of a wrapped one, has an argument ``lengths``."""
    try:
        return "lengths" in inspect.signature(unwrapped(model).forward).parameters
    except (TypeError, ValueError):
        return False


def unwrapped(model: nn.Module) -> nn.Module:
    """Return the model itself: not compiled, not in one of PyTorch's parallel wrappers."""
    while (inner := _wrapped(model)) is not None:
        model = inner
    return model


def _wrapped(model: nn.Module) -> nn.Module | None:
    parallel = isinstance(model, nn.DataParallel | nn.parallel.DistributedDataParallel)
    inner = model.module if parallel else getattr(model, "_orig_mod", None)
    return inner if isinstance(inner, nn.Module) else None
