"""Text files that are whole or not there: reports, drawings, tables."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from neurossm.errors import InputError


def write_text(path: str | Path, text: str, option: str = "") -> None:
    """Write a text file in UTF-8; an existing one is replaced only when the new one is complete.

    Parameters
    ----------
    path
        The file. What is no regular file (a pipe, ``/dev/stdout``) is written to as it is.
    text
        All of it.
    option
        What named the file on the command line, for the message.

    Raises
    ------
    InputError
        If the file cannot be written.
    """
    try:
        file = Path(path).resolve()  # a link stays one: what it leads to is replaced
        if file.exists() and not file.is_file():
            file.write_text(text, encoding="utf-8")
            return
        unfinished = file.with_name(f".{file.name}.{secrets.token_hex(4)}.tmp")
        try:
            unfinished.write_text(text, encoding="utf-8")
            os.replace(unfinished, file)
        finally:
            unfinished.unlink(missing_ok=True)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name, or no name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise _unwritable(path, option, reason) from None


def check_output(option: str, path: Path | None, *read: Path | None) -> None:
    """Refuse, before any work is done, a file that could not be written or that is read too.

    Raises
    ------
    InputError
        If it is one of the files that the command reads (or writes to already), a folder, or lies
        in no folder that can be written to.
    """
    if path is None:
        return
    try:
        file = path.resolve()
        for other in read:
            if other is not None and file == other.resolve():
                raise InputError(
                    f"{option} {path}", expected="a file of its own",
                    got=f"the same file as {other}", remedy="give it another name",
                )  # fmt: skip
        if file.is_dir():
            raise _unwritable(path, option, "a folder")
        if not file.parent.is_dir():
            raise _unwritable(path, option, f"no folder {path.parent}")
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise _unwritable(path, option, "no permission to write there")
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a NUL in the name
        raise _unwritable(path, option, str(error)) from None


def _unwritable(path: str | Path, option: str, got: str) -> InputError:
    where = f"{option} {path}" if option else str(path)
    return InputError(where, expected="a file that can be written", got=got,
                      remedy="give another name")  # fmt: skip
