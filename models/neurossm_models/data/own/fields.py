"""Names of arrays in files (``.npz``, ``.h5``) and from functions, read as a source."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, InputError, nearest
from neurossm_models.data.own.source import WHOLE, OwnSource, Part, with_channels
from neurossm_models.data.own.spec import PARTS

ARRAYS = ("inputs", "labels", "lengths", "groups")
NUMBERS = ("scale", "dt", "vocabulary")
TEXTS = ("order", "provenance")
NAMES = ("channel_names", "class_names")
KNOWN = (*ARRAYS, *NUMBERS, *TEXTS, *NAMES)
_PREFIXES = tuple(f"{part}_" for part in PARTS)
# what the same arrays are called elsewhere, ``x_train`` or ``y`` or ``test_targets``
_ELSEWHERE = {**dict.fromkeys(("x", "input", "data", "samples", "features"), "inputs"),
              **dict.fromkeys(("y", "label", "target", "targets", "classes"), "labels"),
              "length": "lengths", "group": "groups", "inputs": "inputs", "labels": "labels",
              "validation": "valid", "val": "valid"}  # fmt: skip
_REMEDY = "name the classes in the file: class_names"


def check_keys(where: str, keys: list[str]) -> None:
    """Raise `FormatError` for a name that is not known, and where there are no inputs."""
    unknown = [key for key in keys if key not in KNOWN and split_key(key)[1] not in ARRAYS]
    inputs = [key for key in keys if split_key(key)[1] == "inputs"]
    mixed = "inputs" in keys and len(inputs) > 1
    if unknown or not inputs or mixed:
        other = next((key for key in inputs if key != "inputs"), "")
        got = f"{unknown[0]!r}" if unknown else f"inputs and {other}" if mixed else "no inputs"
        expected = f"arrays named {', '.join(KNOWN)}"
        expected += f"; or {', '.join(ARRAYS)} of each part with {' | '.join(_PREFIXES)} in front"
        remedy = _called_here(unknown[0]) if unknown else ""
        raise FormatError(where, expected=expected, got=got, remedy=remedy)
    parts = {split_key(key)[0] for key in inputs}
    for key in keys:
        part, field = split_key(key)
        if field in ARRAYS and part not in parts:
            raise FormatError(where, expected=f"{part}_inputs beside {key}".lstrip("_"), got="none")


def _called_here(key: str) -> str:
    """Return the question whether another name was meant; empty where none is close."""
    words = [_ELSEWHERE.get(word, word) for word in key.lower().split("_")]
    words.sort(key=lambda word: word not in PARTS)  # the part stands in front
    names = [*KNOWN, *(prefix + array for prefix in _PREFIXES for array in ARRAYS)]
    return nearest("_".join(words), names)


def split_key(key: str) -> tuple[str, str]:
    """Return part and name of ``train_inputs``; `WHOLE` and the name of ``inputs``."""
    for prefix in _PREFIXES:
        if key.startswith(prefix):
            return prefix[:-1], key[len(prefix) :]
    return WHOLE, key


def assembled(name: str, where: str, found: Mapping[str, Any]) -> OwnSource:
    """Return the source of arrays by name.

    Parameters
    ----------
    name, where
        As of a `OwnSource`.
    found
        Arrays by the names above; inputs may be `Rows`.

    Raises
    ------
    FormatError, InputError
        For another name, type or shape.
    """
    check_keys(where, list(found))
    parts: dict[str, Part] = {}
    for key, inputs in found.items():
        part, field = split_key(key)
        if field != "inputs":
            continue
        front = f"{part}_" if part else ""
        more = {field: found.get(front + field) for field in ARRAYS[1:]}
        parts[part] = Part(with_channels(where, inputs), **more)
    order = [part for part in (WHOLE, *PARTS) if part in parts]
    vocabulary = _number(where, found, "vocabulary")
    if vocabulary is not None and not (vocabulary >= 0 and vocabulary.is_integer()):
        raise FormatError(
            f"{where}: vocabulary", expected="a number of tokens", got=f"{vocabulary:g}"
        )
    return OwnSource(
        name, where, {part: parts[part] for part in order},
        dt=_number(where, found, "dt"), scale=_number(where, found, "scale"),
        vocabulary=int(vocabulary or 0), order=_text(where, found, "order"),
        provenance=_text(where, found, "provenance") or where,
        channel_names=_names(where, found, "channel_names"),
        class_names=_names(where, found, "class_names"), remedy=_REMEDY,
    )  # fmt: skip


def _number(where: str, found: Mapping[str, Any], name: str) -> float | None:
    if name not in found:
        return None
    value: NDArray[Any] = np.asarray(found[name])
    if value.ndim or value.dtype.kind not in "iuf":
        got = f"{value.dtype} of shape {value.shape}"
        raise FormatError(f"{where}: {name}", expected="one number", got=got)
    number = float(value)
    if name != "vocabulary" and not 0 < number < float("inf"):
        raise InputError(f"{where}: {name}", expected="a finite number above 0", got=f"{number:g}")
    return number


def _text(where: str, found: Mapping[str, Any], name: str) -> str:
    if name not in found:
        return ""
    value = np.asarray(found[name])
    if value.ndim or value.dtype.kind != "U":
        got = f"{value.dtype} of shape {value.shape}"
        raise FormatError(f"{where}: {name}", expected="one text", got=got)
    return str(value)


def _names(where: str, found: Mapping[str, Any], name: str) -> tuple[str, ...]:
    if name not in found:
        return ()
    value = np.asarray(found[name])
    if value.ndim != 1 or value.dtype.kind != "U":
        got = f"{value.dtype} of shape {value.shape}"
        raise FormatError(f"{where}: {name}", expected="texts", got=got)
    return tuple(str(text) for text in value)
