"""Names that go: one warning that says what to use instead, and when the old name ends.

A public name, an option or a key that changes keeps its old spelling for at least two minor
releases (docs/reference/public-api.md). The command line prints the warning as one line.
"""

from __future__ import annotations

import warnings

GONE = "0.4"


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
