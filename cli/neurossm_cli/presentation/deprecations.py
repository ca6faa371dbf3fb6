"""Warnings of ours as lines on stderr, each once: names that go, and notes."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from neurossm.deprecation import Deprecated
from neurossm.errors import NeurossmWarning


@contextmanager
def deprecations_told() -> Iterator[None]:
    """Within this, each warning of ours is one line, however often it comes."""
    told: set[str] = set()
    shown = warnings.showwarning

    def show(message: Any, category: type[Warning], *where: Any, **others: Any) -> None:
        if not issubclass(category, Deprecated | NeurossmWarning):
            shown(message, category, *where, **others)
        elif str(message) not in told:
            told.add(str(message))
            print(f"{'neurossm' if issubclass(category, Deprecated) else 'note'}: {message}",
                  file=sys.stderr)  # fmt: skip

    with warnings.catch_warnings():
        warnings.simplefilter("always", Deprecated)
        warnings.simplefilter("always", NeurossmWarning)
        warnings.showwarning = show
        yield
