"""Files written atomically: what is written appears under its name when it is complete.

A full disk or a kill at any instruction leaves either the old file or the new one. Everything goes
through `os`, call by call, so that tests can let each of them fail.
"""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from neurossm.errors import InputError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
OTHER_NAME = "give another name"
WRITABLE = "a file that can be written"


@contextmanager
def replacing(
    path: str | Path, option: str = "", *, unfinished: str = "", remedy: str = OTHER_NAME
) -> Iterator[Path]:
    """Give the name of a new file beside `path`; at the end of the block it takes its place.

    It is complete on the disk before: some file systems find only then that exists no room.

    Parameters
    ----------
    path
        The file. Of a link, what it leads to is replaced.
    option
        What named the file on the command line, for the message.
    unfinished
        Name until it is complete; by default one that no other process has. Where only one
        process writes, a name of its own keeps those of killed ones from adding up.
    remedy
        What to do if it cannot be written; on a full disk, after freeing space.

    Raises
    ------
    InputError
        If the file cannot be written, or the block raised an `OSError`. Nothing is left behind
        then, and an older file is whole.
    """
    file = regular(path, option)
    part = file.with_name(unfinished or f".{file.name}.{secrets.token_hex(4)}.tmp")
    flags = os.O_TRUNC if unfinished else os.O_EXCL
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | flags, 0o666))
        try:
            yield part
            _sync(part)
            os.replace(part, file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        # the new name is on the disk, too; not every file system can be asked for it
        with contextlib.suppress(OSError):
            _sync(file.parent)
    except OSError as error:
        raise unwritable(path, option, error, remedy) from None


def replace_file(
    path: str | Path,
    content: bytes,
    option: str = "",
    *,
    unfinished: str = "",
    remedy: str = OTHER_NAME,
) -> None:
    """Write a file, or replace an existing one when the new one is complete; as `replacing`."""
    with replacing(path, option, unfinished=unfinished, remedy=remedy) as part:
        rewrite(part, content)


def rewrite(part: Path, content: bytes) -> None:
    """Write an unfinished file, in place of what it holds; for use inside of `replacing`."""
    descriptor = os.open(part, os.O_WRONLY | os.O_TRUNC)
    try:
        _write(descriptor, content)
    finally:
        os.close(descriptor)


def append(path: str | Path, content: bytes, option: str = "", *, remedy: str = OTHER_NAME) -> None:
    """Add to the end of a file; where that fails, take back what was added of it.

    On the disk when this returns. A kill can leave a part of the content: who reads such a file
    must expect that.

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        try:
            about = os.fstat(descriptor)
            try:
                _write(descriptor, content)
                if stat.S_ISREG(about.st_mode):
                    os.fsync(descriptor)
            except OSError:
                with contextlib.suppress(OSError):
                    os.ftruncate(descriptor, about.st_size)
                raise
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unwritable(path, option, error, remedy) from None


def regular(path: str | Path, option: str = "") -> Path:
    """Return what a path leads to; `InputError` if that is there and no regular file.

    A device or a pipe must never be replaced by a file.
    """
    try:
        file = Path(path).resolve()
        if not file.exists() or file.is_file():
            return file
        got = os.strerror(errno.EISDIR) if file.is_dir() else "a device or a pipe"
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a NUL in the name
        raise unwritable(path, option, error) from None
    raise unwritable(path, option, got)


def unwritable(
    path: str | Path, option: str, reason: str | Exception, remedy: str = OTHER_NAME
) -> InputError:
    """Return the error for a file that cannot be written, with the cause.

    Another name is the remedy unless the disk is full; any other `remedy` comes after the cause is
    gone.
    """
    got = reason if isinstance(reason, str) else _cause(reason)
    first = ""
    if isinstance(reason, OSError) and reason.errno in FULL:
        first = f"free space in {Path(path).parent}"
    elif remedy != OTHER_NAME:
        first = "see to it that it can be written"
    if first:
        remedy = first if remedy == OTHER_NAME else f"{first}, then {remedy}"
    return InputError(
        f"{option} {path}" if option else str(path),
        expected=WRITABLE, got=got, remedy=remedy,
    )  # fmt: skip


def _cause(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return "a link to itself" if isinstance(error, RuntimeError) else "an impossible name"


def _write(descriptor: int, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
