"""Stages of a long command: what begins, and how long it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stages:
    """Says which of so many stages begins, and how long each took.

    Parameters
    ----------
    note
        Says a line.
    count
        How many there are.

    Attributes
    ----------
    seconds
        By the key of each stage that has ended.
    """

    def __init__(self, note: Callable[[str], None], count: int) -> None:
        self._note, self._count, self._begun = note, count, 0
        self.seconds: dict[str, float] = {}

    @contextmanager
    def __call__(self, key: str, about: str) -> Iterator[None]:
        """Say what the block does; nothing of its time where it fails."""
        self._begun += 1
        number, started = f"[{self._begun}/{self._count}]", time.monotonic()
        self._note(f"{number} {about}")
        yield
        self.seconds[key] = round(time.monotonic() - started, 2)
        self._note(f"{number} took {self.seconds[key]:.1f} s")
