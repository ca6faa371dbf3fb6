"""What is typed or called by an old name: one line on stderr, once."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neurossm.deprecation import Deprecated


@contextmanager
def deprecations_told() -> Iterator[None]:
    """Within this, each warning of a name that goes is one line, however often it comes."""
    told: set[str] = set()
    shown = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **others: Any) -> None:
        if not issubclass(category, Deprecated):
            shown(message, category, *where, **others)
        elif str(message) not in told:
            told.add(str(message))
            print(f"neurossm: {message}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", Deprecated)
        warnings.showwarning = show
        yield
