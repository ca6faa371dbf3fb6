"""The time that is left, without a guess while Numba compiles the kernels."""

from __future__ import annotations

from contextlib import ExitStack

from rich.progress import Task, TimeRemainingColumn
from rich.text import Text

from neurossm import compiling

COMPILING = "compiling"


class Compilations(ExitStack):
    """Knows, while it is entered, whether kernels are being compiled, and whether some were."""

    now = False
    _fresh = False

    def __enter__(self) -> Compilations:
        compiling.listen()
        self.enter_context(compiling.followed(self._began, self._ended))
        return self

    def any_since_asked(self) -> bool:
        """Return whether a kernel was compiled since this was called last."""
        found, self._fresh = self._fresh, False
        return found

    def _began(self, kept: bool) -> None:
        self.now = self._fresh = True

    def _ended(self, seconds: float) -> None:
        self.now = False


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
