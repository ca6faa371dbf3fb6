"""What a process records into its own files: values, final states and counters.

Reading a variable through Lava costs 14-25 us an element (measured), a file
almost nothing. Needs NumPy only; both the processes and the collecting worker use it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.format import open_memmap
from numpy.typing import NDArray

Integers = NDArray[np.int64]
PROGRESS = "progress.npy"


def steps_made(folder: str | Path) -> int:
    """Return the steps that all processes together have noted; 0 before there are any."""
    try:
        return int(np.load(Path(folder) / PROGRESS, allow_pickle=False).sum())
    except (OSError, ValueError, EOFError):
        return 0  # not there yet, or just being written


def input_file(folder: str | Path, index: int) -> Path:
    """Return the file that the `Input` at a position of the graph's order plays."""
    return Path(folder) / f"node.{index}.input"


@dataclass(frozen=True)
class Frame:
    """Where a node stands in the run: all it needs besides its arithmetic.

    Attributes
    ----------
    folder, index, node
        Folder of the job, position of the node in graph order, its name.
    channels
        Messages that it sends at each step.
    latency, delays
        Network steps that it lags behind, and that each of its operands has to wait.
    samples, steps, batch
        B, T, and how many samples are in a batch.
    recorded
        Whether its values are kept.
    lengths
        Steps of each sequence ``(B,)``; None: all have T.
    """

    folder: str
    index: int
    node: str
    channels: int
    latency: int
    delays: tuple[int, ...]
    samples: int
    steps: int
    batch: int
    recorded: bool
    lengths: Integers | None = None

    @property
    def groups(self) -> int:
        """How many sets of side-by-side samples follow each other."""
        return -(-self.samples // self.batch)

    def file(self, kind: str) -> Path:
        """Return the file of this node for ``values`` or ``summary``."""
        return Path(self.folder) / f"node.{self.index}.{kind}"

    def ending(self, samples: Integers, step: int) -> NDArray[np.bool_]:
        """Return which of these samples have their last step, counted from 0, here."""
        ends = self.steps if self.lengths is None else self.lengths[samples]
        return np.broadcast_to(np.asarray(ends == step + 1), samples.shape)

    def place(self, network_step: int) -> tuple[slice, int] | None:
        """Return the samples and the logical step (from 0) of a network step (from 1).

        None before the first message can have arrived and after the last one has.
        """
        group, step = divmod(network_step - 1 - self.latency, self.steps)
        if not 0 <= group < self.groups:
            return None
        first = group * self.batch
        return slice(first, min(first + self.batch, self.samples)), step


class Recorder:
    """The files of one node while it runs.

    Attributes
    ----------
    fired
        Non-zero messages sent by each channel, ``(C,)``.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.fired = np.zeros(frame.channels, np.int64)
        self._states: dict[str, NDArray[np.int32]] = {}
        self._first = 0.0
        shape = (frame.samples, frame.steps, frame.channels)
        # plain arrays over the maps: indexing a np.memmap makes an object of its class each time
        self._values = (
            np.asarray(
                open_memmap(  # type: ignore[no-untyped-call]
                    frame.file("values"), "w+", np.int32, shape
                )
            )
            if frame.recorded
            else None
        )
        self._progress = np.asarray(np.load(Path(frame.folder) / PROGRESS, mmap_mode="r+"))

    def entered(self) -> None:
        """Note that the first network step begins."""
        self._first = time.monotonic()

    def done(self, network_step: int) -> None:
        """Note that a network step has been made."""
        self._progress[self.frame.index] = network_step

    def message(self, samples: slice | Integers, step: int, values: Integers) -> None:
        """Keep what was sent at a logical step, ``(samples, C)``."""
        self.fired += (values != 0).sum(axis=0)
        if self._values is not None:
            self._values[samples, step] = values

    def keep(self, name: str, samples: slice | Integers, values: NDArray[np.integer]) -> None:
        """Keep a state at the end of its samples, ``(samples, ...)``."""
        if name not in self._states:
            shape = (self.frame.samples, *values.shape[1:])
            self._states[name] = np.zeros(shape, np.int32)
        self._states[name][samples] = values

    def close(self, saturations: int) -> None:
        """Write the rest; the last act of a process in a run. Values are in their file already."""
        states = {f"state.{name}": array for name, array in self._states.items()}
        span = np.array([self._first, time.monotonic()])
        with self.frame.file("summary").open("wb") as file:
            np.savez(
                file, allow_pickle=False, saturations=saturations, fired=self.fired, span=span,
                **states,
            )  # fmt: skip


def collect(folder: Path, recorded: Sequence[bool], result: Path) -> None:
    """Write one file from those of all nodes, `recorded` or not; after the network has run."""
    arrays: dict[str, NDArray[np.generic]] = {}
    saturations, spans = [], []
    for index, values in enumerate(recorded):
        with np.load(folder / f"node.{index}.summary", allow_pickle=False) as file:
            for key in file.files:
                if key == "fired" or key.startswith("state."):
                    arrays[f"{key}.{index}"] = file[key]
            saturations.append(int(file["saturations"]))
            spans.append(file["span"])
        if values:
            path = folder / f"node.{index}.values"
            arrays[f"value.{index}"] = np.load(path, mmap_mode="r", allow_pickle=False)
    first, last = np.array(spans).T
    arrays["seconds"] = np.array([last.max() - first.min()])
    arrays["saturations"] = np.array(saturations)
    np.savez(result, allow_pickle=False, **arrays)
