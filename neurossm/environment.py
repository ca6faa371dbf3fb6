"""What runs here: versions of packages, and the name of the CPU."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path


def version(package: str) -> str:
    """Return the version of an installed package; an empty text where it is missing."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return name and version of those packages that are installed."""
    return {package: found for package in packages if (found := version(package))}


def cpu_name() -> str:
    """Return the model name of the CPU."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown CPU"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
