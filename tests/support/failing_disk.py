"""A disk that fails at the n-th operation of a process: full from then on, or seen as at a kill.

Every file is written by `neurossm.files`, through `os`. Its `os` is replaced here by one that
counts the operations that can fail: opening to write, writing, bringing to the disk, renaming.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from neurossm import files

WRITING = os.O_WRONLY | os.O_RDWR


class Disk:
    """Stands in for `os`.

    Parameters
    ----------
    full_from
        The operation, counted from 0, from which on there is no room; a write to the disk first
        writes half. None: never.
    watch
        Called before every operation, and when half of a write was done, as a kill may come there.
    """

    def __init__(self, full_from: int | None = None, watch: Callable[[], None] | None = None):
        self.full_from, self.watch, self.count = full_from, watch, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _is_full(self) -> bool:
        if self.watch:
            self.watch()
        self.count += 1
        return self.full_from is not None and self.count > self.full_from

    def _fail(self) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def open(self, path: Any, flags: int, mode: int = 0o777) -> int:
        if flags & WRITING and self._is_full():
            self._fail()
        return os.open(path, flags, mode)

    def write(self, descriptor: int, content: Any) -> int:
        full, half = self._is_full(), len(content) // 2
        if not (full or self.watch):
            return os.write(descriptor, content)
        written = os.write(descriptor, content[:half])
        assert written == half
        if full:
            self._fail()
        self.watch()
        return half + os.write(descriptor, content[half:])

    def fsync(self, descriptor: int) -> None:
        if self._is_full():
            self._fail()
        os.fsync(descriptor)

    def replace(self, source: Any, target: Any) -> None:
        if self._is_full():
            self._fail()
        os.replace(source, target)


@contextmanager
def disk(full_from: int | None = None, watch: Callable[[], None] | None = None) -> Iterator[Disk]:
    """Put a failing disk under everything that neurossm writes."""
    failing = Disk(full_from, watch)
    files.os = failing  # type: ignore[assignment]
    try:
        yield failing
    finally:
        files.os = os


class Snapshots:
    """Copies of a folder as it is when a process is killed at each of its operations.

    A killed process leaves what it has written: the files as they are at that moment.
    """

    def __init__(self, folder: Path, into: Path):
        self.folder, self.into, self.taken = folder, into, []  # type: ignore[var-annotated]

    def take(self) -> None:
        """Copy the folder as it is now, unless it is as it was the last time."""
        now = tree(self.folder)
        if self.taken and tree(self.taken[-1]) == now:
            return
        copy = self.into / str(len(self.taken))
        copy.mkdir(parents=True)
        if self.folder.exists():
            shutil.copytree(self.folder, copy, dirs_exist_ok=True)
        self.taken.append(copy)


def tree(folder: Path) -> dict[str, bytes]:
    """Return names and contents of all files below a folder."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


class Opened:
    """What this process opens to write below a folder, and how: an audit hook, on while it is used.

    Proves that nothing is written past the failing disk.
    """

    def __init__(self) -> None:
        self.folder: str | None = None
        self.past: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.folder is None or event != "open":
            return
        path, mode, flags = arguments
        if isinstance(path, str | bytes) and os.fsdecode(path).startswith(self.folder):
            by_python = isinstance(mode, str) and set(mode) & set("wax+")
            if by_python or (mode is not None and flags & WRITING):
                self.past.append(os.fsdecode(path))

    @contextmanager
    def below(self, folder: Path) -> Iterator[list[str]]:
        """Give the list of files that Python's own `open` opens to write meanwhile."""
        self.folder, self.past = str(folder), []
        try:
            yield self.past
        finally:
            self.folder = None
