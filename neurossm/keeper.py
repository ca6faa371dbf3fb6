"""Ends process groups and removes a folder when the process that started this one is gone.

``python -I -S keeper.py FOLDER``, in a session of its own, so that neither Ctrl-C nor the end of a
group reaches it. Standard input is a pipe from its parent: a line ``+G`` adds the process group G
to those that are to end with the parent, ``-G`` takes it out again, and when the pipe closes the
parent is gone, however it ended. Knows the standard library only, to start fast.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

END_LIMIT = 5.0  # s between asking a group to end and killing it
REMOVE_LIMIT = 10.0  # s in which what is about to end may still write to a folder
GONE = ".gone"  # ends the name of a folder that is being removed
POLL = 0.01


def main(folder: str) -> None:
    """Wait for the parent's end, then end its groups and remove the folder."""
    groups: list[int] = []
    for line in sys.stdin:
        sign, group = line[0], int(line[1:])
        if sign == "+":
            groups.append(group)
        else:
            groups.remove(group)
    for group in groups:
        end_group(group)
    remove(Path(folder))


def end_group(group: int) -> None:
    """End all processes of a group.

    SIGTERM first: Python's resource tracker ignores it and removes the shared memory, which after
    SIGKILL would stay forever (measured).
    """
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _signal(group, number):
            return
        deadline = time.monotonic() + END_LIMIT
        while _lives(group) and time.monotonic() < deadline:
            time.sleep(POLL)
        if not _lives(group):
            return


def remove(folder: Path) -> None:
    """Remove a folder and all below it, also where processes that are ending still write to it.

    And what is left of it where its owner was killed while removing it.
    """
    gone = folder.with_name(f"{folder.name.removesuffix(GONE)}{GONE}")
    with contextlib.suppress(OSError):
        # under another name nobody adds to it, who could be faster than its removal
        folder.rename(gone)
    deadline = time.monotonic() + REMOVE_LIMIT
    while (gone.exists() or folder.exists()) and time.monotonic() < deadline:
        shutil.rmtree(gone, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        if gone.exists() or folder.exists():
            time.sleep(POLL)


def _lives(group: int) -> bool:
    """Return whether a process of the group runs; one that ended and was not fetched does not."""
    entries = list(Path("/proc").glob("[0-9]*/stat"))
    for entry in entries:
        try:
            # after the name, which may hold anything, follow state, parent and group
            state, _, found = entry.read_text(errors="replace").rpartition(")")[2].split()[:3]
        except (OSError, ValueError):
            continue  # it ended while we read
        if int(found) == group and state not in "ZX":
            return True
    return not entries and _signal(group, 0)  # a system without /proc


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        # the latter is what macOS says of a group whose processes ended and were not fetched
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1])
