"""Records that runs leave as JSON, read without trust: sizes, nesting and types before use."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurossm.errors import FormatError
from neurossm_models.data.copies import unreadable

# what lies in the folder of a run, or of a published checkpoint
CHECKPOINT = "last/state.safetensors"
FACTS = "facts.json"  # of data of one's own
RUN_FILES = ("recipe.toml", FACTS, "weights.safetensors", CHECKPOINT, "log.jsonl", "steps.jsonl",
             "start.jsonl", "before.json", "test.json", "MODEL_CARD.md")  # fmt: skip
MOST_BYTES = 100_000_000
_LARGEST = 2**63
_WORDS = {
    int: "a whole number",
    float: "a finite number",
    str: "a text",
    tuple: "a list of numbers",
}

Kinds = Mapping[str, type]


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    FormatError
        If it cannot be read, is not UTF-8, or has more than `MOST_BYTES`.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise FormatError(str(path), expected=f"at most {MOST_BYTES} bytes", got="more")
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(str(path), expected="UTF-8 text", got=error.reason) from None
    except OSError as error:
        raise unreadable(path, error) from None


def parse(text: str, where: str, expected: str) -> Any:
    """Return a JSON document; `FormatError` if it is none, or nested too deep."""
    try:
        return json.loads(text)
    except RecursionError:
        got = "JSON nested too deep"
    except ValueError as error:  # also a number of thousands of digits
        got = str(error)
    raise FormatError(where, expected=expected, got=got)


def check_record(row: object, kinds: Kinds, where: str, *, closed: bool = False) -> dict[str, Any]:
    """Return a record that has all these entries, each of its kind.

    Parameters
    ----------
    row
        A JSON document.
    kinds
        Name of each entry to int, float (which a whole number is, too), str, or tuple: a list of
        numbers.
    where
        File and place, for messages.
    closed
        Refuse other entries.

    Raises
    ------
    FormatError
        If an entry is missing, of another kind, not finite, or beyond 64 bits.
    """
    if not isinstance(row, dict):
        raise FormatError(where, expected="a record", got=type(row).__name__)
    for name, kind in kinds.items():
        if name not in row:
            raise FormatError(where, expected=f"an entry {name!r}", got="none")
        if not _is(row[name], kind):
            raise FormatError(f"{where} {name}", expected=_WORDS[kind], got="another value")
    if closed and (extra := sorted(set(row) - set(kinds))):
        raise FormatError(where, expected=f"only {', '.join(kinds)}", got=repr(extra[0]))
    return row


def _is(value: object, kind: type) -> bool:
    if isinstance(value, bool):
        return False
    if kind is tuple:
        return isinstance(value, list) and all(_is(item, float) for item in value)
    if kind is str:
        return isinstance(value, str)
    if isinstance(value, int):
        return abs(value) < _LARGEST
    return kind is float and isinstance(value, float) and math.isfinite(value)
