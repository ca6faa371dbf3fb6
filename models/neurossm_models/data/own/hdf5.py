"""HDF5: the arrays of ``.npz`` as data sets of the top group, inputs read sample by sample."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, InputError
from neurossm_models.data.own import stored
from neurossm_models.data.own.fields import assembled, check_keys, split_key
from neurossm_models.data.own.source import OwnSource, require_file
from neurossm_models.data.rows import Index, Rows, positions_of

LARGEST = 2**33  # bytes of what is read at once: labels and the like
EXPANDS = 1100  # times that deflate makes of zeros: more was never written


class SlicedRows(Rows):
    """Samples of a data set of an HDF5 file; ``(n, L)`` is one channel."""

    def __init__(self, path: Path, key: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self._path, self._key, self.dtype = path, key, dtype
        self._shape = (*shape, 1) if len(shape) == 2 else shape

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``."""
        n, steps, channels = self._shape
        return n, steps, channels

    def __getitem__(self, index: Index) -> NDArray[Any]:
        positions = positions_of(index, len(self))
        wanted, place = np.unique(positions, return_inverse=True)
        found = np.empty((len(wanted), *self._shape[1:]), self.dtype)
        try:
            with h5py.File(self._path, "r") as file:
                data = file[self._key]
                for first, last in stored.runs(wanted):
                    start = int(wanted[first])
                    piece = data[start : start + last - first]
                    found[first:last] = piece.reshape(last - first, *self._shape[1:])
        except (OSError, KeyError, ValueError) as error:
            got = str(error)
            where = f"{self._path}: {self._key}"
            raise FormatError(where, expected="an HDF5 file that is whole", got=got) from None
        return found if len(wanted) == len(positions) and _rising(place) else found[place]


def read(path: Path) -> OwnSource:
    """Return the source of an ``.h5`` or ``.hdf5`` file.

    Raises
    ------
    InputError
        If there is no such file, or an array has another shape.
    FormatError
        If it is no such file, is damaged, or holds a name that is not known.
    """
    require_file(path, "an HDF5 file")
    try:
        with h5py.File(path, "r") as file:
            check_keys(str(path), [str(key) for key in file])  # bytes where it is no text
            found = {key: _array(path, key, item) for key, item in file.items()}
    except (FormatError, InputError):
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
        got = str(error)
        raise FormatError(str(path), expected="an HDF5 file that is whole", got=got) from None
    return assembled(path.name, str(path), found)


def _array(path: Path, key: str, item: Any) -> Any:
    where = f"{path}: {key}"
    if not isinstance(item, h5py.Dataset) or item.shape is None:
        raise FormatError(where, expected="a data set", got="a group")
    size = item.size * item.dtype.itemsize
    most = EXPANDS * path.stat().st_size
    if split_key(key)[1] != "inputs":
        most = min(most, LARGEST)
    if size > most:
        expected = f"at most {most:,} bytes in this file"
        raise FormatError(where, expected=expected, got=f"{item.dtype} of shape {item.shape}")
    if h5py.check_string_dtype(item.dtype) is not None:
        texts = item.asstr()[()]
        return np.asarray(texts, dtype=str)
    if item.dtype.kind == "O":
        raise FormatError(where, expected="a plain array", got="rows of unlike lengths",
                          remedy=stored.RAGGED)  # fmt: skip
    if split_key(key)[1] == "inputs" and len(item.shape) in (2, 3) and size > stored.IN_MEMORY:
        return SlicedRows(path, key, item.shape, item.dtype)
    return np.asarray(item[()])


def _rising(place: NDArray[np.int64]) -> bool:
    return bool(np.all(np.diff(place) > 0))
