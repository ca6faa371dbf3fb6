"""Starts the worker process and watches it; its temporary folder is always removed."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from neurossm.errors import TargetError
from neurossm.portable import ended
from neurossm.temporary import REMEDY, TemporaryFolder
from neurossm_converters.backends.lava.orders import FAILURE, LOG, NO_ROOM, STARTED

MODULE = "neurossm_converters.backends.lava.worker"
START_LIMIT = 60.0  # s for imports, compiling and forking; measured 1 to 4 s
POLL = 0.05
SHARED_MEMORY = Path("/dev/shm")
# each process would otherwise start a thread pool of its own
ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
}  # fmt: skip


class LavaError(TargetError):
    """A Lava run failed.

    Attributes
    ----------
    details
        What there is to know beyond the one line: the traceback inside the Lava process, or what
        the worker printed.
    """

    def __init__(self, where: str, *, got: str, remedy: str = "", details: str = "") -> None:
        super().__init__(where, expected="an answer from Lava", got=got, remedy=remedy)
        self.details = details


def run_worker(temporary: TemporaryFolder, limit: float, watch: Callable[[], int]) -> float:
    """Run the job in a folder; return the seconds of start-up, until the network stepped.

    Parameters
    ----------
    temporary
        The job; the worker leaves its result or its failure there.
    limit
        Seconds without a step that the worker allows itself.
    watch
        Called now and then while it runs; returns the steps made so far.

    Raises
    ------
    LavaError
        If a process of the network raised, was killed or took too long, or the worker itself did.
    """
    begun = time.monotonic()
    startup, folder = 0.0, temporary.path
    # -P: nothing of the current folder can stand in for a module of Lava
    # a file and not a pipe for what it prints: orphans would hold a pipe open
    with (folder / LOG).open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # in the folder, what the worker leaves is removed with it
            env={**os.environ, **ENVIRONMENT, "TMPDIR": str(folder)},
        )
        with temporary.ending(child):  # also after Ctrl-C
            deadline, last = begun + START_LIMIT, 0
            while not ended(child) and time.monotonic() < deadline:
                if not startup and (folder / STARTED).exists():
                    startup = time.monotonic() - begun
                    deadline = time.monotonic() + limit + START_LIMIT
                if (now := watch()) != last:
                    last, deadline = now, time.monotonic() + limit + START_LIMIT
                time.sleep(POLL)
            done = ended(child)
    if not done or child.returncode:
        raise _failure(folder, done, child.returncode)
    return startup


def _failure(folder: Path, done: bool, status: int) -> LavaError:
    log = (folder / LOG).read_text(encoding="utf-8", errors="replace")
    if (folder / FAILURE).exists():
        found = json.loads((folder / FAILURE).read_text(encoding="utf-8"))
        step = f" after step {found['step']} of the network" if "step" in found else ""
        slow = "raise LavaOptions.time_limit if it is only slow" if step else ""
        return LavaError(
            f"Lava, node {found['where']!r}" if found["where"] != "Lava" else "Lava",
            got=found["reason"] + step,
            remedy=_room_needed(folder, found["reason"]) or slow,
            details=found["details"] or log,
        )
    got = f"a worker that ended with status {status}" if done else "none within the time limit"
    if status == NO_ROOM:
        got = str(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    return LavaError("Lava", got=got, remedy=_room_needed(folder, got), details=log)


def _room_needed(folder: Path, reason: str) -> str:
    """Return what to do where a full disk or full shared memory is the likely reason, else ""."""
    # writing to a mapped page without room behind it is a bus error
    if not any(sign in reason for sign in ("[Errno 28]", f"status {-signal.SIGBUS}")):
        return ""
    places = [place for place in (SHARED_MEMORY, folder.parent) if place.is_dir()]
    free = {place: shutil.disk_usage(place).free for place in places}
    if min(free, key=lambda place: free[place]) == folder.parent:
        return f"the temporary folder {folder.parent} is full: {REMEDY}"
    found = ", ".join(f"{place}: {room // 2**10} KiB" for place, room in free.items())
    return f"free space where Lava's messages and the trace lie (free: {found})"
