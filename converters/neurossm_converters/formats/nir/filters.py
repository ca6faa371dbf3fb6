"""Undoes what HDF5 did to a chunk: gzip, lzf, shuffle and checksum, never beyond the chunk's size.

HDF5's own filters trust the data. Sources: HDF5 File Format Specification 3.0, section IV.A.2.l
(filter pipeline), ``H5checksum.c`` for the order of bytes in the checksum; the format of LibLZF.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
from h5py import h5z

from neurossm.errors import FormatError

LZF = 32000  # h5py's own
KNOWN = {
    h5z.FILTER_DEFLATE: "gzip",
    h5z.FILTER_SHUFFLE: "shuffle",
    h5z.FILTER_FLETCHER32: "fletcher32",
    LZF: "lzf",
}
CHECKSUM_BYTES = 4
LONG_MATCH = 7  # the length goes on in another byte


def check_filters(filters: Sequence[int], where: str) -> None:
    """Refuse a pipeline with a filter that is not `KNOWN`, or with one twice."""
    if set(filters) - set(KNOWN) or len(set(filters)) < len(filters):
        raise FormatError(
            where,
            expected=f"{', '.join(KNOWN.values())} or no compression",
            got=f"filters {list(filters)}",
            remedy="write the file anew with nir.write, which packs with gzip",
        )


def unpacked(data: bytes, filters: Sequence[int], mask: int, room: int, item: int) -> bytes:
    """Return the bytes of a chunk; fewer or more than `room` where they are not sound.

    Parameters
    ----------
    data
        What the file holds.
    filters
        What was done to it, in that order.
    mask
        A bit for each filter that was left out.
    room
        Size of the chunk.
    item
        Size of an element.
    """
    for place in range(len(filters) - 1, -1, -1):
        if mask & 2**place:
            continue
        kind = filters[place]
        if kind == h5z.FILTER_DEFLATE:
            data = _inflated(data, room + CHECKSUM_BYTES)
        elif kind == LZF:
            data = _unlzf(data, room + CHECKSUM_BYTES)
        elif kind == h5z.FILTER_SHUFFLE:
            whole = len(data) // item * item
            parts = np.frombuffer(data[:whole], np.uint8).reshape(item, -1)
            data = parts.T.tobytes() + data[whole:]
        else:
            data = _checked(data)
    return data


def _inflated(packed: bytes, room: int) -> bytes:
    unpacker = zlib.decompressobj()
    # one byte more than there is room for, so that the end of the stream is met, or is not
    try:
        data = unpacker.decompress(packed, room + 1)
    except zlib.error:
        return b""
    return data if unpacker.eof else b""


def _unlzf(packed: bytes, room: int) -> bytes:
    out, place, end = bytearray(), 0, len(packed)
    try:
        while place < end and len(out) <= room:
            control = packed[place]
            place += 1
            if control < 2**5:  # so many bytes as they are, and one more
                out += packed[place : place + control + 1]
                place += control + 1
                continue
            length, far = divmod(control, 2**5)
            if length == LONG_MATCH:
                length += packed[place]
                place += 1
            start = len(out) - 2**8 * far - packed[place] - 1
            place += 1
            if start < 0:
                return b""
            for source in range(start, start + length + 2):  # may reach into what it writes
                out.append(out[source])
    except IndexError:
        return b""
    return bytes(out)


def _checked(data: bytes) -> bytes:
    """Return the bytes in front of a Fletcher checksum, none where it is another."""
    body, stored = data[:-CHECKSUM_BYTES], int.from_bytes(data[-CHECKSUM_BYTES:], "little")
    words = np.frombuffer(body + bytes(len(body) % 2), ">u2").astype(np.uint64)
    low = high = 0
    for start in range(0, len(words), 2**15):  # sums that fit into 64 bits
        block = words[start : start + 2**15]
        falling = np.arange(len(block), 0, -1, dtype=np.uint64)
        high = (high + low * len(block) + int((block * falling).sum())) % 0xFFFF
        low = (low + int(block.sum())) % 0xFFFF
    same = stored % 2**16 % 0xFFFF == low and stored // 2**16 % 0xFFFF == high
    return body if same else b""
