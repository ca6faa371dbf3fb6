"""Runs the bundle's script in a process group of its own, and ends all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import neurossm_chip
from neurossm.errors import TargetError
from neurossm.portable import ended
from neurossm.temporary import TemporaryFolder, temporary_folder
from neurossm_converters.backends.lava.child import ENVIRONMENT
from neurossm_converters.backends.loihi2.result import ChipRun, read_result
from neurossm_converters.backends.loihi2.settings import Settings

FILES = Path(__file__).parent / "files"
CHIP = Path(neurossm_chip.__file__).parent  # goes into a bundle beside the script
REFUSED = 2


def check(graph: Path, settings: Settings) -> str:
    """Return what the script says it would build; starts no Lava and writes nothing.

    Raises
    ------
    TargetError
        If it refuses: a node that Lava's own process cannot express, a path that is too long.
    """
    arguments = [*settings.arguments(), "--graph", str(graph), "--check"]
    with temporary_folder("deploy") as temporary:
        status, log = _call(FILES, arguments, settings, temporary)
    if status:
        raise _failure(log, status)
    return log.strip()


def run(graph: Path, settings: Settings, folder: Path = FILES) -> ChipRun:
    """Run the golden vectors of a file and compare.

    Parameters
    ----------
    graph
        An integer graph with golden vectors.
    settings
        Where and how.
    folder
        A bundle; by default the script as installed, which is the same.

    Raises
    ------
    TargetError
        If lava-nc, lava-loihi or a neuro-core model is missing, a node is refused, or Lava fails.
    """
    with temporary_folder("deploy") as temporary:
        out = temporary.path / "out"
        arguments = [*settings.arguments(), "--graph", str(graph), "--out", str(out)]
        status, log = _call(folder, arguments, settings, temporary)
        if not (out / "result.json").exists():
            raise _failure(log, status)
        return read_result(out, log)


def _call(
    folder: Path, arguments: list[str], settings: Settings, temporary: TemporaryFolder
) -> tuple[int, str]:
    """Run the script; return its status and what it printed."""
    # a file and not a pipe for what it prints: orphans would hold a pipe open
    with (temporary.path / "log.txt").open("w+b") as log:
        child = subprocess.Popen(
            [sys.executable, str(folder / "run.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            # the script makes its own below this one, which is removed in any case
            env={**os.environ, **ENVIRONMENT, **settings.environment(),
                 "NEUROSSM_TEMPORARY": str(temporary.path)},
        )  # fmt: skip
        with temporary.ending(child):  # also after Ctrl-C
            ended(child, wait=True)
        log.seek(0)
        return child.returncode, log.read().decode(errors="replace")


def _failure(log: str, status: int) -> TargetError:
    lines = [line for line in log.splitlines() if line.strip()]
    said = [line for line in lines if line.startswith("run.py: ")]
    if status == REFUSED and said:
        return TargetError(said[-1].removeprefix("run.py: "))
    return TargetError(
        "the bundle's script", expected="an answer", got=f"status {status}: {' '.join(lines[-1:])}"
    )
