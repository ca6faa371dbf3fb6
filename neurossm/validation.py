"""Values from outside against the fields of a dataclass: types, ranges, choices. By pydantic.

A field says what it takes by its annotation: a type, one of those below, ``Literal["a", "b"]`` or
any other that pydantic knows. Types are strict: a text is no number, and true is no 1; a whole
number is a real one, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import cache
from numbers import Integral
from typing import Annotated, Any, Literal, TypeVar, cast, get_args, get_type_hints

from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from neurossm.arguments import shown
from neurossm.errors import InputError, NeurossmError, nearest

T = TypeVar("T")

_MOST = 3.4e38  # a number of 32 bits, PyTorch's default type
Count = Annotated[int, Field(strict=True, ge=1, lt=2**63)]
Whole = Annotated[int, Field(strict=True, ge=0, lt=2**63)]
NotNegative = Annotated[float, Field(strict=True, ge=0, le=_MOST, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, gt=0, le=_MOST, allow_inf_nan=False)]
Portion = Annotated[float, Field(strict=True, gt=0, le=1, allow_inf_nan=False)]
Factor = Annotated[float, Field(strict=True, ge=0, lt=1, allow_inf_nan=False)]
_WHOLE = Annotated[int, Field(ge=-(2**63), lt=2**63)]
_PLAIN = {  # what a field that says no more takes
    int: _WHOLE,
    float: Annotated[float, Field(ge=-_MOST, le=_MOST)],
}

_EXPECTED = {
    "bool_type": "true or false",
    "dataclass_type": "a table",
    "dict_type": "a table",
    "float_type": "a number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_type": "a table",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "string_type": "a text",
    "tuple_type": "a list",
}
_UNKNOWN = ("extra_forbidden", "unexpected_keyword_argument")


def _not_empty(text: str) -> str:
    if not text.strip():
        raise InputError("text", expected="a text", got="an empty one")
    return text


Text = Annotated[str, AfterValidator(_not_empty)]


def checked(values: Mapping[str, Any], kind: type, at: str) -> dict[str, Any]:
    """Return values as the fields of a dataclass take them.

    Parameters
    ----------
    values
        By the names of fields; those that have a default may be left out.
    kind
        The dataclass.
    at
        What stands in front of a field's name in a message, such as ``"model "``.

    Raises
    ------
    InputError
        If a name is unknown or missing, or a value is not what its field takes; names the field.
    """
    try:
        found = vars(_flat(kind).model_validate(values))
    except ValidationError as error:
        raise _explained(error, at, InputError, lambda place: _names(kind)) from None
    return {name: found[name] for name in values}


def settle(where: str, record: Any) -> None:
    """Check the fields of a frozen dataclass while it is made, and their types; as `checked`."""
    given = {
        name: int(value) if isinstance(value, Integral) and not isinstance(value, bool) else value
        for name, value in vars(record).items()  # NumPy's whole numbers are no int
    }
    for name, value in checked(given, type(record), f"{where} ").items():
        object.__setattr__(record, name, value)


def built(table: object, kind: type[T], at: str, error: type[NeurossmError]) -> T:
    """Return dataclasses inside each other from tables inside each other.

    Parameters
    ----------
    table, kind, at
        As of `checked`; fields that are dataclasses take tables.
    error
        What is raised, as by `checked`; names the path of the field.
    """
    try:
        return cast(T, _tree(cast(Any, kind)).validate_python(table))
    except ValidationError as found:
        raise _explained(found, at, error, lambda place: _names(_inside(kind, place))) from None


def check_record(
    row: object,
    kinds: Mapping[str, Any],
    at: str,
    error: type[NeurossmError],
    others: Iterable[str] | None = None,
) -> None:
    """Raise unless this is a table with all these entries, each of its kind; names the first wrong.

    Records are written by programs: what follows the first that is wrong says nothing more.

    Parameters
    ----------
    row
        Plain values, of a file.
    kinds
        Name of each entry to a type, such as ``int`` or ``list[float]``. Numbers are finite.
    at, error
        As of `built`.
    others
        Names that may be there, too; None: any.
    """
    names = tuple(others) if others is not None else None
    try:
        _record(tuple(kinds.items()), names).model_validate(row)
    except ValidationError as found:
        known = [*kinds, *(names or ())]
        raise _error(_in_order(found)[0], at, error, lambda place: known) from None


@cache
def _flat(kind: type) -> Any:
    hints, known = get_type_hints(kind, include_extras=True), {}
    for field in fields(kind):
        needed = field.default is MISSING and field.default_factory is MISSING
        hint = hints[field.name]
        known[field.name] = (_PLAIN.get(hint, hint), ... if needed else None)
    return _model(known, "forbid")


@cache
def _record(kinds: tuple[tuple[str, Any], ...], others: tuple[str, ...] | None) -> Any:
    known = {name: (_WHOLE if kind is int else kind, ...) for name, kind in kinds}
    more = {name: (Any, None) for name in others or ()}
    return _model(known | more, "allow" if others is None else "forbid")


def _model(known: dict[str, Any], extra: Literal["allow", "forbid"]) -> Any:
    config = ConfigDict(strict=True, extra=extra, allow_inf_nan=False)
    return create_model("Fields", __config__=config, **known)


def _names(kind: Any) -> list[str]:
    return [field.name for field in fields(kind)]


@cache
def _tree(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _inside(kind: Any, place: list[Any]) -> Any:
    """Return the dataclass at a place inside another one."""
    for part in place:
        inner = get_type_hints(kind).get(part, kind) if is_dataclass(kind) else kind
        kind = next(filter(is_dataclass, (inner, *get_args(inner))))
    return kind


def _explained(
    found: ValidationError,
    at: str,
    error: type[NeurossmError],
    names_at: Callable[[list[Any]], list[str]],
) -> NeurossmError:
    """Return what pydantic found as errors of ours."""
    return error.together([_error(one, at, error, names_at) for one in _in_order(found)])


def _in_order(found: ValidationError) -> list[Any]:
    """Return what pydantic found, unknown names before all else."""
    return sorted(found.errors(include_url=False), key=lambda one: one["type"] not in _UNKNOWN)


def _error(
    found: Any, at: str, error: type[NeurossmError], names_at: Callable[[list[Any]], list[str]]
) -> NeurossmError:
    place, got, context = list(found["loc"]), found["input"], found.get("ctx", {})
    parts: dict[str, Any]
    if found["type"] in _UNKNOWN:
        key = str(place.pop())
        known = names_at(place)
        parts = {"expected": f"a key of {', '.join(known)}", "got": repr(key)}
        parts["remedy"] = nearest(key, known)
    elif found["type"] == "missing":
        parts = {"expected": f"key {place.pop()!r}", "got": "none"}
    elif isinstance(cause := context.get("error"), NeurossmError):
        causes = [
            error(_where(at, [*place, *one.where.split(" ", 1)[1:]]), expected=one.expected,
                  got=one.got, problem=one.problem, remedy=one.remedy)
            for one in (cause, *cause.others)
        ]  # fmt: skip
        return error.together(causes)
    else:
        said = found["msg"].removeprefix("Input should be ")
        expected = _EXPECTED.get(found["type"], "").format(**context) or said
        parts = {"expected": expected, "got": shown(got)}
        if found["type"] == "literal_error":
            choices = re.findall("'(.*?)'", context["expected"])
            parts["expected"] = f"one of {', '.join(choices)}"
            parts["remedy"] = nearest(got, choices)
    return error(_where(at, place), **parts)


def _where(at: str, place: list[Any]) -> str:
    return f"{at}{'.'.join(map(str, place))}".rstrip(" :")
