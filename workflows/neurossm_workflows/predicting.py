"""Predictions as a file: one line per sample or step, with prediction and label.

Shape letters: ``n`` samples, ``L`` steps, ``K`` channels of the output.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from neurossm.errors import InputError
from neurossm.files import replacing, unwritable
from neurossm.interface import EVERY_STEP, Interface
from neurossm.metrics.answers import chosen, task_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset
    from neurossm_workflows.parts import Watcher

OPTION = "--predictions"
MOST_SCORES = 64  # columns of a line a step: of 256 tokens they would be a megabyte a text


@contextmanager
def writer_of(path: Path | None, graph: Graph) -> Iterator[Sequence[Watcher]]:
    """Give what writes the answers to each part into a file that is there when all is done.

    Raises
    ------
    InputError
        If the file is neither ``.csv`` nor ``.npz``, or cannot be written.
    """
    if path is None:
        yield ()
        return
    if path.suffix not in (".csv", ".npz"):
        raise InputError(OPTION, expected="a .csv or .npz file", got=str(path))
    try:
        with replacing(path, OPTION) as unfinished:
            if path.suffix == ".npz":
                kept = _Kept(graph)
                with _elsewhere():
                    yield (kept.take,)
                kept.save(unfinished)
            else:
                with unfinished.open("w", encoding="utf-8", newline="") as file, _elsewhere():
                    yield (_Table(graph, file, path).write,)
    except _Elsewhere as error:
        raise error.error from None


class _Elsewhere(Exception):
    """An error of the system that has nothing to do with the file, on its way out."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


@contextmanager
def _elsewhere() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _Elsewhere(error) from None


@dataclass
class _Table:
    """Lines of a CSV file; the head comes with the first part."""

    graph: Graph
    file: TextIO
    path: Path
    begun: bool = False

    def __post_init__(self) -> None:
        self._about, self._task = Interface.of(self.graph), task_of(self.graph)
        self._lines = csv.writer(self.file, lineterminator="\n")

    def write(self, start: int, part: Dataset, found: NDArray[np.float64]) -> None:
        """Write the answers to a part."""
        try:
            if not self.begun:
                self._lines.writerow(self._head(found.shape[-1], part))
                self.begun = True
            self._lines.writerows(self._rows(start, part, found))
            self.file.flush()
        except OSError as error:
            raise unwritable(self.path, OPTION, error) from None

    def _head(self, channels: int, part: Dataset) -> list[str]:
        places = ["sample", "step"] if self._by_step else ["sample"]
        if self._chooses(channels):
            if self._short(channels):
                return [*places, "predicted", "label", "score predicted"]
            names = [self._name(k) for k in range(channels)]
            return [*places, "predicted", "label", *(f"score {name}" for name in names)]
        each = [f" {k}" if channels > 1 else "" for k in range(channels)]
        asked = part.labels.dtype.kind == "f"
        return [*places, *(f"predicted{k}" for k in each),
                *(f"label{k}" for k in (each if asked else [""]))]  # fmt: skip

    def _rows(
        self, start: int, part: Dataset, found: NDArray[np.float64]
    ) -> Iterator[Iterable[object]]:
        picked = chosen(self._task, found)
        for index, answer in enumerate(found):
            label = part.labels[index]
            if not self._by_step:
                what = None if picked is None else picked[index]
                yield [start + index, *self._cells(answer, what, label)]
                continue
            length = len(answer) if part.lengths is None else int(part.lengths[index])
            for step in range(length):
                what = None if picked is None else picked[index, step]
                asked = label[step] if np.ndim(label) else label
                yield [start + index, step, *self._cells(answer[step], what, asked)]

    def _cells(self, answer: NDArray[np.float64], picked: Any, label: Any) -> Iterator[object]:
        numbers = (f"{value:.9g}" for value in answer)
        if picked is None:
            yield from numbers
            labels = np.atleast_1d(label)
            if labels.dtype.kind == "f" and len(labels) < len(answer):  # none at all
                labels = np.repeat(labels, len(answer))
            nothing = np.isnan(labels) if labels.dtype.kind == "f" else labels < 0
            yield from ("" if n else f"{v:.9g}" for v, n in zip(labels, nothing, strict=True))
            return
        yield self._named(picked)
        yield self._named(label)
        yield from [f"{answer[picked]:.9g}"] if self._short(len(answer)) else numbers

    def _named(self, what: Any) -> str:
        if np.ndim(what):  # several labels
            return "" if np.any(np.asarray(what) < 0) else "|".join(
                self._name(int(k)) for k in np.flatnonzero(what))  # fmt: skip
        return "" if what < 0 else self._name(int(what))

    def _name(self, channel: int) -> str:
        names = self._about.class_names
        return names[channel] if channel < len(names) else str(channel)

    def _short(self, channels: int) -> bool:
        """Tell whether only the score of what is answered is written, of very many."""
        return self._by_step and channels > MOST_SCORES

    @property
    def _by_step(self) -> bool:
        return self._about.task in EVERY_STEP or self._about.readout == "every-step"

    def _chooses(self, channels: int) -> bool:
        return chosen(self._task, np.zeros((1, channels))) is not None


class _Kept:
    """Arrays of an ``.npz`` file: they are in memory until all is done."""

    def __init__(self, graph: Graph) -> None:
        self._about, self._task = Interface.of(graph), task_of(graph)
        self._parts: list[tuple[NDArray[np.float64], NDArray[Any], NDArray[np.int64] | None]] = []

    def take(self, start: int, part: Dataset, found: NDArray[np.float64]) -> None:
        """Keep the answers to a part."""
        self._parts.append((found, part.labels, part.lengths))

    def save(self, path: Path) -> None:
        """Write what was kept."""
        found = np.concatenate([part[0] for part in self._parts])
        arrays: dict[str, NDArray[Any]] = {
            "answers": found, "labels": np.concatenate([part[1] for part in self._parts]),
        }  # fmt: skip
        picked = chosen(self._task, found)
        if picked is not None:
            arrays["predicted"] = picked
        lengths = [part[2] for part in self._parts if part[2] is not None]
        if lengths:
            arrays["lengths"] = np.concatenate(lengths)
        if self._about.class_names:
            arrays["class_names"] = np.array(self._about.class_names)
        with path.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]  # names to arrays
