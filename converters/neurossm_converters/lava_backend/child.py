"""Starting the worker, watching it, ending it: whatever happens, nothing is left behind."""

from __future__ import annotations

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
from neurossm_converters.lava_backend.job import FAILURE, LOG, STARTED

MODULE = "neurossm_converters.lava_backend.worker"
START_LIMIT = 60.0  # s for imports, compiling and forking; measured 1 to 4 s
END_LIMIT = 5.0  # s between asking the group to end and killing it
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


def run_worker(folder: Path, limit: float, watch: Callable[[], int]) -> float:
    """Run the job in a folder; return the seconds of start-up, until the network stepped.

    Parameters
    ----------
    folder
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
    startup = 0.0
    # -P: nothing of the current folder can stand in for a module of Lava
    # a file and not a pipe for what it prints: orphans would hold a pipe open
    with (folder / LOG).open("wb") as log:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", MODULE, str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env={**os.environ, **ENVIRONMENT},
        )
        try:
            deadline, last = begun + START_LIMIT, 0
            while not _has_ended(child) and time.monotonic() < deadline:
                if not startup and (folder / STARTED).exists():
                    startup = time.monotonic() - begun
                    deadline = time.monotonic() + limit + START_LIMIT
                if (now := watch()) != last:
                    last, deadline = now, time.monotonic() + limit + START_LIMIT
                time.sleep(POLL)
            ended = _has_ended(child)
        finally:  # also after Ctrl-C
            end_group(child)
    if not ended or child.returncode:
        raise _failure(folder, ended, child.returncode)
    return startup


def _failure(folder: Path, ended: bool, status: int) -> LavaError:
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
    got = f"a worker that ended with status {status}" if ended else "none within the time limit"
    return LavaError("Lava", got=got, remedy=_room_needed(folder, got), details=log)


def _room_needed(folder: Path, reason: str) -> str:
    """Return what to do where a full disk or full shared memory is the likely reason, else ""."""
    # writing to a mapped page without room behind it is a bus error
    if not any(sign in reason for sign in ("[Errno 28]", f"status {-signal.SIGBUS}")):
        return ""
    places = [place for place in (SHARED_MEMORY, folder) if place.is_dir()]
    free = ", ".join(f"{place}: {shutil.disk_usage(place).free // 2**10} KiB" for place in places)
    return f"make room where Lava's messages and the trace lie (free: {free})"


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    # WNOWAIT leaves the process id in use, so that its group cannot become somebody else's
    found = os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return found is not None


def end_group(child: subprocess.Popen[bytes]) -> None:
    """End the worker and all that it forked.

    SIGTERM first: Python's resource tracker ignores it and removes the shared memory, which after
    SIGKILL would stay for good (measured).
    """
    group = child.pid
    for number in (signal.SIGTERM, signal.SIGKILL):
        if not _signal(group, number):
            break
        deadline = time.monotonic() + END_LIMIT
        while _lives(group) and time.monotonic() < deadline:
            time.sleep(POLL / 5)
        if not _lives(group):
            break
    child.wait()
    if child.stdin is not None:
        child.stdin.close()


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
    except ProcessLookupError:
        return False
    return True
