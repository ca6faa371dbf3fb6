"""Results of a run of the bundle's script."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import TargetError
from neurossm.trace import Trace

CHIP = "Loihi 2"


@dataclass(frozen=True)
class ChipRun:
    """A finished run of golden vectors on the network that goes to the chip.

    Attributes
    ----------
    ran_on
        ``Loihi 2`` for a chip; else a sentence that says what it was instead. Derived from the
        models that ran, not from the target that was asked for.
    compared, differing
        Integers that were compared with the golden vectors, and those that differ.
    differences
        Name to number and largest distance, of values and states that differ.
    values
        Node name to integers ``(B, T, C)``: of every node on the simulator, of the outputs on a
        chip; 0 behind the end of a vector.
    states
        State name to integers; the last sample's alone on a chip.
    latency, network_steps, seconds
        Steps by which the outputs lag, steps made, and seconds of all runs with their start-up.
    lengths
        Steps of each golden vector.
    processes
        Lava processes in the network.
    models
        Lava process to the model that ran it.
    profile
        What Lava's profiler measured; empty unless asked for and measured on a chip.
    log
        What the script printed.
    """

    ran_on: str
    compared: int
    differing: int
    differences: dict[str, tuple[int, int]]
    values: dict[str, NDArray[np.int64]]
    states: dict[str, NDArray[np.int64]]
    latency: int
    network_steps: int
    seconds: float
    models: dict[str, str]
    log: str
    profile: dict[str, dict[str, float]] = field(default_factory=dict)
    lengths: tuple[int, ...] = ()
    processes: int = 0

    @property
    def on_chip(self) -> bool:
        """True where neuro-core models ran, and not as Python on the host."""
        return self.ran_on == CHIP

    @property
    def equal(self) -> bool:
        """True where something was compared and nothing differs."""
        return self.compared > 0 and self.differing == 0

    @property
    def trace(self) -> Trace:
        """The values and, where there are those of all samples, the states as a `Trace`."""
        samples, steps = next(iter(self.values.values())).shape[:2]
        states = {k: v for k, v in self.states.items() if len(v) == samples}
        lengths = np.array(self.lengths, np.int64) if self.lengths else None
        return Trace(f"bundle, {self.ran_on}", self.values, samples, steps, states, lengths=lengths)


def read_result(folder: Path, log: str) -> ChipRun:
    """Read ``result.json`` and ``result.npz``.

    Raises
    ------
    TargetError
        If one of them is not what the script writes.
    """
    try:
        about: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
        with np.load(folder / "result.npz", allow_pickle=False) as file:
            arrays = {key: file[key].astype(np.int64) for key in file.files}
        rows = about["rows"]
        profile = about.get("profile", {})
        return ChipRun(
            ran_on=about["ran_on"],
            compared=sum(row["compared"] for row in rows),
            differing=sum(row["differing"] for row in rows),
            differences={
                f"{row['name']} ({row['what']})": (row["differing"], row["largest"])
                for row in rows
                if row["differing"]
            },
            values=_part(arrays, "value:"),
            states=_part(arrays, "state:"),
            latency=about["latency"],
            network_steps=about["network_steps"],
            seconds=about["seconds"],
            models=about["models"],
            log=log,
            lengths=tuple(about["lengths"]),
            processes=about["processes"],
            profile={} if "not measured" in profile else profile,
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TargetError("result of the bundle", expected="a result", got=str(error)) from None


def _part(arrays: dict[str, NDArray[np.int64]], prefix: str) -> dict[str, NDArray[np.int64]]:
    return {k.removeprefix(prefix): v for k, v in arrays.items() if k.startswith(prefix)}
