"""Receives messages of a workflow: assumptions, the current stage, progress."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from neurossm.errors import NeurossmWarning

Advance = Callable[[int], None]  # is told how many more are done


def _warn(text: str) -> None:
    warnings.warn(text, NeurossmWarning, stacklevel=2)


def _nothing(text: str) -> None:
    """Say nothing."""


@contextmanager
def _unseen(label: str, total: int) -> Iterator[Advance]:
    yield lambda done: None


@dataclass(frozen=True)
class Listener:
    """Callbacks of a workflow; by default what was assumed is a warning, and the rest is silent.

    Attributes
    ----------
    note
        Gets a sentence on what was assumed or left out, which the user may want to know.
    tell
        Gets a sentence on what is done now.
    progress
        Gets a label and how many there are in all; gives, while it is entered, a function that is
        told how many more are done.

    Examples
    --------
    >>> def bar(label, total):
    ...     return tqdm_manager(label, total)  # gives a function of one number
    >>> neurossm.quantize("m.nssm", "mnist:train:512", listener=Listener(progress=bar))
    """

    note: Callable[[str], None] = _warn
    tell: Callable[[str], None] = _nothing
    progress: Callable[[str, int], AbstractContextManager[Advance]] = _unseen


QUIET = Listener()
