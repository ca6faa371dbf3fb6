"""Logs of a run: JSON lines, appended as it goes, and repaired after a kill.

A checkpoint holds the lines that were added with it, and is written first. So a log may end in half
a line, lack the last lines of its checkpoint, or go on beyond it: `restored_log` mends it.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from neurossm.errors import FormatError
from neurossm_models.train.records import Kinds, check_record, parse, read_text

EPOCHS, STEPS = "log.jsonl", "steps.jsonl"
LOGS = (EPOCHS, STEPS)
_STEP: Kinds = {"step": int}
_LINE = "one JSON line"
_OLD = "held_out_"  # how keys of validation began


def read_rows(path: Path, kinds: Kinds) -> list[tuple[str, dict[str, Any]]]:
    """Return the lines of a log with the record in each; a torn last line is left out, and said.

    Raises
    ------
    FormatError
        If another line holds no record with these entries; names the line.
    """
    rows: list[tuple[str, dict[str, Any]]] = []
    try:
        lines = read_text(path).split("\n")
    except FormatError as error:
        raise _with_remedy(error, f"move {path.name} away: a new one is begun") from None
    whole = not lines[-1]
    if whole:
        lines.pop()
    for number, line in enumerate(lines, 1):
        where = f"{path} line {number}"
        try:
            record = of_today(parse(line, where, _LINE))
        except FormatError as error:
            if (
                number == len(lines) and not whole
            ):  # killed, or the disk was full, while it was added
                print(f"{where}: half a line, left out", file=sys.stderr)
                return rows
            raise _with_remedy(error) from None
        try:
            rows.append((line, check_record(record, kinds, where)))
        except FormatError as error:
            raise _with_remedy(error) from None
    return rows


def of_today(record: Any) -> Any:
    """Return a line of the epochs' log with the names of today, whichever release wrote it."""
    if not isinstance(record, dict):
        return record
    names = {key: f"valid_{key.removeprefix(_OLD)}" if key.startswith(_OLD) else key
             for key in record}  # fmt: skip
    return {names[key]: value for key, value in record.items()}


def _line_of_today(line: str) -> str:
    return json.dumps(of_today(json.loads(line))) if f'"{_OLD}' in line else line


def added_lines(meta: dict[str, Any], where: str) -> dict[str, list[str]]:
    """Return the lines of each log in a checkpoint, none in one of an older release.

    Raises
    ------
    FormatError
        If they are no texts.
    """
    found = meta.get("added", {})
    lines = {name: found.get(name, []) for name in LOGS} if isinstance(found, dict) else {"": 0}
    for part in lines.values():
        if not isinstance(part, list) or not all(isinstance(line, str) for line in part):
            raise FormatError(f"{where} added", expected="lines of logs", got="something else")
    return lines  # type: ignore[return-value]  # as was just checked


def restored_log(path: Path, step: int, added: Sequence[str]) -> bytes | None:
    """Return what a checkpoint knows of a log: its lines up to a step, those added with it too.

    None where there is no log and nothing to begin it with.

    Raises
    ------
    FormatError
        If the log is damaged elsewhere than at its end, or `added` are no such lines.
    """
    rows = read_rows(path, _STEP) if path.exists() else []
    kept = {row["step"]: line for line, row in rows if row["step"] <= step}
    for number, line in enumerate(added, 1):
        where = f"line {number} for {path.name} in the checkpoint"
        kept.setdefault(check_record(parse(line, where, _LINE), _STEP, where)["step"], line)
    return as_text(map(_line_of_today, kept.values())) if kept or path.exists() else None


def as_text(lines: Iterable[str]) -> bytes:
    """Return lines as they stand in a log."""
    return "".join(f"{line}\n" for line in lines).encode()


def _with_remedy(error: FormatError, remedy: str = "") -> FormatError:
    remedy = remedy or "take that line out: neither the weights nor the checkpoint depend on it"
    return FormatError(error.where, expected=error.expected, got=error.got, remedy=remedy)
