"""What a reader returns: parts with raw values, and facts about all of them.

Shape letters: ``n`` samples, ``L`` steps, ``F`` channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, InputError
from neurossm_models.data.own.spec import TRAIN
from neurossm_models.data.rows import Rows

WHOLE = ""  # the name of the one part of data that have no parts
RAGGED = (
    "pad the sequences to one length, inputs (samples, longest, channels), and save their own"
    " lengths as 'lengths' (samples,)"
)


def require_file(path: Path, kind: str) -> None:
    """Raise `InputError` unless there is such a file; `kind` is what it is to be."""
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise InputError(f"data {str(path)!r}", expected=kind, got=got)


@dataclass(frozen=True, eq=False)
class Part:
    """Samples as they were recorded.

    Attributes
    ----------
    inputs
        Values ``(n, L, F)``: an array, or `Rows` that read them when they are asked for.
    labels
        As they stand there: integers, real numbers, or texts; None: none. A column ``(n, 1)`` of
        integers or texts is ``(n,)``, unless sequences have one step.
    lengths
        Steps of each sequence that count; None: all L.
    groups
        What must not be torn apart, ``(n,)``; None: nothing.
    """

    inputs: NDArray[Any] | Rows
    labels: NDArray[Any] | None = None
    lengths: NDArray[np.int64] | None = None
    groups: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        labels = self.labels
        column = labels is not None and labels.shape[1:] == (1,) and labels.dtype.kind in "biuU"
        if labels is not None and column and self.inputs.shape[1] > 1:
            object.__setattr__(self, "labels", labels[:, 0])

    def __len__(self) -> int:
        return int(self.inputs.shape[0])


@dataclass(frozen=True, eq=False)
class OwnSource:
    """Data of one's own, opened.

    Attributes
    ----------
    name
        Name of the file, or of the folder with a slash behind it: never that of another data set.
    where
        What errors call it: the path, the function.
    parts
        By name: ``train``, ``valid``, ``test``, or one that is called `WHOLE`.
    dt, scale, vocabulary, order, provenance
        As of a `Dataset`; None, 0 and empty where nothing is said.
    channel_names, class_names
        Empty where they have none.
    token_names
        What each number of a vocabulary stands for; empty where that is not known.
    task
        The kind of task, where the format says it.
    remedy
        How labels that the training part does not hold are made known, in a file of this format.
    """

    name: str
    where: str
    parts: Mapping[str, Part]
    dt: float | None = None
    scale: float | None = None
    vocabulary: int = 0
    order: str = ""
    provenance: str = ""
    channel_names: tuple[str, ...] = ()
    class_names: tuple[str, ...] = ()
    task: str = ""
    token_names: tuple[str, ...] = ()
    remedy: str = field(default="leave these samples out", kw_only=True)

    def __post_init__(self) -> None:
        features = {part.inputs.shape[-1] for part in self.parts.values()}
        if len(features) > 1:
            got = " and ".join(str(count) for count in sorted(features))
            raise FormatError(self.where, expected="one number of channels in all parts", got=got)
        for part in self.parts.values():
            _check_counts(self.where, part)
        if self.channel_names and {len(self.channel_names)} != features:
            raise FormatError(f"{self.where}: channel_names", expected=f"{self.features} names",
                              got=str(len(self.channel_names)))  # fmt: skip
        if len(set(self.class_names)) != len(self.class_names):
            raise FormatError(f"{self.where}: class_names", expected="each name once")

    @property
    def features(self) -> int:
        """Channels."""
        return int(next(iter(self.parts.values())).inputs.shape[-1])

    @property
    def has_parts(self) -> bool:
        """Whether the source itself says what is for training and what for tests."""
        return WHOLE not in self.parts

    @property
    def training(self) -> Part:
        """What parts that are missing are cut from."""
        found = self.parts.get(WHOLE) or self.parts.get(TRAIN)
        if found is None:
            got = " and ".join(self.parts)
            raise InputError(f"data {self.where!r}", expected="a training part", got=f"only {got}")
        return found


def with_channels(where: str, inputs: Any) -> Any:
    """Return values ``(n, L, F)`` of those, or of ``(n, L)`` in one channel.

    Raises
    ------
    InputError
        For another number of dimensions, or an axis of length 0.
    FormatError
        For what are no numbers.
    """
    kind = np.dtype(inputs.dtype).kind if hasattr(inputs, "dtype") else "f"
    if kind not in "biuf":
        raise FormatError(f"{where}: inputs", expected="a plain array of numbers",
                          got=f"{inputs.dtype}", remedy=RAGGED if kind == "O" else "")  # fmt: skip
    shape = tuple(inputs.shape)
    if len(shape) == 2 and isinstance(inputs, np.ndarray):
        inputs, shape = inputs[:, :, None], (*shape, 1)
    if len(shape) != 3 or 0 in shape:
        expected = "samples x steps x channels, none of them 0, or samples x steps"
        remedy = ""
        if len(shape) > 3 and 0 not in shape:  # frames: channels over space
            flat = (*shape[:2], math.prod(shape[2:]))
            remedy = f"put all behind the steps into one axis: inputs.reshape{flat}"
        raise InputError(f"{where}: inputs", expected=expected, got=f"shape {shape}",
                         remedy=remedy)  # fmt: skip
    return inputs


def _check_counts(where: str, part: Part) -> None:
    for name in ("labels", "lengths", "groups"):
        array = getattr(part, name)
        if array is None:
            continue
        if array.dtype.kind == "O":
            raise FormatError(f"{where}: {name}", expected="a plain array", got="object",
                              remedy=RAGGED if name == "labels" else "")  # fmt: skip
        if not array.ndim or len(array) != len(part):
            raise InputError(f"{where}: {name}", expected=f"shape ({len(part)}, ...), one a sample",
                             got=f"shape {array.shape}")  # fmt: skip
    if part.lengths is None:
        return
    if part.lengths.dtype.kind not in "iu":
        got = str(part.lengths.dtype)
        raise FormatError(f"{where}: lengths", expected="integers", got=got)
    low, high, steps = int(part.lengths.min()), int(part.lengths.max()), part.inputs.shape[1]
    if low < 1 or high > steps:
        got = f"{low} to {high}"
        raise InputError(f"{where}: lengths", expected=f"1 to {steps} steps", got=got)
