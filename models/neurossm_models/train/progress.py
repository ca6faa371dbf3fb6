"""Progress of a long run on standard error: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from neurossm import compiling

_SECONDS_BETWEEN_LINES = 60.0


class Progress:
    """Shows how far a run is; use it in a ``with`` statement.

    Parameters
    ----------
    total
        Steps of the whole run.
    done
        Steps done before it started.
    quiet
        Show nothing: another process speaks for this one.
    """

    def __init__(self, total: int, done: int = 0, quiet: bool = False) -> None:
        self._total, self._first = total, done
        self._started = self._said = time.monotonic()
        self._compiled = compiling.seconds()  # no step takes that long again
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
        self._quiet = quiet
        self._bar = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed:.0f}/{task.total:.0f}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
        )
        self._task = self._bar.add_task("training", total=total, completed=done)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def update(self, step: int, means: dict[str, float]) -> None:
        """Show that `step` steps are done, with the epoch's means so far."""
        if self._quiet:
            return
        text = " ".join(f"{name} {value:.4f}" for name, value in means.items())
        if self._console.is_terminal:
            self._bar.update(self._task, completed=step, description=text)
            return
        now = time.monotonic()
        if now - self._said >= _SECONDS_BETWEEN_LINES:
            self._said = now
            spent = now - self._started - (compiling.seconds() - self._compiled)
            left = (self._total - step) * spent / max(step - self._first, 1)
            self.say(f"step {step}/{self._total}  {text}  about {left / 60:.0f} min left")

    def say(self, line: str) -> None:
        """Print one line, above the bar if there is one."""
        if self._quiet:
            return
        if self._console.is_terminal:
            self._console.print(line)
        else:
            print(line, file=sys.stderr, flush=True)
