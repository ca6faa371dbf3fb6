"""Reads the IDX format of MNIST: a magic number, big-endian sizes, unsigned bytes.

Nothing declared by a file is believed before its length confirms it.
"""

from __future__ import annotations

import hashlib
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.copies import bounded_content

MAX_BYTES = 1 << 26  # the largest genuine file has 47 MB


def read_idx(path: Path, dimensions: int, md5: str | None = None) -> NDArray[np.uint8]:
    """Return the array in an IDX file of unsigned bytes, plain or gzipped (``.gz``).

    Parameters
    ----------
    path
        The file. Its name decides whether it is gzipped.
    dimensions
        How many dimensions the array must have, 1 to 4.
    md5
        Expected checksum of the un-gzipped bytes, or None to accept any.

    Raises
    ------
    FormatError
        If the file is truncated, too long, not IDX, of another rank or type, larger than
        `MAX_BYTES`, not gzip where its name says so, or has another checksum.
    """
    start = 4 + 4 * dimensions
    content = file_content(path)
    got = f"{len(content)} bytes"
    if len(content) < start:
        raise FormatError(str(path), expected=f"an IDX header of {start} bytes", got=got)
    magic, *sizes = np.frombuffer(content, ">u4", 1 + dimensions).tolist()
    if magic != 0x0800 + dimensions:
        expected = f"IDX magic number 0x{0x0800 + dimensions:08x} (unsigned bytes, {dimensions}-D)"
        raise FormatError(str(path), expected=expected, got=f"0x{magic:08x}")
    if len(content) != start + math.prod(sizes):
        expected = f"{start + math.prod(sizes)} bytes for the declared {'x'.join(map(str, sizes))}"
        raise FormatError(str(path), expected=expected, got=got)
    if md5 is not None:
        check_md5(str(path), content, md5)
    return np.frombuffer(content, np.uint8, offset=start).reshape(sizes)


def check_md5(where: str, content: bytes, md5: str) -> None:
    """Raise `FormatError` unless the content has this md5 checksum."""
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        remedy = "the file is damaged or is another data set: remove it and fetch it again"
        raise FormatError(where, expected=f"md5 {md5}", got=found, remedy=remedy)


def gunzip(where: str, packed: bytes) -> bytes:
    """Return the content of a gzip file, refusing one that unpacks to over `MAX_BYTES`."""
    inflater = zlib.decompressobj(wbits=31)
    try:
        content = inflater.decompress(packed, MAX_BYTES + 1)
    except zlib.error as error:
        raise FormatError(where, expected="gzip data", got=str(error)) from None
    if len(content) > MAX_BYTES:
        raise FormatError(where, expected=f"at most {MAX_BYTES} bytes unpacked", got="more")
    if not inflater.eof or inflater.unused_data:
        got = "more after its end" if inflater.eof else "a truncated one"
        raise FormatError(where, expected="one complete gzip stream", got=got)
    return content


def file_content(path: Path) -> bytes:
    """Return the bytes of a file, un-gzipped if its name ends in ``.gz``; at most `MAX_BYTES`."""
    content = bounded_content(path, MAX_BYTES)
    return gunzip(str(path), content) if path.suffix == ".gz" else content
