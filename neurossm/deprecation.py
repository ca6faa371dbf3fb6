"""Names that go: one warning that says what to use instead, and when the old name ends.

A public name, an option or a key that changes keeps its old spelling for at least two minor
releases (docs/reference/public-api.md). The command line prints the warning as one line.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

GONE = "0.4"
T = TypeVar("T")


class Deprecated(FutureWarning):
    """Something that was used has a new name; shown by default, as it is meant for users."""


def deprecated(old: str, new: str, *, gone: str = GONE, stacklevel: int = 3) -> None:
    """Warn that `old` goes.

    Parameters
    ----------
    old
        What was used, as a user typed it.
    new
        What to use instead, likewise.
    gone
        The release that no longer knows `old`.
    stacklevel
        Of `warnings.warn`: 3 points at the caller of the function that calls this.
    """
    warnings.warn(
        f"{old} is deprecated, use {new} (removed in {gone})", Deprecated, stacklevel=stacklevel
    )


def renamed(**names: str) -> Callable[[T], T]:
    """Return a decorator of a class or function that still takes keywords by their old names.

    Parameters
    ----------
    names
        Old name to new name.

    Raises
    ------
    TypeError
        From a call that gives a keyword by both names.

    Examples
    --------
    >>> @renamed(size="batch")
    ... def go(batch): ...
    >>> go(size=8)  # warns: go(size=) is deprecated, use go(batch=)
    """

    def decorate(target: T) -> T:
        kind = isinstance(target, type)
        inner: Any = target.__init__ if kind else target  # type: ignore[misc]
        called: str = target.__name__  # type: ignore[attr-defined]

        @wraps(inner)
        def takes_both(*args: Any, **kwargs: Any) -> Any:
            for old, new in names.items():
                if old not in kwargs:
                    continue
                if new in kwargs:
                    raise TypeError(f"{called}() got both {new} and its old name {old}")
                deprecated(f"{called}({old}=)", f"{called}({new}=)")
                kwargs[new] = kwargs.pop(old)
            return inner(*args, **kwargs)

        if not kind:
            return takes_both  # type: ignore[return-value]
        target.__init__ = takes_both  # type: ignore[misc]
        return target

    return decorate
