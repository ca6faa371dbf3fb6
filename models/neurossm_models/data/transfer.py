"""Progress of a download: a line that is rewritten on a terminal, a few lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import BinaryIO

from neurossm.errors import InputError

CHUNK = 1 << 16  # bytes
MEGABYTE = 1e6
QUARTERS = 4  # lines of a large file where nothing is rewritten
_WAIT = 0.1  # s between two looks of a terminal


class Transfer:
    """Says how much of a file has come, on stderr.

    Parameters
    ----------
    label
        Names the file.
    total
        Its bytes; 0: not known.
    """

    def __init__(self, label: str, total: int) -> None:
        self._label, self._total, self._done = label, total, 0
        self._rewrites = sys.stderr.isatty()
        self._quarter, self._said = 0, 0.0

    def add(self, count: int) -> None:
        """Count bytes that came."""
        self._done += count
        if self._rewrites:
            now = time.monotonic()
            if now - self._said >= _WAIT or self._done == self._total:
                self._said = now
                print(f"\r{self}", end="", file=sys.stderr, flush=True)
            return
        quarter = QUARTERS * self._done // self._total if self._total >= MEGABYTE else 0
        if quarter > self._quarter:
            self._quarter = quarter
            print(self, file=sys.stderr, flush=True)

    def end(self) -> None:
        """Leave the line, so that the next one begins below it."""
        if self._rewrites and self._said:
            print(file=sys.stderr, flush=True)

    def __str__(self) -> str:
        done = f"{self._label}: {self._done / MEGABYTE:.1f}"
        if not self._total:
            return f"{done} MB"
        return f"{done} of {self._total / MEGABYTE:.1f} MB ({self._done / self._total:.0%})"


def received(source: BinaryIO, label: str, total: int, most: int) -> bytes:
    """Return what a source holds, and say how far it is.

    Parameters
    ----------
    source
        An answer, open.
    label
        Names it where progress is said.
    total
        Its bytes, as it says itself; 0: it does not.
    most
        Bytes that are read at most; what comes behind them is left.

    Raises
    ------
    InputError
        If it ends early.
    """
    transfer, parts, done = Transfer(label, total), [], 0
    try:
        while done < most and (part := source.read(min(CHUNK, most - done))):
            parts.append(part)
            done += len(part)
            transfer.add(len(part))
    finally:
        transfer.end()
    if done < min(total, most):
        raise InputError(label, expected=f"{total} bytes", got=f"{done}")
    return b"".join(parts)
