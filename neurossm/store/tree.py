"""What a file says, as plain values: the tree, its hash and its bounds. No HDF5 in here.

In HDF5 a scalar or string is an attribute, an array a dataset, a nested tree a group.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Mapping
from typing import Union

import numpy as np
from numpy.typing import NDArray

Scalar = int | float | str
Tree = Mapping[str, Union[Scalar, NDArray[np.generic], "Tree"]]
Value = Scalar | NDArray[np.generic] | Tree

# Bounds of a file, FORMAT.md "Limits". Declared sizes are held against them before any is read.
MAX_ARRAY_BYTES = 2**28  # at 8 bytes an element, as arrays are held in memory
MAX_TOTAL_BYTES = 2**30
MAX_CHUNK_BYTES = 2**18  # deflate expands at most 1032 times, so a chunk to at most 2**28 or so
MAX_CHUNKS = 2**12
MAX_RANK = 4
MAX_DEPTH = 8
MAX_OBJECTS = 500_000
MAX_ENTRIES = 100_000  # members or attributes of one group
MAX_NAME_BYTES = 1024
MAX_STRING_BYTES = 60_000  # HDF5 keeps an attribute of up to 64 KiB in its object's header
MAX_NODES = 10_000
MAX_EDGES = 100_000
MAX_GOLDEN = 64

INTEGER_TYPES = ("<i1", "<i2", "<i4", "<i8")
FLOAT_TYPE = "<f8"


def smallest_type(values: NDArray[np.integer]) -> str:
    """Return the smallest signed integer type that holds all of `values`."""
    low, high = (int(values.min()), int(values.max())) if values.size else (0, 0)
    for name in INTEGER_TYPES:
        limits = np.iinfo(name)
        if limits.min <= low and high <= limits.max:
            return name
    raise OverflowError(f"{high} does not fit 64 signed bits")


def smallest_integers(values: NDArray[np.integer]) -> NDArray[np.signedinteger]:
    """Return the same integers in the smallest signed type that holds them all."""
    return values.astype(smallest_type(values))


def digest(value: Value) -> bytes:
    """Return the SHA-256 of a value, as FORMAT.md "The hash" defines it; 32 bytes.

    A group's hash is that of its names and its entries' hashes, so each part of a file has a hash
    of its own and the order in which HDF5 lists names has no influence.
    """
    if isinstance(value, str):
        return _sha256(b"string\n", value.encode())
    if isinstance(value, int):
        return _sha256(b"int\n", str(value).encode())
    if isinstance(value, float):
        return _sha256(b"float\n", struct.pack("<d", value))
    if isinstance(value, np.ndarray):
        shape = ",".join(str(size) for size in value.shape)
        head = f"array\n{value.dtype.str[1:]}\n{shape}\n".encode()
        little = value.astype(value.dtype.newbyteorder("<"), copy=False)
        return _sha256(head, np.ascontiguousarray(little).data)
    hasher = hashlib.sha256(b"group\n")
    for name, entry in sorted((name.encode(), entry) for name, entry in value.items()):
        hasher.update(struct.pack("<I", len(name)) + name + digest(entry))
    return hasher.digest()


def size_in_memory(shape: tuple[int, ...]) -> int:
    """Return the bytes of an array of this shape at 8 bytes an element."""
    return 8 * math.prod(shape)


def shown(value: object, limit: int = 80) -> str:
    """Return a foreign value for a message: quoted, ASCII, in one line, no longer than `limit`."""
    text = ascii(value)
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


def plain(text: str, limit: int = 80) -> str:
    """Return foreign text for a message as `shown` does, without quotes."""
    quoted = ascii(text)[1:-1]
    return quoted if len(quoted) <= limit else f"{quoted[: limit - 3]}..."


def _sha256(*parts: bytes | memoryview) -> bytes:
    hasher = hashlib.sha256()
    for part in parts:
        hasher.update(part)
    return hasher.digest()
