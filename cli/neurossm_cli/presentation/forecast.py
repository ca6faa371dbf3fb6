"""The time that is left, without a guess while Numba compiles the kernels."""

from __future__ import annotations

import threading
from types import TracebackType

from numba.core import event
from rich.progress import Task, TimeRemainingColumn
from rich.text import Text

COMPILING = "compiling"


class Compilations(event.Listener):
    """Knows, while it is entered, whether some thread is compiling, and whether one was."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._fresh = False

    @property
    def now(self) -> bool:
        """Whether a kernel is being compiled."""
        return self._running > 0

    def any_since_asked(self) -> bool:
        """Return whether a kernel was compiled since this was called last."""
        with self._lock:
            found, self._fresh = self._fresh, False
        return found

    def on_start(self, event: object) -> None:
        """Count a compilation that begins."""
        with self._lock:
            self._running, self._fresh = self._running + 1, True

    def on_end(self, event: object) -> None:
        """Count one that ends; those that began before this was entered do not count."""
        with self._lock:
            self._running = max(0, self._running - 1)

    def __enter__(self) -> Compilations:
        event.register("numba:compile", self)  # type: ignore[no-untyped-call]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        event.unregister("numba:compile", self)  # type: ignore[no-untyped-call]


class Forecast(TimeRemainingColumn):
    """Says that kernels are compiled, or the time that is left."""

    def __init__(self, compilations: Compilations) -> None:
        super().__init__()
        self._compilations = compilations

    def render(self, task: Task) -> Text:
        """Return the text of this column."""
        if self._compilations.now:
            return Text(COMPILING)
        return super().render(task)
