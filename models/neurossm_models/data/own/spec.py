"""One grammar for data of one's own: ``PATH[:SPLIT[:N]]``, ``py:...`` and ``tonic:NAME``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from neurossm.errors import InputError, nearest
from neurossm_models.data.sets import SOURCES

TRAIN, VALID, TEST, ALL = "train", "valid", "test", "all"
PARTS = (TRAIN, VALID, TEST)
SPLITS = (*PARTS, ALL)
SUFFIXES = (".npz", ".h5", ".hdf5", ".npy", ".csv", ".tsv", ".ts", ".arff", ".txt")
PYTHON, TONIC = "py", "tonic"
_ENDING = "|".join(re.escape(suffix) for suffix in SUFFIXES)
_FILE = re.compile(rf"(?P<path>.*?(?:{_ENDING}))(?::(?P<rest>.*))?", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Spec:
    """What a text that names data of one's own says.

    Attributes
    ----------
    text
        As it was given.
    scheme
        ``""`` for a path, ``"py"`` for a function, ``"tonic"`` for a data set of that package.
    source
        The path; ``package.module:function`` or ``file.py:function``; the name of the data set.
    split
        One of `SPLITS`; empty where it was not said.
    count
        The first so many sequences only; None: all.
    """

    text: str
    scheme: str
    source: str
    split: str = ""
    count: int | None = None


def is_own(spec: object) -> bool:
    """Tell whether this names data of one's own rather than a registered data set.

    A path has a folder in it, an ending, or is there; a registered name alone is never a path, so
    a folder of that name is written ``./NAME``. An empty text names neither.
    """
    text = os.fspath(spec) if isinstance(spec, os.PathLike) else spec
    if not isinstance(text, str) or text[:1] in ("", ":"):
        return False
    head = text.partition(":")[0]
    if head in SOURCES:
        return False
    if head in (PYTHON, TONIC) and ":" in text:
        return True
    if "/" in head or os.sep in head or "." in head or Path(head).is_dir():
        return True
    path = _path_of(text)[0]
    return ":" in path and Path(path).exists()  # a colon is part of its name


def parse_own(spec: str | os.PathLike[str]) -> Spec:
    """Return what a text says that `is_own`; `InputError` where split or count are wrong."""
    if not isinstance(spec, str | os.PathLike):
        raise InputError("data", expected="a text or a path", got=type(spec).__name__,
                         remedy="arrays go through from_arrays, a torch Dataset through"
                         " from_torch_dataset")  # fmt: skip
    text = os.fspath(spec)
    head, _, tail = text.partition(":")
    if head == PYTHON:
        module, _, rest = tail.partition(":")
        function, *more = rest.split(":")
        if not module or not function:
            expected = "py:package.module:function or py:file.py:function"
            raise InputError(f"data {text!r}", expected=expected)
        return _with_part(text, PYTHON, f"{module}:{function}", more)
    if head == TONIC:
        name, *more = tail.split(":")
        if not name:
            raise InputError(f"data {text!r}", expected="tonic:NAME")
        return _with_part(text, TONIC, name, more)
    path, more = _path_of(text)
    return _with_part(text, "", path, more)


def _path_of(text: str) -> tuple[str, list[str]]:
    """Return the path in front, and what stands behind it."""
    if text and Path(text).exists():
        return text, []
    found = _FILE.fullmatch(text)
    if found:
        rest = found["rest"]
        return found["path"], [] if rest is None else rest.split(":")
    path, *more = text.split(":")
    return path, more


def _with_part(text: str, scheme: str, source: str, more: list[str]) -> Spec:
    where = f"data {text!r}"
    if not more:
        return Spec(text, scheme, source)
    if len(more) > 2:
        raise InputError(where, expected="at most :SPLIT:N behind the name", got=":".join(more))
    split = more[0]
    if len(more) == 1 and _looks_like_a_count(split):
        return Spec(text, scheme, source, "", _count(where, split))
    if split not in SPLITS:
        expected = f"{' | '.join(SPLITS)}, or a count of at least 1"
        raise InputError(where, expected=expected, got=repr(split), remedy=nearest(split, SPLITS))
    return Spec(text, scheme, source, split, _count(where, more[1]) if len(more) == 2 else None)


def _looks_like_a_count(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?[0-9.]+", text))


def _count(where: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise InputError(where, expected="a count of at least 1", got=repr(text))
    return int(text)
