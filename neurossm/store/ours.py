"""A file of ours replaces only an empty file or another of ours, and no other kind replaces it."""

from __future__ import annotations

from pathlib import Path

from neurossm.errors import InputError, NeurossmError
from neurossm.files import OTHER_NAME
from neurossm.store.opening import open_root


def check_replaceable(option: str, path: Path) -> None:
    """Refuse, before any work is done, an output that is there and is no file of ours.

    Parameters
    ----------
    option
        What named the file on the command line, for the message.
    path
        Where a graph or a trace is to be written. A file that is not there, an empty one, and what
        is no regular file pass: the last is refused by who writes.

    Raises
    ------
    InputError
        If it holds anything but the group ``/neurossm``, whole.
    """
    try:
        if not path.is_file() or not path.stat().st_size:
            return
        with open_root(path):
            return
    except NeurossmError as error:
        raise InputError(
            f"{option} {path}", expected="a new name, or a .nssm file that may be replaced",
            got=getattr(error, "got", "another file"), remedy=OTHER_NAME,
        ) from None  # fmt: skip


def check_no_graph(option: str, path: Path) -> None:
    """Refuse, before any work is done, a graph or a trace where another kind is to be written.

    Raises
    ------
    InputError
        If the file holds the group ``/neurossm``.
    """
    try:
        if not path.is_file():
            return
        with open_root(path):
            pass
    except NeurossmError:
        return
    raise InputError(f"{option} {path}", expected="a new name, or a file that may be replaced",
                     got="a graph or a trace", remedy=OTHER_NAME)  # fmt: skip
