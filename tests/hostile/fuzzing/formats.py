"""The formats that are fuzzed: small genuine files, what they lie beside, their reader and edits.

A mutant is a function of format, seed and number, so each can be made again by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from random import Random

from hostile.fuzzing import bytewise

Mutator = Callable[[Random, bytes, bytewise.Seeds], bytes]


@dataclass(frozen=True)
class Format:
    """A kind of file.

    Parameters
    ----------
    name
        What it is called in tables.
    file
        Path of the file that is mutated, below a folder of its own.
    make
        Makes the genuine contents of that file, a few kilobytes each.
    read
        What neurossm does with such a file.
    edits
        Mutators that know the format; plain damage is used beside them.
    around
        Writes the other files that the reader expects, into the folder.
    small
        A context in which sizes that a genuine data set fixes are those of the seeds.
    damage
        Share of the mutants that are damaged without regard to the format.
    start
        Starts what reads the file, where that is a process of its own.
    seeds_are_refused
        True where the genuine file cannot be made here, as its checksum is fixed.
    """

    name: str
    file: str
    make: Callable[[], tuple[bytes, ...]]
    read: Callable[[Path], object]
    edits: tuple[Mutator, ...] = ()
    around: Callable[[Path], None] = lambda folder: None
    small: Callable[[], AbstractContextManager[object]] = nullcontext
    start: Callable[[], object] = lambda: None
    damage: float = 0.4
    seeds_are_refused: bool = False

    @cached_property
    def seeds(self) -> bytewise.Seeds:
        """The genuine contents."""
        return self.make()

    def mutant(self, seed: int, number: int) -> bytes:
        """Return one mutated content."""
        rng = Random(f"{self.name}/{seed}/{number}")
        content = rng.choice(self.seeds)
        if not self.edits or rng.random() < self.damage:
            return bytewise.damaged(rng, content, self.seeds)
        return rng.choice(self.edits)(rng, content, self.seeds)

    def place(self, folder: Path) -> Path:
        """Write what the file lies beside; return where the file itself belongs."""
        path = folder / self.file
        path.parent.mkdir(parents=True, exist_ok=True)
        self.around(folder)
        return path


def formats() -> Iterator[Format]:
    """Yield all formats, the cheap ones first."""
    from hostile.fuzzing import data_formats, graph_formats, text_formats, weight_formats

    yield from text_formats.FORMATS
    yield from graph_formats.FORMATS
    yield from data_formats.FORMATS
    yield from weight_formats.FORMATS


def by_name() -> dict[str, Format]:
    """Return all formats by their names."""
    return {one.name: one for one in formats()}
