"""Reads the texts of a foreign HDF5 file without HDF5's own reader of them.

Texts of free length lie in global heaps (HDF5 File Format Specification 3.0, III.E), and the
library loops for ever on a heap that is damaged. A heap is walked here instead, each step forward.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from types import TracebackType

import h5py
import numpy as np

from neurossm.errors import FormatError
from neurossm_converters.formats.nir.chunks import Budget, read_packed

HEADER_BYTES = 16  # of a heap, and of each object in it
REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("index", "<u4")])
SIGNATURE = b"\x89HDF\r\n\x1a\n"


class Texts:
    """The texts of one file; a context manager, as it holds the file open.

    Parameters
    ----------
    path
        The file.
    budget
        Bytes that may still be taken.
    """

    def __init__(self, path: Path, budget: Budget) -> None:
        self._path, self._budget = path, budget
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        self._walked = 0

    def __enter__(self) -> Texts:
        self._file = os.open(self._path, os.O_RDONLY)
        self._length = os.fstat(self._file).st_size
        if os.pread(self._file, 8, 0) != SIGNATURE:  # addresses count from there
            raise self._error(str(self._path), "an HDF5 file from its first byte", "another")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._file)

    def read(self, dataset: h5py.Dataset, longest: int, where: str) -> list[str]:
        """Return the texts of a dataset, flat.

        Raises
        ------
        FormatError
            If it holds no texts, or one that is damaged or longer than `longest` bytes.
        """
        text = h5py.check_string_dtype(dataset.dtype)
        if text is None or dataset.shape is None:
            raise self._error(where, "text", str(dataset.dtype))
        if text.length is not None:
            fixed = np.dtype(f"S{min(text.length, longest + 1)}")
            if text.length > longest:
                raise self._error(where, f"text of at most {longest} bytes", str(text.length))
            values = read_packed(dataset, fixed, self._budget, where, self.bytes_at)
            return [self._decoded(bytes(value), where) for value in values.ravel()]
        references = read_packed(dataset, REFERENCE, self._budget, where, self.bytes_at).ravel()
        return [
            self._text(int(length), int(heap), int(index), longest, where)
            for length, heap, index in references.tolist()
        ]

    def _text(self, length: int, heap: int, index: int, longest: int, where: str) -> str:
        if length > longest:
            raise self._error(where, f"text of at most {longest} bytes", str(length))
        if length == 0:
            return ""
        self._budget.take(length, where)
        if heap not in self._heaps:
            self._heaps[heap] = self._walk(heap, where)
        start, size = self._heaps[heap].get(index, (0, 0))
        if size < length:
            raise self._error(where, f"text of {length} bytes", "a damaged heap")
        return self._decoded(self.bytes_at(start, length), where)

    def _walk(self, address: int, where: str) -> dict[int, tuple[int, int]]:
        """Return where the objects of a heap are: index to start and length."""
        head = self.bytes_at(address, HEADER_BYTES)
        size = int.from_bytes(head[8:], "little")
        self._walked += size  # heaps do not overlap, so all of them are no longer than the file
        whole = head[:5] == b"GCOL\x01" and HEADER_BYTES <= size <= self._length - address
        if not whole or self._walked > self._length:
            raise self._error(where, "a heap of texts", "a damaged one")
        data, found, place = self.bytes_at(address, size), {}, HEADER_BYTES
        while place + HEADER_BYTES <= size:
            index = int.from_bytes(data[place : place + 2], "little")
            length = int.from_bytes(data[place + 8 : place + HEADER_BYTES], "little")
            if index == 0:  # the free rest
                break
            place += HEADER_BYTES
            if length > size - place:
                raise self._error(where, "a heap of texts", "a damaged one")
            found[index] = (address + place, length)
            place += 8 * math.ceil(length / 8)
        return found

    def bytes_at(self, start: int, size: int) -> bytes:
        """Return bytes of the file."""
        if not 0 <= start <= self._length - size:
            raise self._error(f"{self._path}", "data within the file", "an address beyond it")
        return os.pread(self._file, size, start)

    def _decoded(self, data: bytes, where: str) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self._error(where, "text in UTF-8", "other bytes") from None

    def _error(self, where: str, expected: str, got: str) -> FormatError:
        return FormatError(where, expected=expected, got=got)
