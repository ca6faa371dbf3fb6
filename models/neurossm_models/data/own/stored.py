"""Contiguous values of a file, read on demand.

Read, not mapped: pages of a memory map stay in the process, and a file that was cut short ends it.
"""

from __future__ import annotations

import io
import itertools
import math
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.copies import unreadable
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
        try:
            with self._path.open("rb", buffering=0) as file:
                for first, last in runs(positions[order]):
                    self._read(file, flat[first:last], int(positions[order[first]]))
        except OSError as error:
            raise unreadable(self._path, error) from None
        if not in_order:
            found[order] = into
        return found

    def _read(self, file: FileIO, into: NDArray[np.uint8], first: int) -> None:
        start, view, done = self._offset + first * self._bytes, memoryview(into.data).cast("B"), 0
        file.seek(start)
        while done < len(view):
            count = file.readinto(view[done:])
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


@dataclass(frozen=True)
class Head:
    """What stands in front of an array of the NumPy format, and where its values begin."""

    shape: tuple[int, ...]
    fortran: bool
    dtype: np.dtype[Any]
    begin: int

    @property
    def size(self) -> int:
        """Bytes of the values."""
        return math.prod(self.shape) * self.dtype.itemsize

    def shaped(self, flat: NDArray[Any]) -> NDArray[Any]:
        """Return values that lie one behind the other as the array."""
        if self.fortran:
            return flat.reshape(self.shape[::-1]).transpose()
        return flat.reshape(self.shape)


def head_of(file: BinaryIO, size: int, where: str) -> Head:
    """Return what an array says that begins where a file stands and has so many bytes.

    Raises
    ------
    FormatError
        If it is no such array, holds objects, or has not the bytes that it says.
    """
    start, form = file.tell(), np.lib.format
    try:
        read: Any = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
        shape, fortran, dtype = read[form.read_magic(file)](file)  # type: ignore[no-untyped-call]
    except Exception as error:  # the header is a Python literal: anything may be wrong with it
        got = str(error) or type(error).__name__
        raise FormatError(where, expected="an array as NumPy saves it", got=got) from None
    if dtype.hasobject:
        raise FormatError(where, expected="plain arrays of numbers or texts", got="objects",
                          remedy=RAGGED)  # fmt: skip
    head = Head(shape, fortran, dtype, file.tell())
    there = size - (head.begin - start)
    if head.size != there:
        expected = f"{head.size} bytes for {dtype} of shape {shape}"
        raise FormatError(where, expected=expected, got=f"{there} bytes")
    return head


def unpacked_array(content: bytes, where: str) -> NDArray[Any]:
    """Return the array of the NumPy format that bytes are; `FormatError` as of `head_of`."""
    head = head_of(io.BytesIO(content), len(content), where)
    if not head.size:
        return np.empty(head.shape, head.dtype)
    return head.shaped(np.frombuffer(content, head.dtype, offset=head.begin))


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
        As of `head_of`.
    """
    with path.open("rb") as file:
        file.seek(offset)
        head = head_of(file, size, where)
        values = len(head.shape) in (2, 3) and not head.fortran and head.dtype.kind in "biuf"
        if lazy and values and head.size > IN_MEMORY:
            return StoredRows(path, head.begin, head.dtype, head.shape)
        if not head.size:
            return np.empty(head.shape, head.dtype)
        return head.shaped(np.fromfile(file, head.dtype, math.prod(head.shape)))


RAGGED = (
    "sequences of unlike lengths are saved padded to one length, (samples, longest, channels), with"
    " their own lengths as 'lengths' (samples,)"
)
