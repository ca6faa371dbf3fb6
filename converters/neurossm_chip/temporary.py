"""The temporary folder of a run, removed after every end; after SIGKILL, by the next run.

All that Lava and Python's multiprocessing leave in temporary folders lies in it, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import multiprocessing
import os
import re
import shutil
import signal
import tempfile
from contextlib import contextmanager
from typing import Any, Iterator

from neurossm_chip.refusal import Refusal

GIVEN = "NEUROSSM_TEMPORARY"  # a folder that whoever started the script removes
NAMES = re.compile(r"neurossm-chip-[a-z0-9_]{8}")
MARK = ".neurossm-temporary"
REMEDY = "free some space there, or name a folder that has some in the environment variable TMPDIR"
TERMINATED = 128 + signal.SIGTERM
_ended_by: list[BaseException] = []
SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of linux/prctl.h


@contextmanager
def folder() -> Iterator[str]:
    """Give a new folder; multiprocessing makes its sockets in it, whatever forks."""
    place = os.environ.get(GIVEN) or _gettempdir()
    try:
        if not os.environ.get(GIVEN):
            _remove_abandoned(place)
        path = tempfile.mkdtemp(prefix="neurossm-chip-", dir=place)
        lock = os.open(path, os.O_RDONLY)
        with contextlib.suppress(OSError):  # not every network file system has locks
            fcntl.flock(lock, fcntl.LOCK_EX)
        open(os.path.join(path, MARK), "w").close()
    except OSError as error:
        raise Refusal(full(place, error.strerror or str(error))) from None
    settings: Any = multiprocessing.current_process()
    before = tempfile.tempdir, settings._config.get("tempdir")
    # a short path where one was given: the name of a socket has at most 107 bytes
    tempfile.tempdir = settings._config["tempdir"] = os.environ.get(GIVEN) or path
    try:
        yield path
    except (KeyboardInterrupt, SystemExit):
        # at its end Python would wait for them; Python's resource tracker removes what they shared
        for child in multiprocessing.active_children():
            child.terminate()
        raise
    finally:
        tempfile.tempdir, settings._config["tempdir"] = before
        shutil.rmtree(path, ignore_errors=True)
        os.close(lock)


def full(place: str, reason: str) -> str:
    """Return the line for a temporary folder that cannot be written."""
    if place == os.environ.get(GIVEN):
        place = os.path.dirname(place)
    return f"temporary folder {place}: {reason}; {REMEDY}"


def end_cleanly() -> None:
    """Let SIGTERM end the script as Ctrl-C does, and let what it forks end with it."""
    if os.environ.get(GIVEN):
        return  # whoever started it ends all of its group

    def end(number: int, _: Any) -> None:
        _ended_by.append(KeyboardInterrupt() if number == signal.SIGINT else SystemExit(TERMINATED))
        raise _ended_by[-1]

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    parent = os.getpid()

    def in_child() -> None:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with contextlib.suppress(OSError, AttributeError):  # a system without it
            ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    os.register_at_fork(after_in_child=in_child)


def not_ended() -> int:
    """Raise what a signal raised, where it was lost: Python drops it in what it calls at a fork."""
    if _ended_by:
        raise _ended_by[-1]
    return 0


def _gettempdir() -> str:
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:  # Python has tried to write to several
        raise Refusal(full("", str(error.strerror))) from None


def _remove_abandoned(place: str) -> None:
    """Remove the folders of runs that were killed: what is used is locked."""
    for name in os.listdir(place):
        path = os.path.join(place, name)
        if not NAMES.fullmatch(name) or os.path.islink(path):
            continue
        with contextlib.suppress(OSError):
            lock = os.open(path, os.O_RDONLY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if os.fstat(lock).st_uid == os.getuid() and MARK in os.listdir(path):
                    shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(lock)
