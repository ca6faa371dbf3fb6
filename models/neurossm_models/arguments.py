"""Checks of arguments: each raises `InputError` that names the argument and what came."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from numbers import Real

from neurossm.errors import InputError, nearest


def check_number(where: str, value: object, *, least: float | None = None) -> None:
    """Raise `InputError` unless `value` is finite, and above 0, or at least `least` if given.

    -inf as `least`: any finite number.
    """
    bound = " above 0" if least is None else f" of at least {least:g}"
    bound = "" if least == -math.inf else bound
    if isinstance(value, Real) and not isinstance(value, bool):
        number = float(value)
        if math.isfinite(number) and (number > 0 if least is None else number >= least):
            return
    raise InputError(where, expected=f"a finite number{bound}", got=repr(value))


def check_fraction(where: str, value: object) -> None:
    """Raise `InputError` unless ``0 < value < 1``."""
    if not isinstance(value, Real) or not 0 < float(value) < 1:
        raise InputError(where, expected="0 < f < 1", got=repr(value))


def check_path(where: str, value: object) -> None:
    """Raise `InputError` unless `value` is a path or a name."""
    if not isinstance(value, str | os.PathLike):
        raise InputError(where, expected="a path or a name", got=repr(value))


def check_leak(where: str, value: float) -> None:
    """Raise `InputError` unless 0 <= value < 1."""
    if not isinstance(value, Real) or not 0 <= value < 1:
        raise InputError(where, expected="0 <= factor < 1", got=str(value))


def check_choice(where: str, value: str, choices: Sequence[str]) -> None:
    """Raise `InputError` unless `value` is one of `choices`; name the nearest one."""
    if value not in choices:
        expected = "one of " + ", ".join(choices)
        raise InputError(where, expected=expected, got=repr(value), remedy=nearest(value, choices))
