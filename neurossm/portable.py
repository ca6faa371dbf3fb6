"""What systems offer under other names, or not at all: locks of folders, and ended children.

Linux is tested. macOS lacks some of what Linux has; each function here says what it does then.
Windows is not supported, but nothing fails at import there. What counts cores, keeps freed memory
and ends process groups has fallbacks of its own: `neurossm.engine.cores`,
`neurossm_models.train.memory` and `neurossm.keeper`.
"""

from __future__ import annotations

import os
import subprocess
import sys

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

WINDOWS = "Windows is not supported; install neurossm inside WSL (Linux on Windows)"


def unsupported() -> str:
    """Return one line where neurossm does not support this system, else an empty text."""
    return WINDOWS if sys.platform == "win32" else ""


def lock(descriptor: int, *, wait: bool) -> None:
    """Lock an open file or folder for this process alone; it is unlocked when it is closed.

    Parameters
    ----------
    descriptor
        Of a file or folder that is open.
    wait
        Whether to wait where another process has locked it.

    Raises
    ------
    OSError
        If another process has locked it and `wait` is false, or where there are no such locks:
        some network file systems, and Windows.
    """
    if fcntl is None:
        raise OSError("this system has no locks of folders")
    fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))


def ended(child: subprocess.Popen[bytes], *, wait: bool = False) -> bool:
    """Return whether a child process has ended.

    Its process id stays in use until `child.wait`, so that its group cannot become another's.
    macOS says so without giving the id back from Python 3.13 on only; before that the id is given
    back, and is free for others once the last process of the group has ended.

    Parameters
    ----------
    child
        A process that this one started.
    wait
        Whether to wait for its end.
    """
    if hasattr(os, "waitid"):
        flags = os.WEXITED | os.WNOWAIT | (0 if wait else os.WNOHANG)
        return os.waitid(os.P_PID, child.pid, flags) is not None
    if wait:
        child.wait()
    return child.poll() is not None
