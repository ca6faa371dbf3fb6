"""Installs Lava into this Python, although it declares Python < 3.11 and no resolver does."""

from __future__ import annotations

import importlib
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from neurossm.errors import TargetError, one_line
from neurossm.extras import INSTALL_LAVA, LAVA_SHA256, LAVA_VERSION
from neurossm.temporary import temporary_folder
from neurossm_workflows.listener import QUIET, Listener

QUIETLY = ("install", "--quiet", "--disable-pip-version-check", "--no-input")
# what makes it importable is what imports it everywhere else
IMPORTS = "from neurossm_chip.runtime import ensure; ensure(); import lava.magma.core.run_configs"
SYSTEM = "externally-managed"  # how pip names a Python that belongs to the operating system


@dataclass(frozen=True)
class Installed:
    """What an installation found and did.

    Attributes
    ----------
    version
        Of lava-nc.
    requirements
        What was handed to pip, empty where everything was there.
    seconds
        Of all of it; 0 where nothing was done.
    """

    version: str
    requirements: tuple[str, ...] = ()
    seconds: float = 0.0


def install_lava(listener: Listener = QUIET) -> Installed:
    """Install lava-nc 0.10.0, and what it imports, for the Python that runs this.

    Its wheel is accepted by its SHA-256 alone. Where this Python has no pip (environments that uv
    made), the pip runs that every Python carries for `ensurepip`. What is there stays as it is;
    numpy 2.4 and newer is replaced by an older one, because Lava hangs with it.

    Raises
    ------
    TargetError
        If there is no pip, pip fails, or Lava cannot be imported afterwards.
    """
    from neurossm_converters.backends.lava import shim

    before = shim.status()
    if before.usable:
        return Installed(before.version)
    pip, started = pip_command(), time.monotonic()
    lava = f"lava-nc=={LAVA_VERSION}"
    needs = requirements() if needs_more(before.numpy_version) else ()
    listener.tell(f"installing {', '.join((*needs, lava))} into {sys.prefix} (lava-nc declares"
                  " Python < 3.11; it runs here with changes made at its import)")  # fmt: skip
    if needs:
        _run([*pip, *QUIETLY, *needs])
    if before.version != LAVA_VERSION:
        with temporary_folder("install") as temporary:
            file = temporary.path / "requirements.txt"
            file.write_text(f"{lava} --hash=sha256:{LAVA_SHA256}\n", encoding="utf-8")
            _run([*pip, *QUIETLY, "--no-deps", "--ignore-requires-python", "--only-binary=:all:",
                  "--require-hashes", "--requirement", str(file)])  # fmt: skip
    importlib.invalidate_caches()
    _run([sys.executable, "-c", IMPORTS], "Lava, just installed")
    after = shim.status()
    if after.problem:
        raise TargetError(f"{INSTALL_LAVA}: afterwards {after.problem}",
                          remedy="take a fresh environment: python3 -m venv .venv")  # fmt: skip
    return Installed(after.version, (*needs, lava), time.monotonic() - started)


def asked_for_lava() -> bool:
    """Tell whether the extra's packages are here and only lava-nc, which pip leaves out, is not.

    False as well where numpy would have to be replaced: not under a process that uses it.
    """
    from neurossm_converters.backends.lava import shim

    found = shim.status()
    return not found.version and not needs_more(found.numpy_version)


def needs_more(numpy_version: str) -> bool:
    """Tell whether what Lava imports is missing or too new."""
    from neurossm_converters.backends.lava import shim

    return shim.too_new(numpy_version) or bool(shim.not_importable())


def requirements() -> tuple[str, ...]:
    """Return what the extra ``lava`` of this neurossm asks for, as its metadata say."""
    try:
        declared = metadata.requires("neurossm") or []
    except metadata.PackageNotFoundError:
        raise TargetError("neurossm", expected="an installed package", got="its source alone",
                          remedy="pip install neurossm") from None  # fmt: skip
    halves = (line.partition(";") for line in declared)
    return tuple(
        package.strip() for package, _, marker in halves
        if marker.replace('"', "'").strip() == "extra == 'lava'"
    )  # fmt: skip


def pip_command() -> list[str]:
    """Return how pip is started for this Python: its own, else the wheel of `ensurepip`.

    Raises
    ------
    TargetError
        If there is neither.
    """
    if find_spec("pip") is not None:
        return [sys.executable, "-m", "pip"]
    ensurepip = find_spec("ensurepip")
    if ensurepip is not None and ensurepip.origin is not None:
        bundled = (Path(ensurepip.origin).parent / "_bundled").glob("pip-*.whl")
        for wheel in sorted(bundled, reverse=True):
            return [sys.executable, str(wheel / "pip")]  # Python runs what lies in an archive
    raise TargetError("pip", expected="pip, or Python's ensurepip", got="neither",
                      remedy=f"uv pip install pip && {INSTALL_LAVA}")  # fmt: skip


def _run(command: list[str], name: str = "pip") -> None:
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if not done.returncode:
        return
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")] or lines[-1:]
    remedy = f"see that the package index can be reached, then {INSTALL_LAVA}"
    if any(SYSTEM in line for line in lines):
        remedy = "install neurossm into a virtual environment: python3 -m venv .venv"
    raise TargetError(name, got=one_line(" ".join(errors)) or f"status {done.returncode}",
                      remedy=remedy)  # fmt: skip
