"""``py:package.module:function`` and ``py:file.py:function``: data that your own function returns.

Arrays ``inputs``, a pair ``(inputs, labels)``, a dict with the names of a ``.npz`` file, a dict of
parts (``train``, ``valid``, ``test``) of these, a torch ``Dataset``, or what `from_arrays` returns.
A function with an argument ``split`` is called for each part, and returns None for those that it
does not have.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from neurossm.errors import InputError
from neurossm.foreign import run_file, running
from neurossm_models.data.own.fields import assembled
from neurossm_models.data.own.folder import combined
from neurossm_models.data.own.memory import from_arrays, from_torch_dataset, plain_array
from neurossm_models.data.own.source import OwnSource
from neurossm_models.data.own.spec import PARTS

_EXPECTED = (
    "arrays, (inputs, labels), a dict with the names of a .npz file or of parts, or a torch Dataset"
)


def read(source: str) -> OwnSource:
    """Return the source that a function returns.

    Raises
    ------
    InputError
        If there is no such function, it fails, or returns something else.
    """
    where = f"py:{source}"
    function = _function(where, *source.rsplit(":", 1))
    if "split" not in _arguments(function):
        return _source(where, _called(where, function))
    found = {part: _called(where, function, split=part) for part in PARTS}
    parts = {part: _source(f"{where} ({part})", value)
             for part, value in found.items() if value is not None}  # fmt: skip
    if not parts:
        raise InputError(where, expected=_EXPECTED, got="None for each split")
    return combined(_name(where), where, parts)


def _name(where: str) -> str:
    return where.removeprefix("py:").replace(":", "/")


def _function(where: str, module: str, name: str) -> Callable[..., Any]:
    if module.endswith(".py"):
        loaded = run_file(where, Path(module))
    else:
        with running(where, "a module that can be imported"):
            loaded = _imported(module)
    function: Callable[..., Any] | None = getattr(loaded, name, None)
    if not callable(function):
        known = [key for key, value in vars(loaded).items() if inspect.isfunction(value)]
        got = f"none of that name; there are {', '.join(known[:10]) or 'none'}"
        raise InputError(where, expected=f"a function {name}", got=got)
    return function


def _imported(module: str) -> Any:
    here = os.getcwd()
    if here in sys.path or "" in sys.path:
        return importlib.import_module(module)
    sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    finally:
        sys.path.remove(here)


def _arguments(function: Callable[..., Any]) -> tuple[str, ...]:
    try:
        return tuple(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return ()


def _called(where: str, function: Callable[..., Any], **arguments: str) -> Any:
    with running(where, "a function that returns data"):
        return function(**arguments)


def _source(where: str, value: Any) -> OwnSource:
    name = _name(where)
    if isinstance(value, OwnSource):
        return value
    if isinstance(value, dict):
        if value and set(value) <= set(PARTS):
            parts = {part: _source(f"{where} ({part})", one) for part, one in value.items()}
            return combined(name, where, parts)
        found = {str(key): plain_array(f"{where}: {key}", one) for key, one in value.items()}
        return assembled(name, where, found)
    if isinstance(value, tuple | list) and len(value) == 2:
        inputs, labels = (plain_array(where, one) for one in value)
        return from_arrays(inputs, labels, name=name)
    if hasattr(value, "__array__") and getattr(value, "ndim", 0) >= 2:
        return from_arrays(plain_array(where, value), name=name)
    if hasattr(value, "__getitem__") and not isinstance(value, tuple | list | str | bytes):
        return from_torch_dataset(value, name=name)
    raise InputError(where, expected=_EXPECTED, got=type(value).__name__)
