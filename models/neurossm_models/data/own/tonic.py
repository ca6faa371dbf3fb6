"""``tonic:NAME``: recordings of event cameras and spiking cochleas through the package tonic.

Events are counted in bins of `BIN` seconds from the first on, one channel a place and polarity.
Other bins, crops and pooling: a function of one's own with tonic's transforms (`py:file.py:name`).
"""

from __future__ import annotations

import inspect
import math
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError, TargetError
from neurossm_models.data.dataset import data_root
from neurossm_models.data.own.source import OwnSource, Part
from neurossm_models.data.own.spec import TEST, TRAIN, VALID
from neurossm_models.data.rows import Index, Rows, positions_of

BIN = 4e-3  # seconds
_MICROSECONDS = 1e-6  # tonic's unit of time
_OTHERS = "write a function that returns arrays: py:file.py:function"


class Events(Rows):
    """Events counted in bins, read when they are asked for."""

    def __init__(self, items: Any, lengths: NDArray[np.int64], sensor: tuple[int, ...]) -> None:
        self._items, self._lengths, self._sensor = items, lengths, sensor

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``."""
        return len(self._lengths), int(self._lengths.max()), math.prod(self._sensor)

    def __getitem__(self, index: Index) -> NDArray[np.int32]:
        positions = positions_of(index, len(self))
        found = np.zeros((len(positions), *self.shape[1:]), np.int32)
        for row, position in zip(found, positions, strict=True):
            events = self._items[int(position)][0]
            np.add.at(row, (_bins(events), _channels(events, self._sensor)), 1)
        return found


def read(name: str, root: str | Path | None = None) -> OwnSource:
    """Return the source of a data set of tonic, which fetches it on first use.

    Parameters
    ----------
    name
        As ``tonic.datasets`` has it: ``SHD``, ``NMNIST``.
    root
        Data root; files lie in its folder ``tonic``.

    Raises
    ------
    TargetError
        Where tonic is not installed.
    InputError
        If it has no such data set, or loading fails.
    """
    where = f"tonic:{name}"
    try:
        datasets = import_module("tonic.datasets")
    except ImportError:
        raise TargetError(where, expected="the package tonic", got="none",
                          remedy="pip install tonic") from None  # fmt: skip
    maker = getattr(datasets, name, None)
    if not inspect.isclass(maker):
        known = ", ".join(
            sorted(key for key in vars(datasets) if inspect.isclass(vars(datasets)[key]))
        )
        raise InputError(where, expected=f"one of {known}", got=repr(name))
    folder = str(data_root(root) / "tonic")
    parts = {
        part: _part(where, items, maker) for part, items in _parts(where, maker, folder).items()
    }
    return OwnSource(f"tonic/{name}", where, parts, dt=BIN, provenance=f"{where}, {BIN:g} s a step")


def _parts(where: str, maker: Any, folder: str) -> dict[str, Any]:
    arguments = inspect.signature(maker).parameters
    try:
        if "train" in arguments:
            return {
                TRAIN: maker(save_to=folder, train=True),
                TEST: maker(save_to=folder, train=False),
            }
        if "split" in arguments:
            return {part: maker(save_to=folder, split=part) for part in (TRAIN, VALID, TEST)}
        return {"": maker(save_to=folder)}
    except Exception as error:
        got = f"{type(error).__name__}: {error}"
        raise InputError(where, expected="a data set that loads", got=got) from error


def _part(where: str, items: Any, maker: Any) -> Part:
    sensor = getattr(items, "sensor_size", None) or getattr(maker, "sensor_size", None)
    if sensor is None:
        raise InputError(where, expected="recordings of one size", got="several", remedy=_OTHERS)
    lengths, labels = np.zeros(len(items), np.int64), []
    for index in range(len(items)):
        events, label = items[index][0], items[index][1]
        names = getattr(getattr(events, "dtype", None), "names", None) or ()
        if not {"t", "x", "p"} <= set(names) or not len(events) or np.ndim(label):
            got = f"{type(events).__name__} with {', '.join(names) or 'none'}, {label!r}"
            expected = "events with t, x, p, and a class"
            raise InputError(f"{where}: sample {index}", expected=expected, got=got, remedy=_OTHERS)
        lengths[index] = int(_bins(events).max()) + 1
        labels.append(label)
    return Part(Events(items, lengths, tuple(map(int, sensor))), np.array(labels), lengths)


def _bins(events: Any) -> NDArray[np.int64]:
    """Return the bin of each event, from the first one on, as tonic's ``ToFrame`` counts."""
    times = np.asarray(events["t"], dtype=np.float64)
    return np.asarray((times - times.min()) * (_MICROSECONDS / BIN)).astype(np.int64)


def _channels(events: Any, sensor: tuple[int, ...]) -> NDArray[np.int64]:
    """Return the channel of each event: place by place, polarities together.

    An axis of size 1 is none: the cochleas' polarity is always 1 there.
    """
    sizes = dict(zip(("x", "y", "p"), sensor, strict=True))
    found = np.zeros(len(events), np.int64)
    for axis in ("y", "x", "p"):
        if sizes[axis] > 1:
            found = found * sizes[axis] + np.asarray(events[axis], np.int64)
    return found
