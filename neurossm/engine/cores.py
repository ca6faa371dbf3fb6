"""How many cores this process may use, on any system, and how many of a thing that is work for."""

from __future__ import annotations

import os

from neurossm.arguments import shown, whole
from neurossm.errors import InputError

MOST_A_CORE = 16  # threads or processes: from one a core on, more of them only wait


def usable_cores() -> int:
    """Return the cores that this process may use; at least 1.

    Those of its affinity where the system has one (Linux), else all (macOS, Windows).
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_count(name: str, value: object) -> None:
    """Refuse a number of threads or processes of this machine that can only be a typing error.

    0 stands for one a core. At most `MOST_A_CORE` times the cores of this process.

    Raises
    ------
    InputError
        Called `name`.
    """
    cores = usable_cores()
    try:
        whole(name, value, 0, MOST_A_CORE * cores)
    except InputError as error:
        expected = f"{error.expected} ({MOST_A_CORE} a core of {cores})"
        raise InputError(name, expected=expected, got=shown(value),
                         remedy=f"{name}=0 takes one a core") from None  # fmt: skip
