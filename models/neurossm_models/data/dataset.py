"""What a loaded data set is, and where the files of data sets live."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError

NOTHING = -1


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sequences of integers with a label each, or with a label at every step, or without.

    One type for all tasks: samples first, then steps, then channels, as every engine takes them.
    Real values and tokens differ in `vocabulary` alone; a pair of sequences is two channels.

    Attributes
    ----------
    name, split
        Which data set, and which part of it.
    inputs
        Integers, shape (n, L, F): n sequences of L steps. Tokens have F = 1; pairs of sequences of
        tokens F = 2. A read-only view: the array that was given stays writable.
    scale
        The meaning of the integers: value = integer * scale; 1 for tokens.
    labels
        Integers, shape (n,); shape (n, L) where every step has one, `NOTHING` where none is asked
        for. None is taken as `NOTHING` everywhere: data without labels. Read-only, as `inputs`.
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

    Raises
    ------
    InputError
        For an array of another shape or type, no samples, lengths outside of 1 to L, a scale or a
        dt that is not above 0 and finite; the message names the argument.
    """

    name: str
    split: str
    inputs: NDArray[np.integer[Any]]
    scale: float
    labels: NDArray[np.integer[Any]]
    provenance: str
    vocabulary: int = 0
    lengths: NDArray[np.int64] | None = None
    order: str = ""
    dt: float | None = None

    def __post_init__(self) -> None:
        inputs = _integers("inputs", self.inputs)
        if inputs.ndim != 3 or 0 in inputs.shape:
            raise _wrong("inputs", "samples x steps x channels, none of them 0", inputs)
        count, steps = inputs.shape[:2]
        object.__setattr__(self, "inputs", inputs)
        object.__setattr__(self, "labels", self._checked_labels(count, steps))
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

    def _checked_labels(self, count: int, steps: int) -> NDArray[np.integer[Any]]:
        if self.labels is None:
            labels: NDArray[np.integer[Any]] = np.full(count, NOTHING)
        else:
            labels = _integers("labels", self.labels)
        if labels.shape not in ((count,), (count, steps)):
            raise _wrong("labels", f"shape ({count},) or ({count}, {steps})", labels)
        if int(labels.min()) < NOTHING:
            got = str(int(labels.min()))
            raise InputError("data set labels", expected="0 or more (-1: none)", got=got)
        return _read_only(labels)

    def _checked_lengths(self, count: int, steps: int) -> NDArray[np.int64]:
        lengths = _integers("lengths", self.lengths).astype(np.int64)
        pairs = self.vocabulary > 0 and self.inputs.shape[2] == 2
        if lengths.shape != ((count, 2) if pairs else (count,)):
            shape = f"({count}, 2)" if pairs else f"({count},)"
            raise _wrong("lengths", f"shape {shape}", lengths)
        low, high = int(lengths.min()), int(lengths.max())
        if low < 1 or high > steps:
            got = f"{low} to {high}"
            raise InputError("data set lengths", expected=f"1 to {steps} steps", got=got)
        return _read_only(lengths)

    def __len__(self) -> int:
        return len(self.inputs)

    @property
    def pairs(self) -> bool:
        """Whether a sample is two sequences of tokens."""
        return self.vocabulary > 0 and self.inputs.shape[2] == 2

    @property
    def labeled(self) -> bool:
        """Whether an answer is asked for anywhere."""
        return bool(np.any(self.labels != NOTHING))

    def take(self, indices: slice | NDArray[np.int64]) -> Dataset:
        """Return the data set made of these samples only."""
        lengths = None if self.lengths is None else self.lengths[indices]
        return replace(
            self, inputs=self.inputs[indices], labels=self.labels[indices], lengths=lengths
        )

    def trimmed(self) -> Dataset:
        """Return the data set without the padding that no sequence needs."""
        if self.lengths is None:
            return self
        longest = int(self.lengths.max())
        labels = self.labels[:, :longest] if self.labels.ndim == 2 else self.labels
        return replace(self, inputs=self.inputs[:, :longest], labels=labels)


def _integers(name: str, given: object) -> NDArray[np.integer[Any]]:
    array = np.asarray(given)
    if array.dtype == np.bool_:  # spikes
        array = array.view(np.uint8)
    if not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"data set {name}", expected="integers", got=str(array.dtype))
    return _read_only(array)


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.setflags(write=False)
    return view


def _wrong(name: str, expected: str, array: NDArray[Any]) -> InputError:
    return InputError(f"data set {name}", expected=expected, got=f"shape {array.shape}")


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
