"""Options of an executor as text: ``key=value,key=value`` becomes its dataclass, and back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

from neurossm.arguments import shown
from neurossm.deprecation import deprecated
from neurossm.errors import InputError, TargetError, nearest

Options = TypeVar("Options")
YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def parse_options(kind: type[Options], text: str, where: str) -> Options:
    """Return the options that a text says.

    Parameters
    ----------
    kind
        Frozen dataclass, every field of which has a default. A class attribute `renamed` maps
        deprecated names of options to those that replace them.
    text
        ``key=value`` with commas between them; a tuple's key may be given again and again. A value
        holds no comma.
    where
        What the text belongs to, for the messages: ``--engine lava``.

    Raises
    ------
    InputError
        For an unknown key, one given twice, a value of another type, or one that the dataclass
        refuses.
    """
    if not is_dataclass(kind) or any(_default(one) is MISSING for one in _fields(kind)):
        raise TargetError(where, expected="options that are a dataclass with a default for each",
                          got=shown(kind), remedy="a fault of that package")  # fmt: skip
    hints = get_type_hints(kind) if text else {}  # which takes time
    known = [one.name for one in _fields(kind)]
    given: dict[str, Any] = {}
    for item in text.split(",") if text else ():
        key, equals, value = (part.strip() for part in item.partition("="))
        if not equals:
            raise InputError(where, expected="key=value", got=repr(item))
        if key in getattr(kind, "renamed", {}):
            old, key = key, kind.renamed[key]  # type: ignore[attr-defined]
            deprecated(f"{where} option {old}", key)
        if key not in known:
            expected = "one of " + ", ".join(known) if known else "no options"
            remedy = nearest(key, known)
            raise InputError(f"{where} option", expected=expected, got=repr(key), remedy=remedy)
        several = get_origin(hints[key]) is tuple
        if key in given and not several:
            raise InputError(f"{where} option {key}", problem="it is given twice")
        read = _value(hints[key], value, f"{where} option {key}")
        given[key] = given.get(key, ()) + read if several else read
    try:
        return kind(**given)
    except InputError as error:
        raise error.inside(f"{where} option ") from None


def options_text(options: object) -> str:
    """Return the text of options, of those that are not as by default."""
    words = []
    for one in _fields(type(options)):
        value = getattr(options, one.name)
        if value != _default(one):
            words += [f"{one.name}={_shown(each)}" for each in
                      (value if isinstance(value, tuple) else (value,))]  # fmt: skip
    return ",".join(words)


def described(kind: type) -> tuple[str, ...]:
    """Return each option of a dataclass with its default: ``batch=0``."""
    return tuple(f"{one.name}={_shown(_default(one))}" for one in _fields(kind))


def _fields(kind: type) -> tuple[Field[Any], ...]:
    return fields(kind)


def _default(one: Field[Any]) -> Any:
    if one.default_factory is not MISSING:
        return one.default_factory()
    return one.default


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else "" if value == () else str(value)


def _value(hint: Any, text: str, where: str) -> Any:
    """Return a value of the type of a field."""
    if get_origin(hint) is Literal:
        choices = get_args(hint)
        if text not in choices:
            remedy = nearest(text, choices)
            raise InputError(where, expected=" | ".join(choices), got=repr(text), remedy=remedy)
        return text
    if hint is bool:
        if text.lower() not in YES_NO:
            raise InputError(where, expected="yes | no", got=repr(text))
        return YES_NO[text.lower()]
    if get_origin(hint) is tuple:
        return (text,)
    return _converted(hint, text, where)


def _converted(kind: Callable[[str], Any], text: str, where: str) -> Any:
    words: dict[object, str] = {int: "a whole number", float: "a number"}
    try:
        return kind(text)
    except ValueError:
        raise InputError(where, expected=words.get(kind, "a value"), got=repr(text)) from None
