"""What a reader may not do: an audit hook that notes it, and bounds on memory and time."""

from __future__ import annotations

import os
import resource
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY_BYTES = 2**29  # 512 MiB more than before the file
CPU_SECONDS = 5.0  # of the processor, so that a busy machine makes no hang of a slow read
FORBIDDEN = (
    "subprocess.", "socket.", "pty.", "webbrowser.", "ctypes.", "pickle.find_class", "os.system",
    "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.remove", "os.rename", "os.rmdir",
    "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.putenv", "shutil.",
)  # fmt: skip
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class TookTooLong(BaseException):
    """A reader ran out of `CPU_SECONDS`; no `Exception`, so that no reader catches it."""


class Watch:
    """Notes what the main thread does while it is on: writes, processes, sockets, unpickling.

    An audit hook cannot be taken out again, so there is one for the life of a process, and it does
    nothing while the watch is off.
    """

    _installed: Watch | None = None

    def __init__(self) -> None:
        self.seen: list[str] = []
        self._on = False
        self._thread = threading.get_ident()

    @classmethod
    def get(cls) -> Watch:
        """Return the one watch of this process."""
        if cls._installed is None:
            cls._installed = Watch()
            sys.addaudithook(cls._installed._hear)
        return cls._installed

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._on or threading.get_ident() != self._thread:
            return
        if event == "open":
            name, _, flags = arguments
            if isinstance(flags, int) and flags & WRITING:
                self.seen.append(f"opened {name!r:.80} to write")
        elif event.startswith(FORBIDDEN):
            self.seen.append(f"{event} {arguments!r:.80}")

    @contextmanager
    def on(self) -> Iterator[list[str]]:
        """Watch; yields what was seen."""
        self.seen, self._on, self._thread = [], True, threading.get_ident()
        try:
            yield self.seen
        finally:
            self._on = False


@contextmanager
def bounded_memory(more: int = MEMORY_BYTES) -> Iterator[None]:
    """Let this process map at most so many bytes more than it has; Linux only, else no bound."""
    status = Path("/proc/self/statm")
    if not status.is_file():
        yield
        return
    mapped = int(status.read_text().split()[0]) * resource.getpagesize()
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (mapped + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def bounded_time(seconds: float = CPU_SECONDS) -> Iterator[None]:
    """Raise `TookTooLong` in the main thread once so much processor time is used.

    A loop inside a C library is not interrupted by that; `tests/fuzz/run.py` ends the process.
    """

    def stop(signum: int, frame: object) -> None:
        raise TookTooLong(f"more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)
