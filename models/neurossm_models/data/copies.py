"""Files of a data set that a user supplies, read without trust."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from neurossm.errors import FormatError


def lines(path: Path, longest: int) -> Iterator[tuple[int, str]]:
    r"""Yield number and text of each line of a UTF-8 file, without its ``\n`` or ``\r\n``.

    Raises
    ------
    FormatError
        If the file cannot be read, a line is longer than `longest` bytes, or is not UTF-8.
    """
    number = 0
    try:
        with path.open("rb") as file:
            while content := file.readline(longest + 2):
                number += 1
                content = content.removesuffix(b"\n").removesuffix(b"\r")
                if len(content) > longest:
                    got = "a longer one"
                    expected = f"lines of at most {longest} bytes"
                    raise FormatError(f"{path} line {number}", expected=expected, got=got)
                yield number, content.decode("utf-8")
    except UnicodeDecodeError as error:
        where = f"{path} line {number}"
        raise FormatError(where, expected="UTF-8 text", got=error.reason) from None
    except OSError as error:
        raise unreadable(path, error) from None


def bounded_content(path: Path, most: int, *, empty: bool = False) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    FormatError
        If it cannot be read, has more than `most` of them, or none although it may not be empty.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise unreadable(path, error) from None
    if len(content) > most:
        raise FormatError(str(path), expected=f"at most {most} bytes", got="more")
    if not (content or empty):
        raise FormatError(str(path), expected="a file with content", got="an empty one")
    return content


def unreadable(path: Path, error: OSError) -> FormatError:
    """Return the error for a file that the system does not let us read."""
    got = error.strerror or type(error).__name__
    return FormatError(str(path), expected="a readable file", got=got)


def sized(what: str, found: int, published: int) -> str:
    """Return a provenance: whose copy it is, and whether it has the published size."""
    if found == published:
        return f"{what}, the user's copy, {found} as published"
    return f"{what}, the user's copy, {found} (published: {published})"
