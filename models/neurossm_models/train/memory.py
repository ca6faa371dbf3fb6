"""Keeps freed memory in the process for the next training step."""

from __future__ import annotations

import ctypes
import platform
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # of mallopt(3)
_LARGEST = 2**31 - 1
_LARGE = 2**20  # bytes of a block that is returned by itself while nothing is kept

_keeping = False


def keep_freed_memory() -> None:
    """Tell glibc to keep large freed blocks instead of returning them to the system.

    Otherwise every step asks for the same pages again, and the kernel clears each of them: a tenth
    of the time of a step. It takes up to twice the memory, as blocks of several sizes lie in each
    other's way (`benchmarks/training_memory.py`). Does nothing where the C library is not glibc.
    """
    global _keeping
    _keeping = _set_limits(_LARGEST)


def return_freed_memory() -> None:
    """Tell glibc to return each large block to the system as soon as it is freed."""
    global _keeping
    _keeping = False
    _set_limits(_LARGE)


@contextmanager
def returning_freed_memory() -> Iterator[None]:
    """Return freed blocks while the block runs, and what was kept before and after it.

    For evaluation between epochs, whose blocks have other sizes: kept, theirs and those of training
    would add up, and lie in each other's way.
    """
    if not _keeping:
        yield
        return
    _set_limits(_LARGE)
    try:
        yield
    finally:
        _set_limits(_LARGEST)


def _set_limits(largest: int) -> bool:
    """Have glibc keep blocks below a size, and return what it keeps; say whether it is there."""
    if platform.libc_ver()[0] != "glibc":
        return False
    libc = ctypes.CDLL(None)
    libc.malloc_trim(0)
    libc.mallopt(_MMAP_THRESHOLD, largest)
    libc.mallopt(_TRIM_THRESHOLD, largest)
    return True
