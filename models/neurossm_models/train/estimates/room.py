"""Free memory of a device."""

from __future__ import annotations

from pathlib import Path

import torch

_CGROUPS = (  # limit and use of a control group: version 2, version 1
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def free_memory(device: torch.device) -> int | None:
    """Return the bytes that a device has left; None where nobody says.

    Of a GPU what its driver says; of a CPU what Linux calls available, or what a container may
    still take, if that is less.
    """
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    if device.type != "cpu":
        return None
    found = [_available(), *(_left(*map(Path, files)) for files in _CGROUPS)]
    return min((size for size in found if size is not None), default=None)


def _available(path: Path = Path("/proc/meminfo")) -> int | None:
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return None
    fields = (line.split() for line in lines if line.startswith("MemAvailable:"))
    return next((int(kilobytes) * 1024 for _, kilobytes, *_ in fields), None)


def _left(limit: Path, used: Path) -> int | None:
    try:
        taken = int(used.read_text()) - _cached(used.with_name("memory.stat"))
        return max(0, int(limit.read_text()) - taken)
    except (OSError, ValueError):  # no such group, or "max": no limit
        return None


def _cached(stat: Path) -> int:
    """Return the bytes of files that were read and that the system drops where it needs room."""
    try:
        fields = dict(line.split() for line in stat.read_text().splitlines())
    except (OSError, ValueError):
        return 0
    # version 1 says of the groups below, which its use counts, under a name of its own
    return int(fields.get("total_inactive_file", fields.get("inactive_file", 0)))
