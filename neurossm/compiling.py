"""A word when kernels compile: once per machine, which takes seconds, and then from Numba's cache.

Nothing is said in Python unless `tell` was called; the command line calls it. Numba is not imported
here: modules with kernels call `watch`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

SAID = "compiling kernels for this machine, once; later runs find them in Numba's cache"

_lock = threading.Lock()
_tell: Callable[[str], None] | None = None
_watched = False


def tell(function: Callable[[str], None] | None) -> None:
    """Have a function called with a sentence when the first kernel compiles; None: nobody is told.

    What Numba loads from its cache is not compiled, and nothing is said.
    """
    global _tell
    with _lock:
        _tell = function


def watch() -> None:
    """Listen to Numba's compiler; called where kernels are defined, as often as you like."""
    global _watched
    with _lock:
        if _watched:
            return
        _watched = True
    from numba.core import event

    class Listener(event.Listener):
        def on_start(self, event: object) -> None:
            _say()

        def on_end(self, event: object) -> None:
            pass

    event.register("numba:compile", Listener())  # type: ignore[no-untyped-call]


def _say() -> None:
    global _tell
    with _lock:
        function, _tell = _tell, None
    if function is not None:
        function(SAID)
