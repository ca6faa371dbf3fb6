"""Temporary folders that are gone after every kind of end.

The block that uses one removes it, after an error and Ctrl-C too. Where this process is ended
before that (SIGTERM, SIGKILL), a small process beside it does, see `neurossm.keeper`; and where
even that one was killed, the next run does: a folder whose owner lives is locked.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from neurossm import keeper, portable
from neurossm.errors import InputError, TargetError
from neurossm.files import FULL, WRITABLE

MARK = ".neurossm-temporary"
NAMES = re.compile(rf"neurossm-[a-z]+-[a-z0-9_]{{8}}({re.escape(keeper.GONE)})?")
REMEDY = "free some space there, or name a folder that has some in the environment variable TMPDIR"


@dataclass(frozen=True, eq=False)
class TemporaryFolder:
    """A temporary folder, while its block runs.

    Attributes
    ----------
    path
        Absolute.
    """

    path: Path
    _keeper: subprocess.Popen[str] | None

    @contextmanager
    def ending(self, child: subprocess.Popen[bytes]) -> Iterator[None]:
        """End a child and all that it started at the end of the block, or with this process.

        It leads a process group of its own. Its status is known after the block.
        """
        self._tell(f"+{child.pid}")
        try:
            yield
        finally:
            keeper.end_group(child.pid)
            self._tell(f"-{child.pid}")
            child.wait()  # only now can its number become another's
            if child.stdin is not None:
                child.stdin.close()

    @contextmanager
    def filling(self) -> Iterator[None]:
        """Name the place and the remedy where files of this folder cannot be written.

        Raises
        ------
        TargetError
            For the errors of `neurossm.files`, and for an `OSError` of a full disk.
        """
        try:
            yield
        except InputError as error:
            if error.expected != WRITABLE:
                raise
            raise no_room(self.path.parent, error.got) from None
        except OSError as error:
            if error.errno is None:  # NumPy, of a write that came to its end too early
                raise no_room(self.path.parent, os.strerror(errno.ENOSPC)) from None
            if error.errno not in FULL:
                raise
            raise no_room(self.path.parent, os.strerror(error.errno)) from None

    def _tell(self, line: str) -> None:
        if self._keeper is not None and self._keeper.stdin is not None:
            with contextlib.suppress(OSError):  # it was killed: the next run cleans up
                self._keeper.stdin.write(f"{line}\n")
                self._keeper.stdin.flush()


@contextmanager
def temporary_folder(kind: str) -> Iterator[TemporaryFolder]:
    """Make a folder in the temporary folder of this machine; remove it at the end of the block.

    Parameters
    ----------
    kind
        What for, a word: part of its name.

    Raises
    ------
    TargetError
        If there is no space for it.
    """
    place = _place()
    _remove_abandoned(place)
    path, lock = _locked(place, kind)
    beside = None
    try:
        beside = _start_keeper(path)
        yield TemporaryFolder(path, beside)
    finally:
        keeper.remove(path)
        os.close(lock)
        if beside is not None:
            beside.kill()
            with contextlib.suppress(OSError):
                beside.communicate()


def no_room(place: Path, reason: str) -> TargetError:
    """Return the error for a temporary folder that cannot be written, with what to do."""
    return TargetError(
        f"temporary folder {place}", expected="one that can be written", got=reason, remedy=REMEDY
    )


def _place() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError as error:  # Python has tried to write to several
        raise TargetError(
            "temporary folder", expected="one that can be written", got=str(error.strerror),
            remedy=REMEDY.replace("there", "in one of them"),
        ) from None  # fmt: skip


def _locked(place: Path, kind: str) -> tuple[Path, int]:
    """Make a folder and lock it; return it and the descriptor that holds the lock."""
    while True:
        try:
            path = Path(tempfile.mkdtemp(prefix=f"neurossm-{kind}-", dir=place)).absolute()
        except OSError as error:
            raise no_room(place, error.strerror or str(error)) from None
        try:
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # a run that cleans up came between
        with contextlib.suppress(OSError):  # not every network file system has locks
            portable.lock(lock, wait=True)
        try:
            (path / MARK).touch(exist_ok=False)
            return path, lock
        except FileNotFoundError:
            os.close(lock)  # as above
        except OSError as error:
            os.close(lock)
            keeper.remove(path)
            raise no_room(place, error.strerror or str(error)) from None


def _start_keeper(path: Path) -> subprocess.Popen[str] | None:
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", keeper.__file__, str(path)],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            cwd="/", start_new_session=True, text=True,
        )  # fmt: skip
    except OSError:
        return None  # no process more: the next run cleans up


def _remove_abandoned(place: Path) -> None:
    """Remove folders of runs that were killed, and whose keepers were."""
    with contextlib.suppress(OSError):
        for path in place.iterdir():
            if NAMES.fullmatch(path.name):
                with contextlib.suppress(OSError):
                    _remove_unless_used(path)


def _remove_unless_used(path: Path) -> None:
    lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        portable.lock(lock, wait=False)
        held = os.listdir(lock)
        # nothing that happens to have such a name, and nothing of another user
        if (MARK in held or not held) and os.fstat(lock).st_uid == os.getuid():
            keeper.remove(path)
    finally:
        os.close(lock)
