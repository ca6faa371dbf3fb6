"""Text files written atomically: reports, drawings, tables."""

from __future__ import annotations

import os
from pathlib import Path

from neurossm.errors import InputError
from neurossm.files import replace_file, unwritable


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
    file = Path(path)
    try:
        if file.exists() and not file.is_file() and not file.is_dir():
            file.write_text(text, encoding="utf-8")
            return
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unwritable(path, option, error) from None
    replace_file(path, text.encode(), option)


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
            raise unwritable(path, option, "a folder")
        if not file.parent.is_dir():
            raise unwritable(path, option, f"no folder {path.parent}")
        if not os.access(file if file.exists() else file.parent, os.W_OK):
            raise unwritable(path, option, "no permission to write there")
    except InputError:
        raise
    except (OSError, RuntimeError, ValueError) as error:  # a link to itself, a NUL in the name
        raise unwritable(path, option, error) from None
