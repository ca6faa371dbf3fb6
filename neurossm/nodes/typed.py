"""Fields of a node that hold something else than the class declares: named in an error."""

from __future__ import annotations

from dataclasses import Field, fields
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import shown
from neurossm.errors import GraphError
from neurossm.fixed import Fixed

# annotations, as they stand in the classes, to the types and the word for them
_TYPES: dict[str, tuple[tuple[type, ...], str]] = {
    "int": ((Integral,), "a whole number"),
    "float": ((Real,), "a number"),
    "str": ((str,), "a text"),
    "bool": ((bool,), "True or False"),
    "Fixed | None": ((Fixed, type(None)), "Fixed"),
}


def check_types(node: Any) -> None:
    """Raise `GraphError` for a field of a node that is no number, text or format as declared.

    As for one without channels, whose class says how many there are by a field.
    """
    for item in fields(node):
        kind = _annotation(item)
        types, expected = _TYPES.get(kind, ((object,), ""))
        value = getattr(node, item.name)
        where = f"{type(node).__name__}.{item.name}"
        # to Python, True is a whole number as well
        fits = isinstance(value, types) and isinstance(value, bool) == (kind == "bool")
        if expected and not fits:
            raise GraphError(where, expected=expected, got=shown(value))
        if item.name == "channels" and node.channels < 1:
            raise GraphError(where, expected="at least 1", got=str(value))


def check_spikes(node: Any, fmt: Fixed) -> None:
    """Give a node that spikes its one activation format; raise `GraphError` for another."""
    if node.out is None:
        object.__setattr__(node, "out", fmt)
    if node.out != fmt:
        raise GraphError(f"{type(node).__name__}.out", expected=str(fmt), got=str(node.out))


def real_numbers(value: object, where: str) -> NDArray[np.float64]:
    """Return an array of real numbers as a float64 copy; raise `GraphError` for anything else."""
    try:
        given = np.asarray(value)
    except (TypeError, ValueError):  # rows of unlike lengths
        given = np.asarray(None)
    if given.dtype.kind not in "biuf":
        raise GraphError(where, expected="real numbers", got=shown(value))
    return given.astype(np.float64)


def _annotation(item: Field[Any]) -> str:
    kind = item.type  # a text in modules that postpone annotations
    return kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
