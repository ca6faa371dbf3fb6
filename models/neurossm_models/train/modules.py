"""Your own modules in a recipe: ``[model] module = "my_model.py:build"``."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from neurossm.errors import InputError
from neurossm.foreign import run_file, running
from neurossm.validation import settle
from neurossm_models.data.task import Task

# what a function may ask for by the name of its argument: facts of the data
FACTS = ("in_features", "classes", "vocabulary", "steps")


@dataclass(frozen=True)
class ModuleConfig:
    """A module of one's own: what makes it, and with which arguments.

    Attributes
    ----------
    module
        ``file.py:function`` or ``package.module:function``: what returns an `nn.Module` that takes
        (B, L, F), or tokens (B, L), and answers as the task wants. If its forward has an argument
        ``lengths``, it is given the steps of each sequence that count.
    arguments
        Of the function; of ``in_features``, ``classes``, ``vocabulary`` and ``steps`` those that it
        has and that are not given here are what the data say.
    """

    module: str
    arguments: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        settle("model", self)
        file, colon, function = self.module.rpartition(":")
        if not (colon and file and function.isidentifier()):
            expected = "'file.py:function' or 'package.module:function'"
            raise InputError("model module", expected=expected, got=repr(self.module))
        for key, value in self.arguments.items():
            if not _is_plain(value):
                raise InputError(f"model arguments {key}", expected="numbers, texts, lists of them",
                                 got=repr(value))  # fmt: skip


def built(config: ModuleConfig, facts: Task) -> nn.Module:
    """Return a module of one's own for data of these facts.

    Raises
    ------
    InputError
        If there is no such function, it takes other arguments, or what it returns is no module.
    """
    function = function_of("model module", config.module)
    given = dict(config.arguments)
    try:
        given = asked_facts(function, facts) | given
        inspect.signature(function).bind(**given)
    except (TypeError, ValueError) as error:
        where = f"recipe [model.arguments] of {config.module}"
        raise InputError(where, expected="what it takes", got=str(error)) from None
    with running(f"model module {config.module!r}", "a function that makes the module"):
        module = function(**given)
    if not isinstance(module, nn.Module):
        expected, got = "a torch.nn.Module", type(module).__name__
        raise InputError(f"model module {config.module!r}", expected=expected, got=got)
    return module


def asked_facts(function: Callable[..., Any], facts: Task) -> dict[str, int]:
    """Return what a function asks for of the data, by the names of its arguments (`FACTS`).

    Raises
    ------
    ValueError, TypeError
        If its arguments are not known, as of some functions that are not Python's.
    """
    known = {"in_features": facts.features, "classes": facts.classes,
             "vocabulary": facts.vocabulary, "steps": facts.steps}  # fmt: skip
    parameters = inspect.signature(function).parameters
    return {name: known[name] for name in FACTS if name in parameters}


def function_of(where: str, name: str) -> Callable[..., Any]:
    """Return the function of ``file.py:function`` or ``package.module:function``.

    Its file runs, and may import what lies beside it.

    Raises
    ------
    InputError
        If there is no such file or module, it cannot be imported, or has no such function.
    """
    place, _, function = name.rpartition(":")
    where = f"{where} {name!r}"
    if place.endswith(".py"):
        module = run_file(where, Path(place))
    else:
        with running(where, "a module that can be imported"):
            module = importlib.import_module(place)
    found: Callable[..., Any] | None = getattr(module, function, None)
    if not callable(found):
        names = sorted(key for key, value in vars(module).items()
                       if callable(value) and not key.startswith("_"))  # fmt: skip
        got = f"{', '.join(names[:8])}" if names else "no function"
        raise InputError(where, expected=f"a function {function!r}", got=got)
    return found


def _is_plain(value: object) -> bool:
    if isinstance(value, list):
        return all(_is_plain(item) for item in value)
    return isinstance(value, bool | int | float | str)
