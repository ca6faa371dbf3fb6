"""Says on stderr that kernels are compiled, before it begins, and how long it took."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from neurossm import compiling

ONCE = "compiling kernels for this machine, once"
EVERY_TIME = (
    "compiling kernels, at every start, as no folder to keep them in can be written;"
    " name one in the environment variable NUMBA_CACHE_DIR"
)
PAUSE = 3.0  # s without a compilation, after which those before are taken as all


class _Said:
    """One line for kernels that are compiled in a row, and one when they are."""

    def __init__(self, pause: float) -> None:
        self._pause, self._lock = pause, threading.RLock()
        self._seconds: float | None = None  # since the line was said; None: it is not
        self._timer: threading.Timer | None = None

    def began(self, kept: bool) -> None:
        with self._lock:
            self._forget_timer()
            if self._seconds is None:
                self._seconds = 0.0
                print(ONCE if kept else EVERY_TIME, file=sys.stderr, flush=True)

    def ended(self, seconds: float) -> None:
        with self._lock:
            if self._seconds is None:  # began before anybody listened
                return
            self._seconds += seconds
            self._forget_timer()
            self._timer = threading.Timer(self._pause, self.finish)
            self._timer.daemon = True
            self._timer.start()

    def finish(self) -> None:
        with self._lock:
            self._forget_timer()
            if self._seconds is not None:
                print(f"compiled in {self._seconds:.1f} s", file=sys.stderr, flush=True)
                self._seconds = None

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


@contextmanager
def compilations_told(pause: float = PAUSE) -> Iterator[None]:
    """Within this, say what is compiled; nothing where Numba's cache holds it."""
    said = _Said(pause)
    with compiling.followed(said.began, said.ended):
        try:
            yield
        finally:
            said.finish()
