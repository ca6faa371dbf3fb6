"""Checks of arguments: what a caller got wrong is said by the argument's name."""

from __future__ import annotations

import dataclasses
import operator
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from neurossm.errors import InputError, nearest

T = TypeVar("T")


def whole(name: str, value: object, low: int = 1, high: int | None = None) -> int:
    """Return a whole number (`int` or NumPy's) in a range; `InputError` for anything else."""
    expected = f"a whole number of at least {low}"
    if high is not None:
        expected = f"a whole number, {low} to {high}"
    try:
        number = operator.index(value)  # type: ignore[arg-type]
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or number < low or (high is not None and number > high):
        raise InputError(name, expected=expected, got=shown(value))
    return number


def real(name: str, value: object, low: float, high: float, expected: str) -> float:
    """Return a number in a closed range; `InputError` for anything else, nan too."""
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        number = float("nan")
    if isinstance(value, str | bytes | bool) or not low <= number <= high:
        raise InputError(name, expected=expected, got=shown(value))
    return number


def one_of(name: str, value: object, choices: tuple[str, ...]) -> None:
    """Refuse what is none of some names."""
    if not isinstance(value, str) or value not in choices:
        raise InputError(name, expected=" | ".join(choices), got=shown(value))


def instance(name: str, value: Any, kind: type[T], remedy: str = "") -> T:
    """Return a value that is of a class; `InputError` for anything else."""
    if not isinstance(value, kind):
        raise InputError(name, expected=kind.__name__, got=shown(value), remedy=remedy)
    return value


def file_path(name: str, value: object) -> Path:
    """Return the path that a text or a path is; `InputError` for anything else."""
    if not isinstance(value, str | os.PathLike):
        raise InputError(name, expected="the path of a file", got=shown(value))
    return Path(value)


def several(name: str, value: Iterable[T], like: str) -> list[T]:
    """Return what is several, each `like` that; `InputError` for one text, or a mapping."""
    if isinstance(value, str | Mapping) or not isinstance(value, Iterable):
        raise InputError(name, expected=f"a list of {like}", got=shown(value))
    return [*value]


def options_of(name: str, kind: type[T], given: Mapping[str, Any]) -> T:
    """Return the dataclass of named options; `InputError` for a name that it does not have."""
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    for option in given:
        if option not in known:
            raise InputError(name, expected=f"arguments of {', '.join(known)}",
                             got=repr(option), remedy=nearest(option, known))  # fmt: skip
    return kind(**given)


def shown(value: object) -> str:
    """Return a value as an error says it: short ones as they are typed, others by their type."""
    if value is None or isinstance(value, str | bytes | int | float):
        with suppress(ValueError):  # a number of thousands of digits
            return repr(value)
    return type(value).__name__
