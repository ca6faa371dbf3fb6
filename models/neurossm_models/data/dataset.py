"""What a loaded data set is, and where the files of data sets live."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

NOTHING = -1


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sequences of integers with a label each, or with a label at every step.

    One type for all tasks: samples first, then steps, then channels, as every engine takes them.
    Real values and tokens differ in `vocabulary` alone; a pair of sequences is two channels.

    Attributes
    ----------
    name, split
        Which data set, and which part of it.
    inputs
        Integers, shape (n, L, F): n sequences of L steps. Tokens have F = 1; pairs of sequences of
        tokens F = 2. Read-only.
    scale
        The meaning of the integers: value = integer * scale; 1 for tokens.
    labels
        Integers, shape (n,); shape (n, L) where every step has one, `NOTHING` where none is asked
        for. Read-only.
    provenance
        Where the bytes came from, in one line.
    vocabulary
        Number of tokens; 0: the integers are quantities.
    lengths
        Steps of each sequence that count, int64, shape (n,), or (n, 2) for pairs; what follows is
        padding. None: all L.
    """

    name: str
    split: str
    inputs: NDArray[np.integer[Any]]
    scale: float
    labels: NDArray[np.integer[Any]]
    provenance: str
    vocabulary: int = 0
    lengths: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        for array in (self.inputs, self.labels, self.lengths):
            if array is not None:
                array.setflags(write=False)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def pairs(self) -> bool:
        """Whether a sample is two sequences of tokens."""
        return self.vocabulary > 0 and self.inputs.shape[2] == 2

    def take(self, indices: slice | NDArray[np.int64]) -> Dataset:
        """Return the data set made of these samples only."""
        lengths = None if self.lengths is None else self.lengths[indices]
        return replace(
            self, inputs=self.inputs[indices], labels=self.labels[indices], lengths=lengths
        )


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
