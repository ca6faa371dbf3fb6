"""Text of variable length in HDF5, read without the HDF5 library.

lava-dl writes the types of neurons so. On a damaged file the library can search for such a text for
ever, and cannot be interrupted (measured on a netx file with a few bytes changed). So its one small
structure, the global heap collection, is walked here, to an end.

Source: HDF5 File Format Specification, version 3.0, section III.E, "Disk Format: Level 1E - Global
Heap", and section VIII.B, "Variable-length datatype".
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

LINK = struct.Struct("<IQI")  # length, address of the collection, index of the object in it
HEAP_HEAD = struct.Struct("<4sB3xQ")  # signature, version, size with this head
OBJECT_HEAD = struct.Struct("<HHIQ")  # index, references, reserved, size
MAX_HEAP_BYTES = 2**20


class DamagedText(Exception):
    """There is no text where there should be one."""


def linked_text(path: Path, offset: int, limit: int) -> bytes:
    """Return the text that the 16 bytes at `offset` of a file point to.

    Parameters
    ----------
    path
        A file with addresses of 8 bytes that count from its start.
    offset
        Where the data of the dataset are.
    limit
        Longest text, in bytes.

    Raises
    ------
    DamagedText
        If there is none, or it is longer.
    """
    with open(path, "rb") as file:
        file.seek(offset)
        length, address, index = _unpack(LINK, file.read(LINK.size))
        if length > limit:
            raise DamagedText(f"a text of {length} bytes")
        if not length:
            return b""
        if address > path.stat().st_size:
            raise DamagedText("a text beyond the file")
        file.seek(address)
        signature, version, size = _unpack(HEAP_HEAD, file.read(HEAP_HEAD.size))
        if signature != b"GCOL" or version != 1 or not HEAP_HEAD.size < size <= MAX_HEAP_BYTES:
            raise DamagedText("no heap of texts")
        heap = file.read(size - HEAP_HEAD.size)
    return _object(heap, index)[:length]


def _object(heap: bytes, wanted: int) -> bytes:
    place = 0
    while place + OBJECT_HEAD.size <= len(heap):
        index, _, _, size = _unpack(OBJECT_HEAD, heap[place : place + OBJECT_HEAD.size])
        place += OBJECT_HEAD.size
        if not index:  # free space, the last object
            break
        if index == wanted:
            if place + size > len(heap):
                break
            return heap[place : place + size]
        place += size + -size % 8
    raise DamagedText("a heap without it")


def _unpack(layout: struct.Struct, data: bytes) -> tuple[Any, ...]:
    if len(data) != layout.size:
        raise DamagedText("a cut file")
    return layout.unpack(data)
