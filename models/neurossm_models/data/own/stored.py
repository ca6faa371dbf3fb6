"""Values that lie in a file one behind the other, read from there when they are asked for.

Read, not mapped: pages of a memory map stay in the process, and a file that was cut short ends it.
"""

from __future__ import annotations

import itertools
import math
import os
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.rows import Index, Rows, positions_of

IN_MEMORY = 2**26  # bytes of inputs up to which they are read at once


class StoredRows(Rows):
    """Samples of an array in a file, C order, from an offset on; ``(n, L)`` is one channel."""

    def __init__(
        self, path: Path, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...]
    ) -> None:
        self._path, self._offset, self.dtype = path, offset, dtype
        self._shape = (*shape, 1) if len(shape) == 2 else shape
        self._bytes = math.prod(self._shape[1:]) * dtype.itemsize
        self._file: BinaryIO | None = None
        self._process = 0

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(n, L, F)``."""
        n, steps, channels = self._shape
        return n, steps, channels

    def __getitem__(self, index: Index) -> NDArray[Any]:
        positions = positions_of(index, len(self))
        found = np.empty((len(positions), *self._shape[1:]), self.dtype)
        order = np.argsort(positions, kind="stable")
        in_order = bool(np.all(order == np.arange(len(order))))
        into = found if in_order else np.empty_like(found)
        flat = into.reshape(len(positions), -1).view(np.uint8) if found.size else into
        for first, last in runs(positions[order]):
            self._read(flat[first:last], int(positions[order[first]]))
        if not in_order:
            found[order] = into
        return found

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_file": None}

    def _read(self, into: NDArray[np.uint8], first: int) -> None:
        if self._file is None or self._process != os.getpid():
            self._file, self._process = self._path.open("rb", buffering=0), os.getpid()
        start, view, done = self._offset + first * self._bytes, memoryview(into).cast("B")  # type: ignore[arg-type], 0
        self._file.seek(start)
        while done < len(view):
            count = self._file.readinto(view[done:])  # type: ignore[attr-defined]
            if not count:
                got = f"its end in sample {first + done // self._bytes}"
                expected = f"{self._bytes} bytes a sample"
                raise FormatError(str(self._path), expected=expected, got=got)
            done += count


def runs(positions: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Return where in rising positions each run of neighbors begins and ends."""
    if not len(positions):
        return []
    breaks = np.flatnonzero(np.diff(positions) != 1) + 1
    edges = [0, *breaks.tolist(), len(positions)]
    return list(itertools.pairwise(edges))


def stored_array(
    path: Path, offset: int, size: int, where: str, *, lazy: bool
) -> NDArray[Any] | StoredRows:
    """Return the array of the NumPy format (``.npy``) that begins in a file at an offset.

    Parameters
    ----------
    path, offset, size
        Where it lies, and how many bytes it has with its header.
    where
        What errors call it.
    lazy
        Whether samples of more than `IN_MEMORY` bytes may stay in the file.

    Raises
    ------
    FormatError
        If it is no such array, holds objects, or has not the bytes that it says.
    """
    with path.open("rb") as file:
        file.seek(offset)
        try:
            shape, fortran, dtype = _header(file)
        except (ValueError, KeyError) as error:
            got = str(error)
            raise FormatError(where, expected="an array as NumPy saves it", got=got) from None
        if dtype.hasobject:
            raise FormatError(where, expected="a plain array of numbers or texts", got="objects",
                              remedy=RAGGED)  # fmt: skip
        begin = file.tell()
        wanted = math.prod(shape) * dtype.itemsize
        if wanted != size - (begin - offset):
            expected = f"{wanted} bytes for {dtype} of shape {shape}"
            raise FormatError(where, expected=expected, got=f"{size - (begin - offset)} bytes")
        values = len(shape) in (2, 3) and not fortran and dtype.kind in "biuf"
        if not (lazy and values and wanted > IN_MEMORY):
            flat = np.fromfile(file, dtype=dtype, count=math.prod(shape))
            return flat.reshape(shape[::-1]).transpose() if fortran else flat.reshape(shape)
    return StoredRows(path, begin, dtype, shape)


def _header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return shape, order (whether Fortran's) and type that stand in front of an array."""
    form: Any = np.lib.format  # its functions have no types
    readers = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    shape, fortran, dtype = readers[form.read_magic(file)](file)
    return shape, fortran, dtype


RAGGED = (
    "sequences of unlike lengths are saved padded to one length, (samples, longest, channels), with"
    " their own lengths as 'lengths' (samples,)"
)
