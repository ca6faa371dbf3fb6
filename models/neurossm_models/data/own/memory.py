"""Data in memory: arrays, a torch ``Dataset``, a ``DataLoader``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.errors import InputError
from neurossm.extras import explained
from neurossm_models.data.own.fields import assembled
from neurossm_models.data.own.source import WHOLE, OwnSource, Part
from neurossm_models.data.rows import Index, Rows, positions_of

NAME = "arrays/"


def from_arrays(
    inputs: ArrayLike,
    labels: ArrayLike | None = None,
    *,
    lengths: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    dt: float | None = None,
    channel_names: Sequence[str] = (),
    class_names: Sequence[str] = (),
    vocabulary: int = 0,
    name: str = NAME,
) -> OwnSource:
    """Return arrays as data of one's own, which `learn` and `load` take.

    Parameters
    ----------
    inputs
        ``(n, steps)`` or ``(n, steps, channels)``.
    labels, lengths, groups, dt, channel_names, class_names, vocabulary
        As in a ``.npz`` file.
    name
        What the data are called.

    Raises
    ------
    InputError, FormatError
        For another type or shape.
    """
    found: dict[str, Any] = {"inputs": plain_array("inputs", inputs)}
    for key, given in (("labels", labels), ("lengths", lengths), ("groups", groups)):
        if given is not None:
            found[key] = plain_array(key, given)
    for key, names in (("channel_names", channel_names), ("class_names", class_names)):
        if len(names):
            found[key] = np.array(list(names), dtype=str)
    if dt is not None:
        found["dt"] = np.float64(dt)
    if vocabulary:
        found["vocabulary"] = np.int64(vocabulary)
    return assembled(name, name.rstrip("/"), found)


def plain_array(where: str, given: ArrayLike) -> NDArray[Any]:
    """Return what is given as an array; `InputError` for rows of unlike lengths."""
    try:
        return np.asarray(given)
    except ValueError:
        remedy = "pad them to one length and give their lengths"
        got = "rows of unlike lengths"
        raise InputError(where, expected="an array", got=got, remedy=remedy) from None


class Items(Rows):
    """Samples of a torch ``Dataset``, asked for one by one, padded with 0."""

    def __init__(self, items: Any, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> None:
        self._items, self._shape, self._dtype = items, shape, dtype

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``."""
        return self._shape

    def __getitem__(self, index: Index) -> NDArray[Any]:
        positions = positions_of(index, len(self))
        found = np.zeros((len(positions), *self._shape[1:]), self._dtype)
        for row, position in zip(found, positions, strict=True):
            values, _ = _sample(self._items, int(position))
            row[: len(values)] = values
        return found


def from_torch_dataset(
    data: Any,
    *,
    name: str = "torch/",
    dt: float | None = None,
    class_names: Sequence[str] = (),
    channel_names: Sequence[str] = (),
    groups: ArrayLike | None = None,
) -> OwnSource:
    """Return a torch ``Dataset``, or that of a ``DataLoader``, as data of one's own.

    Its items are ``inputs`` or ``(inputs, label)``, inputs ``(steps,)`` or ``(steps, channels)``.
    They are asked for once for labels and lengths, and again each time they are read. A transform
    that is random gives other values each time.

    Parameters
    ----------
    data
        With a length, indexed by numbers; or a loader of such.
    name, dt, class_names, channel_names, groups
        As of `from_arrays`.

    Raises
    ------
    InputError
        If it has no length, or its items are something else.
    """
    with explained():
        from torch.utils.data import DataLoader, default_collate
    if isinstance(data, DataLoader):
        if data.collate_fn is not default_collate:
            raise InputError("DataLoader", expected="its own way to collate", got="collate_fn",
                             remedy="give its dataset, with items as they are to be")  # fmt: skip
        data = data.dataset
    try:
        count = len(data)
    except TypeError:
        raise InputError("torch Dataset", expected="one with a length", got=type(data).__name__,
                         remedy="collect its items into arrays: from_arrays") from None  # fmt: skip
    if not count:
        raise InputError("torch Dataset", expected="items", got="none")
    lengths, labels = np.zeros(count, np.int64), []
    first, _ = _sample(data, 0)
    for index in range(count):
        values, label = _sample(data, index)
        if values.shape[1] != first.shape[1]:
            raise InputError(f"torch Dataset: item {index}", expected=f"{first.shape[1]} channels",
                             got=str(values.shape[1]))  # fmt: skip
        lengths[index] = len(values)
        labels.append(label)
    shape = (count, int(lengths.max()), first.shape[1])
    rows = Items(data, shape, first.dtype)
    given = None if labels[0] is None else _labels(labels)
    part = Part(rows, given, None if np.all(lengths == lengths[0]) else lengths,
                None if groups is None else np.asarray(groups))  # fmt: skip
    return OwnSource(
        name, name.rstrip("/"), {WHOLE: part}, dt=dt, provenance=type(data).__name__,
        class_names=tuple(class_names), channel_names=tuple(channel_names),
    )  # fmt: skip


def _labels(labels: list[Any]) -> NDArray[Any]:
    try:
        return np.array(labels)
    except ValueError:
        raise InputError("torch Dataset: labels", expected="one shape", got="several") from None


def _sample(items: Any, index: int) -> tuple[NDArray[Any], Any]:
    """Return inputs ``(L, F)`` and label of an item."""
    where = f"torch Dataset: item {index}"
    try:
        item = items[index]
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise InputError(where, expected="an item", got=got) from error
    label = None
    if isinstance(item, tuple | list):
        if len(item) != 2:
            got = f"{len(item)} things"
            raise InputError(where, expected="(inputs, label)", got=got)
        item, label = item
    try:
        values, answer = np.asarray(item), None if label is None else np.asarray(label)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(where, expected="arrays", got=str(error),
                         remedy="give tensors as tensor.detach().cpu()") from None  # fmt: skip
    if values.dtype.kind not in "biuf" or values.ndim not in (1, 2) or not values.size:
        got = f"{values.dtype} of shape {values.shape}"
        raise InputError(where, expected="(steps,) or (steps, channels)", got=got)
    return values.reshape(len(values), -1), answer
