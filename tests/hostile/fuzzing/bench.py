"""One format on the bench: its files in a folder, mutants written and read one after another."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from hostile.fuzzing.formats import Format
from hostile.fuzzing.outcomes import Outcome, outcome


class Bench:
    """Where files of one format are tried.

    Parameters
    ----------
    format
        Which.
    root
        An empty folder.
    """

    def __init__(self, format: Format, root: Path) -> None:
        self.format, self.root = format, root
        self.path = format.place(root)
        # a reader that follows a link to this waits for ever
        os.mkfifo(self.path.parent / "pipe")

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Read the seeds, so that all is imported.

        Raises
        ------
        AssertionError
            If no seed is accepted: then nothing would be tested.
        """
        with self.format.small():
            for seed in self.format.seeds:
                self.path.write_bytes(seed)
                with suppress(Exception):
                    self.format.read(self.path)
            found = [self.attempt(seed) for seed in self.format.seeds]
            readable = any(one.kind == "accepted" for one in found)
            assert readable or self.format.seeds_are_refused, found
            yield

    def attempt(self, content: bytes) -> Outcome:
        """Return what comes of a content."""
        self.path.write_bytes(content)
        self.format.start()
        return outcome(self.format.read, self.path, self.root)

    def mutant(self, seed: int, number: int) -> Outcome:
        """Return what comes of a mutant."""
        return self.attempt(self.format.mutant(seed, number))
