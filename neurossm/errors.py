"""The errors of neurossm: each says where, what is wrong, and what to do about it, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from typing import Self

_LONGEST = 2000  # characters of a part; what is foreign may be as long as its file
_LONGEST_GOT = 500
_MOST_LINES = 5  # of several errors at once


class NeurossmError(ValueError):
    """Base class of the errors that neurossm raises: ``where: what is wrong; remedy``.

    Parameters
    ----------
    where
        What the message is about: a file, a node, an option.
    expected, got
        What was expected there and what was found, both as nouns. Either may be empty.
    problem
        What is wrong, as a plain sentence, in place of `expected` and `got`.
    remedy
        What the user can do about it. May be empty.
    others
        Further errors of the same input: each is a line of its own after this one.

    Raises
    ------
    TypeError
        If `problem` is given together with `expected` or `got`.

    Examples
    --------
    >>> str(NeurossmError("--samples", expected="a whole number", got="'x'"))
    "--samples: expected a whole number, got 'x'"
    >>> str(NeurossmError("graph", problem="edge a -> b is listed twice", remedy="remove one"))
    'graph: edge a -> b is listed twice; remove one'
    """

    exit_status = 2

    def __init__(
        self, where: str, *, expected: str = "", got: str = "", problem: str = "",
        remedy: str = "", others: Iterable[NeurossmError] = (),
    ) -> None:  # fmt: skip
        if problem and (expected or got):
            raise TypeError("an error takes either a problem, or what was expected and got")
        self.where, self.expected, self.got, self.remedy = where, expected, got, remedy
        self.problem = problem
        self.others = tuple(others)
        super().__init__(self._told())

    def _told(self) -> str:
        """Return the message, and keep its first line."""
        parts = (self.where, self.expected, self.problem, self.remedy)
        where, expected, problem, remedy = (one_line(part, _LONGEST) for part in parts)
        got = one_line(self.got, _LONGEST_GOT)
        words = (f"expected {expected}" if expected else "", f"got {got}" if got else "")
        body = problem or ", ".join(filter(None, words))
        line = f"{where}: {body}" if body else where
        self.line = f"{line}; {remedy}" if remedy else line
        lines = list(dict.fromkeys([self.line, *(other.line for other in self.others)]))
        more = len(lines) - _MOST_LINES
        return "\n".join(lines[:_MOST_LINES] + [f"and {more} more"] * (more > 0))

    def respell(self, change: Callable[[str], str]) -> None:
        """Change the words of each part; `got` is the user's own text, unless it is an option."""
        for one in (*self.others, self):
            parts = (one.where, one.expected, one.problem, one.remedy)
            one.where, one.expected, one.problem, one.remedy = map(change, parts)
            one.got = change(one.got) if one.got.startswith("--") else one.got
            one.args = (one._told(),)

    def inside(self, place: str, kind: type[NeurossmError] | None = None) -> NeurossmError:
        """Return the same error, of a kind, with a place in front of where it is."""
        return (kind or type(self))(
            f"{place}{self.where}", expected=self.expected, got=self.got, problem=self.problem,
            remedy=self.remedy,
            others=[other.inside(place, kind) for other in self.others],
        )  # fmt: skip

    @classmethod
    def together(cls, found: Sequence[Self]) -> Self:
        """Return several errors as one: the first, and the others behind it."""
        first, others = found[0], [*found[0].others]
        for one in found[1:]:
            others += (one, *one.others)
        return type(first)(first.where, expected=first.expected, got=first.got,
                           problem=first.problem, remedy=first.remedy, others=others)  # fmt: skip


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
