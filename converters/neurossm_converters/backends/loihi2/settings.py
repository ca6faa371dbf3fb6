"""Options of a deployment: the target, the processes, the queue of the machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from neurossm.errors import InputError

Target = Literal["lava", "loihi2"]
TARGETS: tuple[Target, ...] = ("lava", "loihi2")
GENERATIONS = ("N3B2", "N3B3", "N3C1", "N3D1")  # those of Loihi 2 in lava.utils.loihi
_WORD = re.compile(r"[A-Za-z0-9_.-]+")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")


@dataclass(frozen=True)
class Settings:
    """Options of a deployment.

    Parameters
    ----------
    target
        ``loihi2``, or ``lava`` for the CPU simulator.
    processes
        ``ours``, ``lava``, or names of nodes with commas between them: where Lava's own LIF and S4d
        stand in for processes of ours. Their arithmetic differs from the contract.
    models
        Modules that register neuro-core models of our processes.
    partition, board
        SLURM partition, or board (node), that a job asks for; at most one of them.
    generation
        Chip generation, as Lava's ``LOIHI_GEN``.
    profile
        Measure power, energy and time with Lava's profiler.
    vectors
        Run the first so many golden vectors; 0 for all.
    time_limit
        Seconds after which a run is ended; 0 for none.

    Raises
    ------
    InputError
        If an option is out of range, or two do not go together.
    """

    target: Target = "loihi2"
    processes: str = "ours"
    models: tuple[str, ...] = ()
    partition: str = ""
    board: str = ""
    generation: str = "N3B3"
    profile: bool = False
    vectors: int = 0
    time_limit: float = 0.0

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise InputError("--target", expected=" | ".join(TARGETS), got=repr(self.target))
        if self.generation not in GENERATIONS:
            got = repr(self.generation)
            raise InputError("--loihi-gen", expected=" | ".join(GENERATIONS), got=got)
        # both end up in a shell script
        for option, name in (("partition", self.partition), ("board", self.board)):
            if name and not _WORD.fullmatch(name):
                expected = "letters, digits, '.', '_' and '-'"
                raise InputError(f"--slurm-{option}", expected=expected, got=repr(name))
        if self.partition and self.board:
            raise InputError(
                "--slurm-board", expected="a partition or a board, not both (as Lava does)",
                got=f"partition {self.partition!r} and board {self.board!r}",
            )  # fmt: skip
        for module in self.models:
            if not _MODULE.fullmatch(module):
                raise InputError("--models", expected="the name of a Python module",
                                 got=repr(module))  # fmt: skip
        if self.profile and self.target == "lava":
            raise InputError("--profile requires --target loihi2",
                             remedy="the profiler exists on hardware only")  # fmt: skip
        if self.vectors < 0:
            raise InputError("vectors", expected="at least 0", got=str(self.vectors))
        if not 0 <= self.time_limit < float("inf"):
            raise InputError("time limit", expected="seconds", got=repr(self.time_limit))

    @property
    def exact(self) -> bool:
        """True where every process has the arithmetic of the contract."""
        return self.processes == "ours"

    def arguments(self) -> list[str]:
        """Return the options of the bundle's script."""
        found = ["--target", self.target, "--processes", self.processes]
        for module in self.models:
            found += ["--models", module]
        if self.vectors:
            found += ["--vectors", str(self.vectors)]
        if self.time_limit:
            found += ["--time-limit", f"{self.time_limit:g}"]
        return found + (["--profile"] if self.profile else [])

    def environment(self) -> dict[str, str]:
        """Return the variables by which Lava finds a board through SLURM."""
        if not (self.partition or self.board):
            return {}
        where = {"BOARD": self.board} if self.board else {"PARTITION": self.partition}
        return {"SLURM": "1", "LOIHI_GEN": self.generation, **where}
