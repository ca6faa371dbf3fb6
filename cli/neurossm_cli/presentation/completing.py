"""Completions of the values of options, for shells: names, and what may stand behind them.

What returns nothing leaves the word to the shell, which completes names of files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Literal, get_args, get_origin, get_type_hints

from neurossm.errors import NeurossmError
from neurossm_cli.presentation import choices

SPLITS = ("train", "valid", "test")


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


def chip(incomplete: str) -> list[str]:
    """Complete the name of a chip."""
    return _starting(choices.chips(), incomplete)


def checkpoint(incomplete: str) -> list[str]:
    """Complete the name of a trained network that comes with neurossm."""
    return _starting(choices.checkpoints(), incomplete)


def recipe(incomplete: str) -> list[str]:
    """Complete the name of a recipe, or of a family of models."""
    return _starting((*choices.families(), *choices.recipes()), incomplete)


def data(incomplete: str) -> list[str]:
    """Complete a data set and its split; of a file of the user's, the split."""
    from neurossm_models.data.sets import SOURCES

    name, colon, split = incomplete.rpartition(":")
    if not colon:
        return _starting((f"{known}:{one}" for known in SOURCES for one in SPLITS), incomplete)
    if ":" in name:
        return []  # a number of samples
    splits = SPLITS if name in SOURCES else (*SPLITS, "all")
    return [f"{name}:{one}" for one in splits if one.startswith(split)]


def engine(incomplete: str) -> list[str]:
    """Complete an engine, its options, and the values of those that have a few."""
    from neurossm.executors.discovery import choose, entries

    name, colon, given = incomplete.partition(":")
    if not colon:
        return _starting(dict.fromkeys(entry.name for entry in entries()), incomplete)
    try:
        kind = choose(name).executor.options
        hints = {one.name: get_type_hints(kind)[one.name] for one in fields(kind)}
    except NeurossmError:
        return []  # no such engine
    before, comma, _ = given.rpartition(",")
    front = f"{name}:{before}{comma}"
    known = [
        f"{front}{key}={value}" for key, hint in hints.items() for value in _values(hint)
    ]  # fmt: skip
    return _starting(known, incomplete)


def _values(hint: object) -> tuple[str, ...]:
    """Return the values that an option may have, one empty text where those are not a few."""
    if hint is bool:
        return ("yes", "no")
    return tuple(map(str, get_args(hint))) if get_origin(hint) is Literal else ("",)
