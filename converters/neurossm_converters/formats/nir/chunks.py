"""Reads one array of a foreign HDF5 file within bounds: finds its bytes, unpacks its chunks.

HDF5's own reading trusts the data: a chunk of a megabyte may inflate to a gigabyte.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
from h5py import h5d
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_converters.formats.nir.filters import LZF, check_filters, unpacked

MAX_ARRAY_BYTES = 2**28  # at 8 bytes an element, as arrays are held in memory
MAX_TOTAL_BYTES = 2**30
MAX_SLOW_BYTES = 2**26  # of what is unpacked byte by byte
MAX_CHUNK_BYTES = 2**24
MAX_CHUNKS = 2**15
MAX_RANK = 8

Packed = NDArray[Any]
Raw = Callable[[int, int], bytes]  # start and size to the bytes of the file


@dataclass
class Budget:
    """Bytes that the contents of one file have taken so far."""

    used: int = 0
    slow: int = 0

    def take(self, size: int, where: str) -> None:
        """Take bytes; raise `FormatError` where there are none left."""
        self.used += size
        if size > MAX_ARRAY_BYTES or self.used > MAX_TOTAL_BYTES:
            raise FormatError(
                where,
                expected=f"at most {MAX_ARRAY_BYTES} bytes an array, {MAX_TOTAL_BYTES} in all",
                got=f"{size}, {self.used} in all",
            )

    def take_slow(self, size: int, where: str) -> None:
        """Take bytes that are unpacked one by one; `FormatError` where there are none left."""
        self.slow += size
        if self.slow > MAX_SLOW_BYTES:
            raise FormatError(
                where,
                expected=f"at most {MAX_SLOW_BYTES} bytes packed by lzf",
                got=f"{self.slow}",
                remedy="write the file anew with nir.write, which packs with gzip",
            )


def read_numbers(
    dataset: h5py.Dataset, budget: Budget, where: str, raw: Raw
) -> NDArray[np.generic]:
    """Return an array of numbers; see `read_packed`."""
    kind = dataset.dtype
    stored = np.dtype("i1") if kind.kind == "b" else kind
    fits = (stored.kind in "fiu" and stored.itemsize <= 8) or stored.kind == "c"
    if not fits or dataset.id.get_type().get_size() != stored.itemsize:
        raise FormatError(where, expected="an array of numbers", got=str(kind))
    return read_packed(dataset, stored, budget, where, raw)


def read_packed(
    dataset: h5py.Dataset, kind: np.dtype[Any], budget: Budget, where: str, raw: Raw
) -> Packed:
    """Return the elements of a dataset as they lie in the file.

    Parameters
    ----------
    dataset
        What HDF5 says of the place and form of the data; none are read through it.
    kind
        Type of an element in the file.
    budget
        Bytes that may still be taken.
    where
        How messages call it.
    raw
        Reads bytes of the file.

    Raises
    ------
    FormatError
        If it is too large, lies outside the file, or is packed by a filter that is not known.
    """
    if dataset.shape is None:
        raise FormatError(where, expected="an array", got="none")
    shape = tuple(int(size) for size in dataset.shape)
    if len(shape) > MAX_RANK:
        raise FormatError(where, expected=f"at most {MAX_RANK} axes", got=str(len(shape)))
    budget.take(math.prod(shape) * max(8, kind.itemsize), where)
    plan = dataset.id.get_create_plist()
    layout, size = plan.get_layout(), math.prod(shape) * kind.itemsize
    if plan.get_external_count() or layout not in (h5d.CONTIGUOUS, h5d.CHUNKED):
        raise FormatError(where, expected="data in this file, as nir writes them", got="others")
    filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
    check_filters(filters, where)
    if layout == h5d.CHUNKED:
        if LZF in filters:
            budget.take_slow(size, where)
        return _from_chunks(dataset, shape, kind, filters, where, raw)
    if not size:
        return np.zeros(shape, kind)
    start, stored = dataset.id.get_offset(), dataset.id.get_storage_size()
    if start is None or stored != size:
        raise FormatError(where, expected=f"{size} bytes of data", got=f"{stored}")
    return np.frombuffer(raw(start, size), kind).reshape(shape)


def _from_chunks(
    dataset: h5py.Dataset, shape: tuple[int, ...], kind: np.dtype[Any], filters: list[int],
    where: str, raw: Raw,
) -> Packed:  # fmt: skip
    chunk = dataset.chunks
    room = math.prod(chunk) * kind.itemsize
    count = math.prod(-(-size // part) for size, part in zip(shape, chunk, strict=True))
    if room > MAX_CHUNK_BYTES or count > MAX_CHUNKS:
        got = f"{count} chunks of {room} bytes"
        raise FormatError(where, expected="fewer or smaller chunks", got=got)
    if dataset.id.get_num_chunks() != count:
        got = str(dataset.id.get_num_chunks())
        raise FormatError(where, expected=f"{count} chunks of data", got=got)
    array = np.zeros(shape, kind)
    for index in range(count):
        info = dataset.id.get_chunk_info(index)
        if info.size > room + 1024 or info.byte_offset is None:
            # what does not deflate gets a little longer
            raise FormatError(where, expected=f"chunks of {room} bytes", got=str(info.size))
        packed = raw(info.byte_offset, info.size)
        data = unpacked(packed, filters, info.filter_mask, room, kind.itemsize)
        if len(data) != room:
            raise FormatError(where, expected=f"{room} bytes in a chunk", got="another number")
        block = np.frombuffer(data, kind).reshape(chunk)
        place = tuple(
            slice(start, min(start + part, size))
            for start, part, size in zip(info.chunk_offset, chunk, shape, strict=True)
        )
        array[place] = block[tuple(slice(0, max(0, p.stop - p.start)) for p in place)]
    return array
