"""Lava 0.10.0 on current Pythons: versions, and what is installed."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from importlib.machinery import PathFinder
from pathlib import Path

from neurossm.environment import version
from neurossm.errors import TargetError
from neurossm.extras import INSTALL_LAVA, LAVA_VERSION

FIRST_BROKEN_NUMPY = (2, 4)


@dataclasses.dataclass(frozen=True)
class LavaStatus:
    """What is known about Lava on this machine, without importing it.

    Attributes
    ----------
    version, numpy_version
        Installed versions; `version` is empty where lava-nc is not installed.
    shim_needed
        True on Python 3.11 and newer, where lava-nc cannot be imported without
        `neurossm_chip.runtime.ensure`.
    loihi_installed
        True where the closed package lava-loihi is present.
    problem, remedy
        Why Lava cannot be used here, and what to do; both empty where it can.
    """

    version: str
    numpy_version: str
    shim_needed: bool
    loihi_installed: bool
    problem: str
    remedy: str

    @property
    def usable(self) -> bool:
        """True where nothing speaks against running it."""
        return not self.problem


def status() -> LavaStatus:
    """Return what is installed. Imports nothing of Lava (its import fixes the fork method)."""
    lava_version, numpy_version = version("lava-nc"), version("numpy")
    problem, remedy = _problem(lava_version, numpy_version)
    return LavaStatus(
        version=lava_version,
        numpy_version=numpy_version,
        shim_needed=sys.version_info >= (3, 11),
        loihi_installed=_loihi_installed(),
        problem=problem,
        remedy=remedy,
    )


def require_lava() -> None:
    """Raise a `TargetError` with the remedy unless Lava can be used here."""
    found = status()
    if found.problem:
        raise TargetError("Lava", got=found.problem, remedy=found.remedy)


def _problem(version: str, numpy_version: str) -> tuple[str, str]:
    if not version:
        return "lava-nc is not installed", INSTALL_LAVA
    if version != LAVA_VERSION:
        return f"lava-nc {version}, where only {LAVA_VERSION} is supported", INSTALL_LAVA
    if too_new(numpy_version):
        return f"numpy {numpy_version}, with which Lava hangs (not with 2.3)", INSTALL_LAVA
    if missing := not_importable():
        return f"no {missing}, which Lava imports", INSTALL_LAVA
    return "", ""


def too_new(numpy_version: str) -> bool:
    """Tell whether Lava hangs with a version of numpy."""
    numbers = tuple(int(part) for part in numpy_version.split(".")[:2])
    return numbers >= FIRST_BROKEN_NUMPY


def not_importable() -> str:
    """Return the first module that Lava imports and that is not installed; empty: all are."""
    missing = [n for n in ("scipy", "networkx", "asteval") if importlib.util.find_spec(n) is None]
    return missing[0] if missing else ""


def _loihi_installed() -> bool:
    # lava.utils.loihi.is_installed() looks for this module; the same question without the import
    top = importlib.util.find_spec("lava")
    if top is None or top.submodule_search_locations is None:
        return False
    folders = [str(Path(place) / "utils") for place in top.submodule_search_locations]
    return PathFinder.find_spec("lava.utils.loihi2_profiler", folders) is not None
