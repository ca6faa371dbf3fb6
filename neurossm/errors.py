"""The named ways to fail: each says where, what was expected, what came, and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_LONGEST = 2000  # characters of a part; what is foreign may be as long as its file
_LONGEST_GOT = 500


class NeurossmError(ValueError):
    """Base of every error that a user can cause or meet.

    Parameters
    ----------
    where
        What the message is about: a file, a node, an option.
    expected, got
        What was expected there, and what came instead. Either may be empty.
    remedy
        What the user can do about it. May be empty.
    """

    exit_status = 2

    def __init__(self, where: str, *, expected: str = "", got: str = "", remedy: str = "") -> None:
        self.where, self.expected, self.got, self.remedy = where, expected, got, remedy
        where, expected, remedy = (one_line(part, _LONGEST) for part in (where, expected, remedy))
        got = one_line(got, _LONGEST_GOT)
        parts = [f"expected {expected}" if expected else "", f"got {got}" if got else ""]
        body = ", ".join(part for part in parts if part)
        line = f"{where}: {body}" if body else where
        super().__init__(f"{line}; {remedy}" if remedy else line)


class InputError(NeurossmError):
    """A command-line option, a recipe, a data set or another input is wrong."""


class GraphError(NeurossmError):
    """A graph is not well formed, or a node cannot be expressed where it is needed."""


class FormatError(NeurossmError):
    """A file is not what its format says: truncated, wrong type or shape, altered, too new."""


class RangeError(NeurossmError):
    """A value does not fit the number format that it must fit."""


class TargetError(NeurossmError):
    """A back end is missing, cannot be used here, or failed while it ran."""


class CheckFailed(NeurossmError):
    """A check ran and its answer is no: a mismatch, a graph that does not fit."""

    exit_status = 1


class NeurossmWarning(UserWarning):
    """Something that was done, and that its user may want to know."""


def nearest(word: object, known: Iterable[str], otherwise: str = "") -> str:
    """Return ``did you mean '...'?`` for the known word that is closest, or `otherwise`."""
    close = difflib.get_close_matches(str(word), known, n=1)
    return f"did you mean {close[0]!r}?" if close else otherwise


def one_line(text: str, longest: int = _LONGEST) -> str:
    """Return foreign text as one line that a terminal prints, and does not obey.

    Parameters
    ----------
    text
        Of a file, a name, another program.
    longest
        Characters; what is longer ends in dots.
    """
    line = " ".join(text[: 2 * longest].split())
    if not line.isprintable():
        line = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in line)
    return line if len(line) <= longest else f"{line[: longest - 3]}..."
