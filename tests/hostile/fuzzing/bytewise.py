"""Damage that knows nothing of formats: bits, bytes, numbers, pieces cut out or moved."""

from __future__ import annotations

import struct
from random import Random

Seeds = tuple[bytes, ...]
INTERESTING = (0, 1, 2**7 - 1, 2**7, 2**8 - 1, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1,
               2**40, 2**62, 2**63 - 1, 2**63, 2**64 - 1)  # fmt: skip


def damaged(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Return a content after one to eight kinds of damage."""
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        content = rng.choice(KINDS)(rng, content, seeds)
    return content


def flip_bits(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Turn single bits over."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 5, 20)) if data else 0):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def set_bytes(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Put other bytes in some places."""
    data = bytearray(content)
    for _ in range(rng.choice((1, 2, 4, 16)) if data else 0):
        data[rng.randrange(len(data))] = rng.choice((0, 255, 0x7F, 0x80, rng.randrange(256)))
    return bytes(data)


def set_number(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Put an integer of 1 to 8 bytes, at an end of its range, in some place."""
    data, size = bytearray(content), rng.choice((1, 2, 4, 8))
    if len(data) < size:
        return content
    value = (rng.choice(INTERESTING) + rng.choice((-1, 0, 0, 1))) % 2 ** (8 * size)
    place = rng.randrange(len(data) - size + 1)
    if rng.random() < 0.5:
        place -= place % size
    data[place : place + size] = struct.pack("<Q", value)[:size][:: rng.choice((1, -1))]
    return bytes(data)


def cut(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Keep the beginning only."""
    return content[: rng.randrange(len(content) + 1)]


def leave_out(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Take a piece out."""
    start, size = _piece(rng, content)
    return content[:start] + content[start + size :]


def repeat(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Insert a piece again, once or often."""
    start, size = _piece(rng, content)
    times = rng.choice((1, 2, 50)) if size < 2**10 else 1
    return content[:start] + content[start : start + size] * times + content[start:]


def overwrite(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Write a piece of this file or another seed over some place."""
    source = rng.choice((content, *seeds))
    start, size = _piece(rng, source)
    place = rng.randrange(len(content) + 1)
    return content[:place] + source[start : start + size] + content[place + size :]


def splice(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Join the beginning of this file and the end of another seed."""
    other = rng.choice(seeds)
    return content[: rng.randrange(len(content) + 1)] + other[rng.randrange(len(other) + 1) :]


def append(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Add bytes behind the end."""
    return content + rng.choice((b"\0" * 64, b"\xff" * 64, rng.randbytes(64), content[:4096]))


def _piece(rng: Random, content: bytes) -> tuple[int, int]:
    start = rng.randrange(len(content) + 1)
    return start, min(len(content) - start, rng.choice((1, 4, 16, 64, 512, 4096)))


KINDS = (flip_bits, flip_bits, set_bytes, set_bytes, set_number, set_number, cut, leave_out,
         repeat, overwrite, splice, append)  # fmt: skip
