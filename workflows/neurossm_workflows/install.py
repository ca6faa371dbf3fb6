"""Installs what no resolver does: lava-nc, which declares Python < 3.11, in one tested version."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from neurossm.errors import TargetError
from neurossm.extras import LAVA_PIN, LAVA_SHA256
from neurossm.temporary import temporary_folder
from neurossm_workflows.listener import QUIET, Listener

_ALONE = ("--no-deps", "--ignore-requires-python")
_SECONDS = 900  # 8 MB, and scipy where the extra was not installed


@dataclass(frozen=True)
class Installed:
    """What is there after an installation.

    Attributes
    ----------
    name, version
        Of the package.
    done
        Requirements that were installed now; empty where all of it was there.
    """

    name: str
    version: str
    done: tuple[str, ...]


def install_lava(listener: Listener = QUIET) -> Installed:
    """Install lava-nc 0.10.0 into the environment that runs, with what it imports.

    pip installs it without its requirements, whatever Python it declares, from a wheel with the
    pinned SHA-256; the requirements of the extra ``lava`` follow where they are missing. Nothing
    is installed where Lava is usable already.

    Parameters
    ----------
    listener
        Is told what is installed.

    Raises
    ------
    TargetError
        If there is no pip, also none with Python itself, or pip fails: with its last line.
    """
    from neurossm_converters.backends.lava import shim

    done: list[str] = []
    if not shim.status().usable:
        pip = _pip()
        if wanted := _unmet():
            listener.tell(f"installing {', '.join(wanted)}")
            _run([*pip, *wanted])
            done += wanted
        if shim.status().version != shim.LAVA_VERSION:
            listener.tell(f"installing {LAVA_PIN} (8 MB), which pip does not by itself")
            with temporary_folder("install") as temporary:
                pinned = temporary.path / "requirements.txt"
                pinned.write_text(f"{LAVA_PIN} --hash=sha256:{LAVA_SHA256}\n", encoding="utf-8")
                _run([*pip, *_ALONE, "--only-binary=:all:", "--require-hashes",
                      "--requirement", str(pinned)])  # fmt: skip
            done.append(LAVA_PIN)
        importlib.invalidate_caches()
    found = shim.status()
    if found.problem:  # of what this installs nothing is missing: a version that something holds
        raise TargetError("install lava", got=found.problem, remedy="see 'neurossm doctor'")
    return Installed("lava-nc", found.version, tuple(done))


def lava_asked_for() -> bool:
    """Return whether the extra ``lava`` was installed, so that lava-nc is all that is missing."""
    return not _unmet()


def _unmet() -> list[str]:
    """Return requirements of the extra that are not installed, or not in a version it allows."""
    from packaging.requirements import Requirement

    unmet = []
    for text in metadata.requires("neurossm") or []:
        requirement = Requirement(text)
        if requirement.marker is None or not requirement.marker.evaluate({"extra": "lava"}):
            continue
        if requirement.marker.evaluate({"extra": ""}):
            continue  # every installation has it
        try:
            held = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            held = ""
        if not held or not requirement.specifier.contains(held, prereleases=True):
            unmet.append(f"{requirement.name}{requirement.specifier}")
    return unmet


def _pip() -> list[str]:
    """Return how to install: pip of this environment, else the one that comes with Python."""
    options = ["install", "--disable-pip-version-check", "--no-input"]
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-m", "pip", *options]
    try:
        import ensurepip
    except ImportError:
        ensurepip = None  # type: ignore[assignment]
    folder = Path(ensurepip.__file__).parent / "_bundled" if ensurepip else Path()
    wheels = sorted(folder.glob("pip-*.whl")) if ensurepip else []
    if not wheels:
        raise TargetError(
            "install lava", expected="pip, in this environment or with Python", got="none",
            remedy="install pip into this environment ('uv pip install pip') and repeat",
        )  # fmt: skip
    return [sys.executable, str(wheels[-1] / "pip"), *options]


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        raise TargetError("install lava", got=f"no end of pip within {_SECONDS} s",
                          remedy="repeat it where the network is faster") from None  # fmt: skip
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        said = " ".join((lines or done.stderr.splitlines() or ["nothing"])[-1].split())
        raise TargetError(
            "install lava", got=f"pip failed: {said}",
            remedy="repeat it where the network is; for a machine without one fetch the wheel with"
            f" 'pip download {' '.join(_ALONE)} {LAVA_PIN}' and install that with the same options",
        )  # fmt: skip
