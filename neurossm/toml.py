"""Reads TOML of a user's own: whatever the file holds, it is tables or one clear error."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from neurossm.errors import InputError, NeurossmError

_MOST_BYTES = 100_000
_MOST_DOTS = 64  # of a line: tomllib's time for a key in n parts grows with n squared


def read_toml(
    path: Path, expected: str, error: type[NeurossmError], remedy: str = ""
) -> dict[str, Any]:
    """Return the tables of a TOML file.

    Parameters
    ----------
    path
        The file.
    expected, remedy
        What it is to be, and what to do where it is not.
    error
        What is raised where the content is wrong.

    Raises
    ------
    InputError
        If the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            got = f"more than {_MOST_BYTES} bytes"
        elif any(line.count(b".") > _MOST_DOTS for line in content.split(b"\n")):
            got = f"a line of more than {_MOST_DOTS} dots"
        else:
            return tomllib.loads(content.decode("utf-8"))
    except OSError as cause:
        got = cause.strerror or type(cause).__name__
        raise InputError(str(path), expected=expected, got=got, remedy=remedy) from None
    except RecursionError:
        got = "values nested too deep"
    except ValueError as cause:  # also a number of thousands of digits
        got = str(cause)
    raise error(str(path), expected=expected, got=got, remedy=remedy)
