"""Data that lie on the training device: batches are cut there, bit-identical to the host's.

Shape letters: ``n`` samples, ``L`` steps, ``F`` channels.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurossm.errors import InputError
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.labels import EVERY_STEP, NEXT_STEP, NOTHING
from neurossm_models.train.batches import Batch, as_tokens, longest_of, scale_of
from neurossm_models.train.devices import AUTO, DEVICE, HOST
from neurossm_models.train.estimates.estimate import in_words

PART = 4  # of the free bytes of a GPU one in so many may hold data: the rest is to train with
_AT_ONCE = 2**26  # bytes that are read in one piece
# integers with an arithmetic on every device, by those that data may have
_KEPT = {
    "uint8": torch.uint8, "int8": torch.int8, "int16": torch.int16, "uint16": torch.int32,
    "int32": torch.int32, "uint32": torch.int64, "int64": torch.int64,
}  # fmt: skip


class Resident:
    """The samples of a data set on a device.

    Parameters
    ----------
    dataset
        Is read once, in batches: what is read on demand needs no memory of the host.
    device
        Where they lie from now on.
    """

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        self._dataset, self._device = dataset, device
        self._rows = torch.empty(dataset.shape, dtype=_kept(dataset), device=device)
        each = max(1, _AT_ONCE // (8 * dataset.shape[1] * dataset.shape[2]))
        for start in range(0, len(dataset), each):
            part = np.asarray(dataset.rows[start : start + each])
            self._rows[start : start + each] = torch.tensor(part, dtype=self._rows.dtype)
        self._labels, self._lengths = None, None
        if not _made_when_taken(dataset):
            self._labels = torch.tensor(dataset.labels, dtype=_label_type(dataset)).to(device)
        if dataset.lengths is not None:
            self._lengths = torch.tensor(dataset.lengths).to(device)
        self._scale = None if dataset.vocabulary else scale_of(dataset, device)

    def batch(self, index: slice | NDArray[np.int64], longest: int | None = None) -> Batch:
        """Return the batch of some samples, on the device.

        Parameters
        ----------
        index
            Which, in this order.
        longest
            Steps that are kept; None: those of the longest of these samples.
        """
        lengths = None if self._lengths is None else _at(self._lengths, index)
        if longest is None:
            longest = longest_of(self._dataset, index)
        rows = _at(self._rows[:, :longest], index)
        if self._labels is None:
            labels = self._following(rows, lengths)
        else:
            labels = _at(self._labels, index)
            if self._dataset.kind in EVERY_STEP:
                labels = labels[:, :longest]
        x = as_tokens(rows) if self._scale is None else rows * self._scale
        return Batch(x, None if lengths is None else lengths.reshape(-1), labels)

    def _following(self, rows: Tensor, lengths: Tensor | None) -> Tensor:
        """Return at each step what comes in at the next one, as `Dataset.take` does."""
        dataset, steps = self._dataset, rows.shape[1]
        ends = torch.full((len(rows),), steps, device=self._device) if lengths is None else lengths
        last = torch.arange(steps, device=self._device) >= ends[:, None] - 1
        following = rows.roll(-1, 1)
        if dataset.vocabulary:
            return torch.where(last, NOTHING, following[:, :, 0].long())
        values = following.double()
        if dataset.scaling is None:
            values = values * self._doubles(dataset.factors)
        else:
            unit, offset = dataset.scaling.unit, dataset.scaling.offset
            values = values * self._doubles(unit) + self._doubles(offset)
        return torch.where(last[:, :, None], torch.nan, values)

    def _doubles(self, values: NDArray[np.float64]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64).to(self._device)


def place(
    data_on: str, device: torch.device, datasets: tuple[Dataset, ...]
) -> tuple[Resident | None, ...]:
    """Return data sets on a device, as far as they are to lie there.

    Parameters
    ----------
    data_on
        ``"device"``: all; ``"host"``: none; ``"auto"``: on a GPU, one after the other, those for
        which there is room in a quarter of its free memory.
    device
        Which.
    datasets
        The one that is to lie there first, first.

    Raises
    ------
    InputError
        If they are to lie there and take more than is free.
    """
    free = free_memory(device)
    if data_on == HOST or (data_on == AUTO and free is None):
        return (None,) * len(datasets)
    if data_on == DEVICE:
        needed = sum(map(size_of, datasets))
        if free is not None and needed > free:
            expected = f"at most {in_words(free)}, what is free on {device}"
            raise InputError("train data_on", expected=expected, remedy="--set train.data_on=host",
                             got=f"data of {in_words(needed)}")  # fmt: skip
        return tuple(Resident(dataset, device) for dataset in datasets)
    assert free is not None
    room, found = free // PART, []
    for dataset in datasets:
        fits = _type_name(dataset) in _KEPT and size_of(dataset) <= room
        room -= size_of(dataset) if fits else 0
        found.append(Resident(dataset, device) if fits else None)
    return tuple(found)


def free_memory(device: torch.device) -> int | None:
    """Return the free bytes of a GPU; None of another device."""
    return torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else None


def size_of(dataset: Dataset) -> int:
    """Return how many bytes a data set takes on a device."""
    labels = dataset.labels.size * _label_type(dataset).itemsize
    labels = 0 if _made_when_taken(dataset) else labels
    lengths = 0 if dataset.lengths is None else dataset.lengths.size * torch.int64.itemsize
    return int(np.prod(dataset.shape)) * _kept(dataset).itemsize + labels + lengths


def _made_when_taken(dataset: Dataset) -> bool:
    """Say whether the labels are what comes in next, and are not made yet."""
    return dataset.kind == NEXT_STEP and dataset.labels.ndim == 1


def _kept(dataset: Dataset) -> torch.dtype:
    name = _type_name(dataset)
    if name not in _KEPT:
        raise InputError(f"data set {dataset.name}", expected=f"integers of {', '.join(_KEPT)}",
                         got=name, remedy="--set train.data_on=host")  # fmt: skip
    return _KEPT[name]


def _type_name(dataset: Dataset) -> str:
    return np.asarray(dataset.rows[:1]).dtype.name


def _label_type(dataset: Dataset) -> torch.dtype:
    return torch.float64 if dataset.labels.dtype.kind == "f" else torch.int64


def _at(held: Tensor, index: slice | NDArray[np.int64]) -> Tensor:
    if isinstance(index, slice):
        return held[index]
    return held.index_select(0, torch.tensor(index).to(held.device))
