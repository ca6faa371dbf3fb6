"""Says once per process that kernels are being compiled, which only a first run waits for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

COMPILING = "compiling the training kernels for this machine, once"
_said = False


@contextmanager
def compiling_said(say: Callable[[str], object]) -> Iterator[None]:
    """Call `say` with one line when Numba begins to compile; loading compiled code is no reason.

    The line is said once in a process.
    """
    from numba.core import event

    class _Listener(event.Listener):
        def on_start(self, event: Any) -> None:
            global _said
            if not _said:
                _said = True
                say(COMPILING)

        def on_end(self, event: Any) -> None:
            pass

    with event.install_listener("numba:compile", _Listener()):
        yield
