"""Reading a chip file. Nothing in it is trusted: keys, types, units and sources are checked."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TypeVar, get_type_hints

from neurossm.arguments import file_path
from neurossm.errors import FormatError, InputError, nearest
from neurossm.hardware.chip import (
    Arithmetic,
    EnergySet,
    Events,
    Hardware,
    Limits,
    Power,
    Refusal,
    Timing,
)
from neurossm.hardware.quantity import GRADES, Quantity

Table = Mapping[str, object]
Section = TypeVar("Section", Limits, Timing, Power, Arithmetic, Events)

_TOP = (
    "name", "title", "caveats", "limits", "timing", "power", "arithmetic", "passes", "energy",
    "refuses",
)  # fmt: skip
_REFUSAL = ("reason", "remedy", "source", "grade")
_QUANTITY = ("value", "low", "high", "unit", "source", "grade", "note")
_SET = ("title", "citation", "kind", "process", "grade", "note", "events")
_MOST_BYTES = 100_000
_MOST_DOTS = 64  # of a line: tomllib's time for a key in n parts grows with n squared
_LARGEST = 2**63


def known_hardware() -> tuple[str, ...]:
    """Return the names of the chips that come with neurossm."""
    files = resources.files("neurossm.hardware").iterdir()
    return tuple(sorted(f.name.removesuffix(".toml") for f in files if f.name.endswith(".toml")))


def load_hardware(name_or_path: str | Path) -> Hardware:
    """Return a chip by name (``loihi2``) or by the path of a ``.toml`` file.

    Raises
    ------
    InputError
        If there is no such chip or file; the nearest name is suggested.
    FormatError
        If the file is not TOML, or a key is unknown, missing, of the wrong type or unit, or a
        number lacks its source or grade. The message names the file and the key.
    """
    file_path("hardware", name_or_path)
    text, where = _text_of(name_or_path)
    if any(line.count(".") > _MOST_DOTS for line in text.split("\n")):
        raise FormatError(where, expected=f"at most {_MOST_DOTS} dots in a line", got="more")
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise FormatError(where, expected="TOML", got="values nested too deep") from None
    except ValueError as error:  # also a number of thousands of digits
        raise FormatError(where, expected="TOML", got=str(error)) from None
    return _hardware(_At(where), table)


@dataclass(frozen=True)
class _At:
    """A place in a file, for messages."""

    where: str
    key: str = ""

    def __truediv__(self, key: str) -> _At:
        return _At(self.where, f"{self.key}.{key}" if self.key else key)

    def error(self, *, expected: str, got: str, remedy: str = "") -> FormatError:
        place = f"{self.where}: {self.key}" if self.key else self.where
        return FormatError(place, expected=expected, got=got, remedy=remedy)


def _text_of(name_or_path: str | Path) -> tuple[str, str]:
    text = str(name_or_path)
    if isinstance(name_or_path, str) and not text.endswith(".toml") and Path(text).name == text:
        if text not in known_hardware():
            raise InputError(
                f"hardware {text!r}",
                expected=" | ".join(known_hardware()) + " or a .toml file",
                got="another name",
                remedy=nearest(text, known_hardware()),
            )
        file = resources.files("neurossm.hardware") / f"{text}.toml"
        return file.read_text(encoding="utf-8"), f"{text}.toml"
    path = Path(name_or_path)
    try:
        if path.stat().st_size > _MOST_BYTES:
            expected = f"a chip file of at most {_MOST_BYTES} bytes"
            raise FormatError(text, expected=expected, got="a larger one")
        return path.read_text(encoding="utf-8"), text
    except OSError as error:
        raise InputError(text, expected="a chip file", got=error.strerror or "an error") from None
    except UnicodeDecodeError:
        raise FormatError(text, expected="UTF-8 text", got="other bytes") from None


def _hardware(at: _At, table: Table) -> Hardware:
    _check_keys(at, table, _TOP)
    caveats = table.get("caveats", [])
    if not isinstance(caveats, list) or not all(isinstance(item, str) for item in caveats):
        raise (at / "caveats").error(expected="a list of texts", got=_type(caveats))
    passes = _table(at / "passes", table.get("passes", {}))
    sets = _table(at / "energy", table.get("energy", {}))
    refuses = _table(at / "refuses", table.get("refuses", {}))
    return Hardware(
        name=_string(at, table, "name"),
        title=_string(at, table, "title"),
        caveats=tuple(caveats),
        limits=_section(at / "limits", table.get("limits", {}), Limits),
        timing=_section(at / "timing", table.get("timing", {}), Timing),
        power=_section(at / "power", table.get("power", {}), Power),
        arithmetic=_section(at / "arithmetic", table.get("arithmetic", {}), Arithmetic),
        passes={k: _quantity(at / "passes" / k, v, "pass") for k, v in passes.items()},
        energy=tuple(_energy_set(at / "energy" / k, k, v) for k, v in sets.items()),
        refuses={k: _refusal(at / "refuses" / k, v) for k, v in refuses.items()},
    )


def _refusal(at: _At, value: object) -> Refusal:
    table = _table(at, value)
    _check_keys(at, table, _REFUSAL)
    return Refusal(
        reason=_string(at, table, "reason"),
        remedy=_string(at, table, "remedy"),
        source=_string(at, table, "source"),
        grade=_grade(at, table),
    )


def _energy_set(at: _At, name: str, value: object) -> EnergySet:
    table = _table(at, value)
    _check_keys(at, table, _SET)
    if "events" not in table:
        raise (at / "events").error(expected="a table of energies", got="none")
    given = table["events"]
    worlds = given if isinstance(given, list) else [given]
    events = tuple(_section(at / "events", world, Events) for world in worlds)
    for world in events:
        if world.syn_op is None or world.neuron_update is None:
            raise (at / "events").error(expected="syn_op and neuron_update", got="a set without")
    return EnergySet(
        name=name,
        title=_string(at, table, "title"),
        citation=_string(at, table, "citation"),
        kind=_string(at, table, "kind"),
        process=_string(at, table, "process"),
        grade=_grade(at, table),
        events=events,
        note=_string(at, table, "note") if "note" in table else "",
    )


def _section(at: _At, value: object, kind: type[Section]) -> Section:
    table = _table(at, value)
    hints = get_type_hints(kind, include_extras=True)
    units = {key: str(hint.__metadata__[0]) for key, hint in hints.items()}
    _check_keys(at, table, units)
    numbers = {key: _quantity(at / key, item, units[key]) for key, item in table.items()}
    return kind(**numbers)


def _quantity(at: _At, value: object, unit: str) -> Quantity:
    if not isinstance(value, dict):
        raise at.error(
            expected="a table {value | low, high; unit; source; grade}",
            got=_type(value),
            remedy="a number needs its source and grade; leave out what is unknown",
        )
    _check_keys(at, value, _QUANTITY)
    low, high = _ends(at, value)
    if _string(at, value, "unit") != unit:
        raise (at / "unit").error(expected=repr(unit), got=repr(value["unit"]))
    source, grade = _string(at, value, "source"), _string(at, value, "grade")
    note = _string(at, value, "note") if "note" in value else ""
    try:
        return Quantity(low, high, unit, source, grade, note)
    except InputError as error:
        raise at.error(expected=error.expected, got=error.got, remedy=error.remedy) from None


def _ends(at: _At, table: Table) -> tuple[float, float]:
    given = {key for key in ("value", "low", "high") if key in table}
    if given == {"value"}:
        value = _number(at / "value", table["value"])
        return value, value
    if given == {"low", "high"}:
        return _number(at / "low", table["low"]), _number(at / "high", table["high"])
    shown = " and ".join(sorted(given)) or "neither"
    raise at.error(expected="either value, or low and high", got=shown)


def _number(at: _At, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise at.error(expected="a number", got=_type(value))
    if isinstance(value, int) and abs(value) >= _LARGEST:
        raise at.error(expected="a number of 64 bits", got="a larger one")
    return float(value)


def _string(at: _At, table: Table, key: str) -> str:
    if key not in table:
        raise (at / key).error(expected="a text", got="none")
    value = table[key]
    if not isinstance(value, str) or not value.strip():
        raise (at / key).error(
            expected="a text", got=_type(value) if not isinstance(value, str) else "an empty one"
        )
    return value


def _grade(at: _At, table: Table) -> str:
    grade = _string(at, table, "grade")
    if grade not in GRADES:
        raise (at / "grade").error(expected=" | ".join(GRADES), got=repr(grade))
    return grade


def _table(at: _At, value: object) -> Table:
    if not isinstance(value, dict):
        raise at.error(expected="a table", got=_type(value))
    return value


def _check_keys(at: _At, table: Table, known: Iterable[str]) -> None:
    names = tuple(known)
    for key in table:
        if key not in names:
            raise (at / key).error(
                expected="a known key",
                got="an unknown one",
                remedy=nearest(key, names, f"known: {', '.join(names)}"),
            )


def _type(value: object) -> str:
    try:
        return f"{value!r:.40} ({type(value).__name__})"
    except (ValueError, RecursionError):  # a number of thousands of digits inside, or many levels
        return f"a {type(value).__name__} that is too large to show"
