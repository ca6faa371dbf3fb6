"""Ending the threads of a run when it is interrupted: after the task at hand, not after all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event


@contextmanager
def stopping(stop: Event) -> Iterator[None]:
    """Set the event, which workers look at between tasks, when the block ends by an error."""
    try:
        yield
    except BaseException:  # Ctrl-C too
        stop.set()
        raise
