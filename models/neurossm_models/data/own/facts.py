"""The learned facts of your own data as text, kept with the network that was trained on them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, Literal, get_type_hints

from neurossm.errors import FormatError, InputError
from neurossm.fixed import Scaling, TargetScaling
from neurossm.validation import check_record
from neurossm_models.data.labels import KINDS
from neurossm_models.data.task import Task

_FIELDS = [field.name for field in dataclasses.fields(Task)]
_NAMES = ("class_names", "channel_names")
_SCALINGS: dict[str, Any] = {"scaling": Scaling, "target": TargetScaling}
_KINDS = {
    **get_type_hints(Task), **dict.fromkeys(_NAMES, list[str]), **dict.fromkeys(_SCALINGS, Any),
    "kind": Literal[KINDS],
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
    check_record(plain, _KINDS, "facts ", FormatError, ())
    return Task(**{name: _read(name, value) for name, value in plain.items()})


def _read(name: str, value: Any) -> Any:
    if name in _NAMES:
        return tuple(value)
    if name not in _SCALINGS or value is None:
        return value
    try:
        return _SCALINGS[name].from_json(value)
    except InputError as error:
        raise error.inside("facts ", FormatError) from None
