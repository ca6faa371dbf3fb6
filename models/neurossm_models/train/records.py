"""JSON records of runs, read without trust: sizes, nesting and types are checked first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from neurossm import validation
from neurossm.errors import FormatError
from neurossm_models.data.copies import bounded_content

# what lies in the folder of a run, or of a published checkpoint
CHECKPOINT = "last/state.safetensors"
FACTS = "facts.json"  # of data of one's own
RUN_FILES = ("recipe.toml", FACTS, "weights.safetensors", CHECKPOINT, "log.jsonl", "steps.jsonl",
             "start.jsonl", "before.json", "pruned.json", "test.json", "MODEL_CARD.md")  # fmt: skip
MOST_BYTES = 100_000_000
Kinds = Mapping[str, Any]


def read_text(path: Path) -> str:
    """Return the text of a file.

    Raises
    ------
    FormatError
        If it cannot be read, is not UTF-8, or has more than `MOST_BYTES`.
    """
    try:
        return bounded_content(path, MOST_BYTES, empty=True).decode("utf-8")
    except UnicodeDecodeError as error:
        raise FormatError(str(path), expected="UTF-8 text", got=error.reason) from None


def parse(text: str, where: str, expected: str) -> Any:
    """Return a JSON document; `FormatError` if it is none, or nested too deep."""
    try:
        return json.loads(text)
    except RecursionError:
        got = "JSON nested too deep"
    except ValueError as error:  # also a number of thousands of digits
        got = str(error)
    raise FormatError(where, expected=expected, got=got)


def check_record(
    row: object, kinds: Kinds, where: str, others: Iterable[str] | None = None
) -> dict[str, Any]:
    """Return a record that has all these entries; `FormatError` as of `validation.check_record`."""
    validation.check_record(row, kinds, f"{where} ", FormatError, others)
    return row  # type: ignore[return-value]  # as was just checked
