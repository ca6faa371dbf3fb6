"""Finding executors by their entry points: those of this package, and those of others.

Nothing is looked up before an executor is asked for, and only the one asked for is imported.
"""

from __future__ import annotations

import sys
import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from neurossm.arguments import shown
from neurossm.errors import InputError, NeurossmError, TargetError, nearest
from neurossm.executors.engine import Engine, called
from neurossm.executors.options import described, parse_options
from neurossm.executors.protocol import Executor

GROUP = "neurossm.executors"
OURS = "neurossm"


@dataclass(frozen=True)
class Entry:
    """An entry point: a name, where its value is (``module:attribute``), whose it is.

    `package` is empty for our own.
    """

    name: str
    value: str
    package: str = ""


@dataclass(frozen=True)
class Listed:
    """An executor as `neurossm doctor` lists it.

    Attributes
    ----------
    name, package
        As typed, and the distribution that brings it (empty: this one).
    about, options
        One line; each option with its default.
    exact
        Whether it has the bits of the reference.
    problem
        Why it cannot run here with its default options, with what helps; empty if it can.
    """

    name: str
    package: str
    about: str = ""
    options: tuple[str, ...] = ()
    exact: bool = True
    problem: str = ""


def choose(text: str | Engine, where: str = "engine") -> Engine:
    """Return the executor that a text names, with its options; import that one alone.

    Parameters
    ----------
    text
        ``NAME`` or ``NAME:key=value,key=value``, as typed after ``--engine``.
    where
        What to call it in messages.

    Raises
    ------
    InputError
        For an unknown name or option, or a value that an option refuses.
    TargetError
        If a package's entry point leads to no executor.
    """
    if isinstance(text, Engine):
        return text
    if not isinstance(text, str):
        raise InputError(where, expected="NAME or NAME:key=value,...", got=shown(text))
    name, _, options = text.partition(":")
    entry = _entry(name.strip(), where)
    executor = _loaded(entry)
    parsed = parse_options(executor.options, options, f"{where} {executor.name}")
    return Engine(executor, parsed, entry.package)


def listed() -> tuple[Listed, ...]:
    """Return all executors, our own first; one that is broken has a problem and is listed too."""
    return tuple(_listed(entry) for entry in entries())


def entries() -> tuple[Entry, ...]:
    """Return all entry points: our own in the order of pyproject.toml, then others' by name."""
    return _entries(tuple(sys.path))


@lru_cache(maxsize=1)
def _entries(path: tuple[str, ...]) -> tuple[Entry, ...]:
    others = [
        Entry(point.name, point.value, f"{point.dist.name} {point.dist.version}")
        for point in metadata.entry_points(group=GROUP)
        if point.dist is not None and point.dist.name != OURS
    ]
    return (*_own(), *sorted(others, key=lambda entry: (entry.name, entry.package)))


@lru_cache(maxsize=1)
def _own() -> tuple[Entry, ...]:
    """Return our own entry points.

    In a checkout those of its pyproject.toml: what pip wrote when it was installed may be older.
    """
    try:
        file = (Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8")
        project = tomllib.loads(file)["project"]
        if project["name"] == OURS:
            return tuple(Entry(*pair) for pair in project["entry-points"][GROUP].items())
    except (OSError, ValueError, KeyError):
        pass  # not a checkout
    try:
        points = metadata.distribution(OURS).entry_points.select(group=GROUP)
    except metadata.PackageNotFoundError:
        return ()
    return tuple(Entry(point.name, point.value) for point in points)


def _entry(name: str, where: str) -> Entry:
    # other packages are looked through only for names that are not ours
    for entry in _own():
        if entry.name == name:
            return entry
    found = [entry for entry in entries() if entry.name == name]
    if not found:
        known = list(dict.fromkeys(entry.name for entry in entries()))
        remedy = nearest(name, known) or "'neurossm doctor' lists them"
        if not known:
            remedy = "install neurossm: its list of executors is missing"
        raise InputError(where, expected=" | ".join(known), got=repr(name), remedy=remedy)
    if len(found) > 1:
        owners = " and ".join(entry.package for entry in found)
        raise InputError(f"{where} {name}", expected="one package that brings it", got=owners,
                         remedy="uninstall one of them")  # fmt: skip
    return found[0]


def _loaded(entry: Entry) -> Executor[Any]:
    """Import what an entry point names; others' faults are one line with the package's name."""
    module, _, attribute = entry.value.partition(":")
    if not entry.package:
        own: Executor[Any] = getattr(import_module(module), attribute)
        return own
    whose = called(entry.name, entry.package)
    try:
        found = getattr(import_module(module), attribute)
    except NeurossmError:
        raise
    except Exception as error:
        raise TargetError(whose, expected=f"an executor at {entry.value}",
                          got=f"{type(error).__name__}: {error}") from error  # fmt: skip
    if not isinstance(found, Executor):
        raise TargetError(whose, expected=f"an Executor at {entry.value}", got=shown(found))
    if found.name != entry.name:
        raise TargetError(whose, expected="the name of its entry point", got=repr(found.name))
    return found


def _listed(entry: Entry) -> Listed:
    if entry.package and entry.name in {own.name for own in _own()}:
        return Listed(entry.name, entry.package, problem="the name is one of neurossm's own")
    try:
        found = _loaded(entry)
        return Listed(
            entry.name, entry.package, found.about, described(found.options), found.exact,
            found.missing() or found.lacks(found.options()),
        )  # fmt: skip
    except Exception as error:  # whatever a package does when it is asked
        if not entry.package:
            raise
        return Listed(entry.name, entry.package, problem=str(error) or type(error).__name__)
