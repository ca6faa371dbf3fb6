"""Loaded data sets, and the folders where their files are found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm.fixed import Scaling
from neurossm_models.data.labels import (
    EVERY_STEP,
    KINDS,
    NEXT_STEP,
    NOTHING,
    checked_labels,
    kind_of,
)
from neurossm_models.data.rows import Integers, Rows, positions_of


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sequences of integers with what is asked of them: classes, real numbers, or nothing.

    One type for all tasks: samples first, then steps, then channels, as every engine takes them.
    Real values and tokens differ in `vocabulary` alone; a pair of sequences is two channels.

    Attributes
    ----------
    name, split
        Which data set, and which part of it.
    rows
        Integers, shape (n, L, F): n sequences of L steps. Tokens have F = 1; pairs of sequences of
        tokens F = 2. A read-only view: the array that was given stays writable. Or `Rows`, which
        read them when they are taken. `inputs` is all of them as an array.
    scale
        The meaning of the integers: value = integer * scale; 1 for tokens. Where there is a
        `scaling`, that says it channel by channel; see `factors`.
    labels
        By `kind`: of a classification integers (n,), at every step (n, L), `NOTHING` where none is
        asked for; several labels a sequence 0 or 1, (n, K), or a row of `NOTHING`; of a regression
        real numbers (n, K), at every step (n, L, K), nan where none is asked for. None is taken as
        `NOTHING` everywhere: data without labels. Of ``"next-step"`` they are made when samples are
        taken, unless they are given for every step. Read-only, as `inputs`.
    provenance
        Where the bytes came from, in one line.
    vocabulary
        Number of tokens; 0: the integers are quantities.
    lengths
        Steps of each sequence that count, int64, shape (n,), or (n, 2) for pairs, 1 to L; what
        follows is padding. None: all L.
    order
        Name of the order of the steps where it is not the one they were recorded in, such as
        ``"bit-reversed"``.
    dt
        Seconds of a step; None where it is not known, or where steps are no times (pixels, tokens).
    kind
        The task, one of `KINDS`; empty: that of integer labels of this shape.
    scaling
        How real values became these integers; None where they were integers.
    groups
        What must not be torn apart when parts are cut (subject, recording), (n,); None: nothing.
    class_names, channel_names
        Empty where they have none.
    token_names
        What each number of a vocabulary stands for; empty where that is not known.
    clipped
        How many values of these samples, no padding, were beyond the range of the integers.
    consecutive
        Whether each sample goes on where the one before it ended: pieces of one stream, in order.

    Raises
    ------
    InputError
        For an array of another shape or type, no samples, lengths outside of 1 to L, a scale or a
        dt that is not above 0 and finite; the message names the argument.
    """

    name: str
    split: str
    rows: NDArray[np.integer[Any]] | Rows
    scale: float
    labels: NDArray[Any]
    provenance: str
    vocabulary: int = 0
    lengths: NDArray[np.int64] | None = None
    order: str = ""
    dt: float | None = None
    kind: str = ""
    scaling: Scaling | None = None
    groups: NDArray[Any] | None = None
    class_names: tuple[str, ...] = ()
    channel_names: tuple[str, ...] = ()
    token_names: Sequence[str] = ()
    clipped: int = 0
    consecutive: bool = False

    def __post_init__(self) -> None:
        rows = self.rows if isinstance(self.rows, Rows) else _integers("inputs", self.rows)
        if rows.ndim != 3 or 0 in rows.shape:
            raise _wrong("inputs", "samples x steps x channels, none of them 0", rows.shape)
        count, steps, channels = rows.shape
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "kind", self.kind or kind_of(self.labels))
        if self.kind not in KINDS:
            raise InputError("data set kind", expected=" | ".join(KINDS), got=repr(self.kind))
        object.__setattr__(self, "labels", checked_labels(self.kind, self.labels, count, steps))
        if self.lengths is not None:
            object.__setattr__(self, "lengths", self._checked_lengths(count, steps))
        for name, value in (("scale", self.scale), ("dt", self.dt)):
            if value is None and name == "dt":
                continue
            if not isinstance(value, Real) or not 0 < value < float("inf"):
                expected = "a finite number above 0"
                raise InputError(f"data set {name}", expected=expected, got=repr(value))
        if self.vocabulary < 0:
            raise InputError("data set vocabulary", expected="0 or more", got=str(self.vocabulary))
        if self.scaling is not None and len(self.scaling.unit) != channels:
            got = f"one of {len(self.scaling.unit)}"
            raise InputError("data set scaling", expected=f"{channels} channels", got=got)
        if self.groups is not None and np.shape(self.groups) != (count,):
            raise _wrong("groups", f"shape ({count},)", np.shape(self.groups))

    def _checked_lengths(self, count: int, steps: int) -> NDArray[np.int64]:
        lengths = _integers("lengths", self.lengths).astype(np.int64)
        pairs = self.pairs
        if lengths.shape != ((count, 2) if pairs else (count,)):
            shape = f"({count}, 2)" if pairs else f"({count},)"
            raise _wrong("lengths", f"shape {shape}", lengths.shape)
        low, high = int(lengths.min()), int(lengths.max())
        if low < 1 or high > steps:
            got = f"{low} to {high}"
            raise InputError("data set lengths", expected=f"1 to {steps} steps", got=got)
        return _read_only(lengths)

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def inputs(self) -> NDArray[np.integer[Any]]:
        """All integers, (n, L, F); what is read on demand is read now."""
        return self.rows[:] if isinstance(self.rows, Rows) else self.rows

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``, without reading anything."""
        n, steps, channels = self.rows.shape
        return n, steps, channels

    @property
    def pairs(self) -> bool:
        """Whether a sample is two sequences of tokens."""
        return self.vocabulary > 0 and self.shape[2] == 2

    @property
    def labeled(self) -> bool:
        """Whether an answer is asked for anywhere."""
        if self.kind == NEXT_STEP:
            return True
        if self.labels.dtype.kind == "f":
            return bool(np.any(~np.isnan(self.labels)))
        return bool(np.any(self.labels != NOTHING))

    @property
    def factors(self) -> NDArray[np.float64]:
        """What the network takes one unit of each channel for, ``(F,)``."""
        if self.scaling is not None:
            return self.scaling.scale
        return np.full(self.shape[2], float(self.scale))

    def take(self, indices: slice | NDArray[np.int64]) -> Dataset:
        """Return the data set made of these samples only, in memory.

        Labels of the task ``"next-step"`` are made here: at each step the input of the next one,
        tokens or real values; none at the last step of a sequence.
        """
        part = self.select(indices)
        clipped, labels = 0, part.labels
        rows: NDArray[np.integer[Any]]
        if isinstance(part.rows, Integers):
            rows, beyond = part.rows.counted(slice(None))
            valid = _inside(part.lengths, *part.shape[:2])
            clipped = int(np.count_nonzero(beyond & valid[:, :, None]))
        else:
            rows = part.inputs
        if self.kind == NEXT_STEP and labels.ndim == 1:  # not yet made
            labels = self._next_steps(rows, part.lengths)
        return replace(part, rows=rows, labels=labels, clipped=clipped)

    def select(self, indices: slice | NDArray[np.int64]) -> Dataset:
        """Return the data set made of these samples only; what is read on demand stays so."""
        lengths = None if self.lengths is None else self.lengths[indices]
        groups = None if self.groups is None else self.groups[indices]
        rows = self.rows
        if isinstance(rows, Rows):
            rows = rows.selected(positions_of(indices, len(self)))
        else:
            rows = rows[indices]
        labels = self.labels[indices]
        in_order = isinstance(indices, slice) and indices.step in (None, 1)
        return replace(self, rows=rows, labels=labels, lengths=lengths, groups=groups,
                       consecutive=self.consecutive and in_order)  # fmt: skip

    def _next_steps(
        self, inputs: NDArray[np.integer[Any]], lengths: NDArray[np.int64] | None
    ) -> NDArray[Any]:
        last = ~_inside(lengths, *inputs.shape[:2])
        last[:, :-1] |= last[:, 1:]
        last[:, -1] = True
        following = np.roll(inputs, -1, axis=1)
        if self.vocabulary:
            return np.where(last, NOTHING, following[:, :, 0].astype(np.int64))
        if self.scaling is not None:
            return np.where(last[:, :, None], np.nan, self.scaling.to_values(following))
        return np.where(last[:, :, None], np.nan, following * self.factors)

    def trimmed(self) -> Dataset:
        """Return the data set without the padding that no sequence needs."""
        if self.lengths is None:
            return self
        longest = int(self.lengths.max())
        if longest == self.shape[1]:
            return self
        by_step = self.kind in EVERY_STEP and self.labels.ndim > 1
        labels = self.labels[:, :longest] if by_step else self.labels
        rows = self.rows
        rows = rows.first_steps(longest) if isinstance(rows, Rows) else rows[:, :longest]
        return replace(self, rows=rows, labels=labels)


def _integers(name: str, given: object) -> NDArray[np.integer[Any]]:
    array = np.asarray(given)
    if array.dtype == np.bool_:  # spikes
        array = array.view(np.uint8)
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"data set {name}", expected="integers", got=str(array.dtype))
    return _read_only(array)


def _inside(lengths: NDArray[np.int64] | None, samples: int, steps: int) -> NDArray[np.bool_]:
    if lengths is None:
        return np.ones((samples, steps), dtype=bool)
    own = lengths if lengths.ndim == 1 else lengths.max(axis=1)
    return np.asarray(np.arange(steps) < own[:, None])


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.setflags(write=False)
    return view


def _wrong(name: str, expected: str, shape: tuple[int, ...]) -> InputError:
    return InputError(f"data set {name}", expected=expected, got=f"shape {shape}")


def data_root(root: str | Path | None = None) -> Path:
    """Return the folder under which data sets are looked for and placed.

    The argument if given, else the environment variable NEUROSSM_DATA, else ``neurossm`` in the
    user's cache folder (XDG_CACHE_HOME, else ``~/.cache``).
    """
    if root is not None:
        return Path(root).expanduser()
    if os.environ.get("NEUROSSM_DATA"):
        return Path(os.environ["NEUROSSM_DATA"]).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(cache).expanduser() / "neurossm"
