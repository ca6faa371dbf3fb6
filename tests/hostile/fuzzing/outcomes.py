"""What may happen when a file is read, and telling whether it did.

A reader gives back what the file says, or raises a `NeurossmError` whose one line names the file,
or another one beside it that it no longer fits; a few such lines for files that people write
(``.toml``). Everything else is a finding.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hostile.fuzzing.watching import TookTooLong, Watch, bounded_memory, bounded_time

from neurossm.errors import NeurossmError

LONGEST_MESSAGE = 4000  # of a line
LINES = 6  # five of what is wrong, and how much more
PACKAGES = ("neurossm/", "neurossm_models/", "neurossm_converters/")

Read = Callable[[Path], object]


@dataclass(frozen=True)
class Outcome:
    """What came of a file.

    Attributes
    ----------
    kind
        ``accepted``, ``refused`` (by name), or ``finding``.
    what
        The message of the refusal, or what was wrong.
    where
        Innermost line of ours that took part in a finding.
    """

    kind: Literal["accepted", "refused", "finding"]
    what: str = ""
    where: str = ""


class Unsound(Exception):
    """A reader accepted a file and gave back something that no valid file holds."""


def outcome(read: Read, file: Path, root: Path) -> Outcome:
    """Read a file below a root folder, watched, and tell what came of it."""
    before = _listing(file.parent)
    with Watch.get().on() as done:
        found = _read(read, file, root)
    if done:
        return Outcome("finding", f"it did what no reader may: {done[0]}", found.where)
    if _listing(file.parent) != before:
        return Outcome("finding", "files were written or changed", found.where)
    return found


def _read(read: Read, file: Path, root: Path) -> Outcome:
    try:
        with bounded_memory(), bounded_time():
            read(file)
    except NeurossmError as error:
        problem = _problem(error, file, root)
        if problem:
            return Outcome("finding", f"{problem}: {str(error)[:300]!r}", _place(error))
        return Outcome("refused", str(error))
    except (Exception, TookTooLong) as error:
        text = " ".join(str(error).split())[:200]
        return Outcome("finding", f"{type(error).__name__}: {text}", _place(error))
    return Outcome("accepted")


def _problem(error: NeurossmError, file: Path, root: Path) -> str:
    lines = str(error).split("\n")
    if len(lines) > 1 and file.suffix != ".toml":  # people write these: all that is wrong is said
        return "a message of more than one line"
    if len(lines) > LINES or not all(map(str.isprintable, lines)):  # nothing a terminal would obey
        return "a message that is not a few lines of plain text"
    if len(max(lines, key=len)) > LONGEST_MESSAGE:
        return f"a message of {len(str(error))} characters"
    named = lines[:-1] if len(lines) == LINES else lines  # the last: "and 3 more"
    if any(file.name not in line and str(root) not in line for line in named):
        return "a message that does not name the file"
    if _ran_out_of_memory(error):
        return "more memory than the bound, although refused in the end"
    return ""


def _ran_out_of_memory(error: BaseException | None) -> bool:
    """Tell whether a MemoryError is behind a refusal: the bound was met, then hidden."""
    while error is not None:
        if isinstance(error, MemoryError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _place(error: BaseException) -> str:
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        for package in PACKAGES:
            if f"/{package}" in frame.filename:
                return f"{package}{frame.filename.rpartition('/' + package)[2]}:{frame.lineno}"
    return ""


def _listing(folder: Path) -> list[tuple[str, int, int]]:
    files = [(path, path.lstat()) for path in sorted(folder.iterdir())]
    return [(path.name, status.st_size, status.st_mtime_ns) for path, status in files]
