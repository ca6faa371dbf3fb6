"""The facts of data of one's own as text, kept beside what was trained on them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from neurossm.errors import FormatError, InputError
from neurossm.fixed import Scaling, TargetScaling
from neurossm_models.data.labels import KINDS
from neurossm_models.data.task import Task

_FIELDS = {field.name: field for field in dataclasses.fields(Task)}
_NAMES = ("class_names", "channel_names")
_SCALINGS: dict[str, Any] = {"scaling": Scaling, "target": TargetScaling}
_TYPES: dict[str, tuple[type, ...]] = {
    "int": (int,), "float": (float, int), "str": (str,), "float | None": (float, int, type(None))
}  # fmt: skip


def task_to_json(facts: Task) -> str:
    """Return facts as JSON, which `task_from_json` reads to the same."""
    plain: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(facts, name)
        if name in _SCALINGS:
            value = None if value is None else value.as_json()
        plain[name] = list(value) if name in _NAMES else value
    return json.dumps(plain, indent=2)


def task_from_json(text: str) -> Task:
    """Return the facts that `task_to_json` gave.

    Raises
    ------
    FormatError
        For anything else.
    """
    try:
        plain = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FormatError("facts", expected="JSON", got=str(error)) from None
    if not isinstance(plain, dict) or set(plain) != set(_FIELDS):
        got = ", ".join(map(str, plain)) if isinstance(plain, dict) else type(plain).__name__
        raise FormatError("facts", expected=f"the keys {', '.join(_FIELDS)}", got=got)
    given = {name: _read(name, value) for name, value in plain.items()}
    if given["kind"] not in KINDS:
        raise FormatError("facts kind", expected=" | ".join(KINDS), got=repr(given["kind"]))
    return Task(**given)


def _read(name: str, value: Any) -> Any:
    if name in _SCALINGS:
        try:
            return None if value is None else _SCALINGS[name].from_json(value)
        except InputError as error:
            where = f"facts {error.where}"
            raise FormatError(where, expected=error.expected, got=error.got) from None
    if name in _NAMES:
        if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
            raise FormatError(f"facts {name}", expected="a list of texts", got=repr(value))
        return tuple(value)
    kind = str(_FIELDS[name].type)
    if not isinstance(value, _TYPES[kind]) or isinstance(value, bool):
        raise FormatError(f"facts {name}", expected=kind, got=repr(value))
    return value
