"""What a loaded data set is, and where the files of data sets live."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Dataset:
    """Sequences of small integers with one label each.

    Attributes
    ----------
    name, split
        Which data set, and which part of it.
    inputs
        uint8, shape (n, L, 1): n sequences of L steps. Read-only.
    scale
        The meaning of the integers: value = integer * scale.
    labels
        int64, shape (n,). Read-only.
    provenance
        Where the bytes came from, in one line.
    """

    name: str
    split: str
    inputs: NDArray[np.uint8]
    scale: float
    labels: NDArray[np.int64]
    provenance: str

    def __post_init__(self) -> None:
        self.inputs.setflags(write=False)
        self.labels.setflags(write=False)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: slice | NDArray[np.int64]) -> Dataset:
        """Return the data set made of these sequences only."""
        inputs, labels = self.inputs[indices], self.labels[indices]
        return Dataset(self.name, self.split, inputs, self.scale, labels, self.provenance)


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
