"""Says on stderr that kernels are compiled, before it begins, and how long it took."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from neurossm import compiling

ONCE = "compiling kernels for this machine, once"
EVERY_TIME = (
    "compiling kernels, at every start, as no folder to keep them in can be written;"
    " name one in the environment variable NUMBA_CACHE_DIR"
)
MORE = "compiling more kernels"
PATIENCE = 1.0  # s of compiling that need no word
PAUSE = 3.0  # s without a compilation, after which those before are taken as all


class _Said:
    """One line for kernels that are compiled in a row, and one when they are."""

    def __init__(self, pause: float, patience: float) -> None:
        self._pause, self._patience, self._lock = pause, patience, threading.RLock()
        self._row = 0.0  # s of compiling in this row
        self._line = self._any = False  # whether this row has its line; whether one had
        self._kept = True
        self._timer: threading.Timer | None = None

    def began(self, kept: bool) -> None:
        with self._lock:
            self._kept = kept
            if self._row >= self._patience:
                self._after(None, self.say)
            elif not self._line:
                self._after(self._patience - self._row, self.say)

    def say(self) -> None:
        with self._lock:
            if self._line:
                return
            first = ONCE if self._kept else EVERY_TIME
            print(MORE if self._any else first, file=sys.stderr, flush=True)
            self._line = self._any = True

    def ended(self, seconds: float) -> None:
        with self._lock:
            self._row += seconds
            self._after(self._pause, self.finish)

    def finish(self) -> None:
        with self._lock:
            self._after(None, None)
            if self._line:
                print(f"compiled in {self._row:.1f} s", file=sys.stderr, flush=True)
            self._row, self._line = 0.0, False

    def _after(self, seconds: float | None, call: Callable[[], None] | None) -> None:
        """Call in so many seconds, or now, in place of what was to be called."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if call is not None and seconds is None:
            call()
        elif call is not None and seconds is not None:
            self._timer = threading.Timer(seconds, call)
            self._timer.daemon = True
            self._timer.start()


@contextmanager
def compilations_told(pause: float = PAUSE, patience: float = PATIENCE) -> Iterator[None]:
    """Within this, say what is compiled; nothing where Numba's cache holds it, or it is little."""
    said = _Said(pause, patience)
    with compiling.followed(said.began, said.ended):
        try:
            yield
        finally:
            said.finish()
