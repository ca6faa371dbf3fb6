"""Numba's compiler, with a notice when it compiles, and a way without a folder to cache in.

What Numba compiles it keeps in a folder, so it works once per machine and version, for seconds.
Where no folder can be written it refuses to define a function that it is to keep; here it then
compiles at every start.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from typing import Any

NO_FOLDER = "cannot cache function"  # how Numba's error begins

Began = Callable[[bool], None]
Ended = Callable[[float], None]

_lock = threading.Lock()
_followers: list[tuple[Began, Ended]] = []
_running = 0  # compilations that began and have not ended, of all threads, inner ones too
_since = 0.0
_seconds = 0.0
_kept = True


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return Numba's decorator of that name; ``cache=True`` is a wish.

    A function that closes over something (a kernel for so many segments) is compiled under a name
    of its own for each content. Numba names machine code by the function's name and a number that
    begins anew in each process: two of one name, compiled and cached by two processes, would be one
    symbol in a third, and its code the first one's.

    Parameters
    ----------
    **options
        Of ``numba.njit``.
    """
    import numba

    listen()

    def compiled(function: Callable[..., Any]) -> Any:
        global _kept
        name = _name_of(function)
        if function.__closure__:
            function.__qualname__ = f"{function.__qualname__}_{name.rpartition(':')[2][:16]}"
        try:
            made = numba.njit(**options)(function)
        except RuntimeError as error:
            if not options.get("cache") or not str(error).startswith(NO_FOLDER):
                raise
            _kept = False
            made = numba.njit(**{**options, "cache": False})(function)
        made._set_uuid(name)
        file = getattr(made._cache, "_cache_file", None)
        if file is not None:
            made._cache._cache_file = _Checked(file)
        return made

    return compiled


def _name_of(function: Callable[..., Any]) -> str:
    """Return what a function is called in every process, with what it closes over.

    A function that closes over a compiled one is looked for in the cache by the number of that one,
    and Numba makes that number anew in each process: it would never be found.
    """
    from numba.core.serialize import dumps

    cells = tuple(cell.cell_contents for cell in function.__closure__ or ())
    code = function.__code__.co_code + dumps(cells)  # type: ignore[no-untyped-call]
    return f"{function.__module__}.{function.__qualname__}:{sha256(code).hexdigest()}"


class _Checked:
    """Numba's file of cached code, in which what is found is what was asked for.

    Numba numbers the files of a function and writes the list of them first: two processes that
    write at once, or one that ends between the two, leave a list that leads to other code. Here
    the code has its key beside it; what has another is forgotten and compiled again.
    """

    def __init__(self, file: Any) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def load(self, key: Any) -> Any:
        """Return the code of a key, None if there is none."""
        found = self._file.load(key)
        if found is None:
            return None
        if isinstance(found, tuple) and len(found) == 2 and found[0] == key:
            return found[1]
        listed = self._file._load_index()
        listed.pop(key, None)
        self._file._save_index(listed)
        return None

    def save(self, key: Any, code: Any) -> None:
        """Keep code with its key."""
        self._file.save(key, (key, code))


def seconds() -> float:
    """Return how long this process has compiled, in all; that which has not ended counts too."""
    with _lock:
        return _seconds + (time.monotonic() - _since if _running else 0.0)


@contextmanager
def followed(began: Began, ended: Ended) -> Iterator[None]:
    """Within this, tell when compiling begins and ends.

    Called by the thread that compiles. What the cache holds is not compiled.

    Parameters
    ----------
    began
        Gets whether the result is kept for later starts.
    ended
        Gets how long it took, in seconds.
    """
    follower = (began, ended)
    _followers.append(follower)
    try:
        yield
    finally:
        _followers.remove(follower)


def _begin() -> None:
    global _running, _since
    with _lock:
        _running += 1
        if _running > 1:
            return
        _since = time.monotonic()
    for began, _ in tuple(_followers):
        began(_kept)


def _end() -> None:
    global _running, _seconds
    with _lock:
        _running -= 1
        if _running:
            return
        took = time.monotonic() - _since
        _seconds += took
    for _, ended in tuple(_followers):
        ended(took)


@cache
def listen() -> None:
    """Hear of Numba's compilations, from now on."""
    from numba.core import event

    class Told(event.Listener):
        def on_start(self, event: object) -> None:
            _begin()

        def on_end(self, event: object) -> None:
            _end()

    event.register("numba:compile", Told())  # type: ignore[no-untyped-call]
