"""How many cores this process may use, on any system."""

from __future__ import annotations

import os


def usable_cores() -> int:
    """Return the cores that this process may use; at least 1.

    Those of its affinity where the system has one (Linux), else all (macOS, Windows).
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
