"""The entries of a group, asked for one by one by name and type."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from neurossm.errors import FormatError
from neurossm.store.tree import Value, shown

T = TypeVar("T")
KINDS: dict[type, str] = {
    int: "an integer", float: "a float", str: "a string", np.ndarray: "an array", dict: "a group"
}  # fmt: skip


class Entries:
    """The entries of one group, taken out by name and type; what is left over is refused.

    Parameters
    ----------
    value
        The group.
    where
        File and place, for messages.
    """

    def __init__(self, value: Value, where: str) -> None:
        if not isinstance(value, Mapping):
            raise FormatError(where, expected="a group", got=kind_of(value))
        self._left = dict(value)
        self.where = where

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def take(self, name: str, kind: type[T]) -> T:
        """Return an entry of this type, or raise."""
        if name not in self._left:
            raise FormatError(f"{self.where} {name}", expected=KINDS[kind], got="none")
        value = self._left.pop(name)
        if type(value) is not kind:
            raise FormatError(f"{self.where} {name}", expected=KINDS[kind], got=kind_of(value))
        return value

    def is_group(self, name: str, member: str = "") -> bool:
        """Return whether there is a group of this name, and in it a member of that name."""
        value = self._left.get(name)
        return isinstance(value, dict) and (not member or member in value)

    def is_array(self, name: str) -> bool:
        """Return whether there is an array of this name."""
        return isinstance(self._left.get(name), np.ndarray)

    def group(self, name: str) -> Entries:
        """Return a group by name, to be taken from in its turn."""
        return Entries(self.take(name, dict), f"{self.where} {name}")

    def rest(self) -> dict[str, Value]:
        """Return all entries that were not taken."""
        left, self._left = self._left, {}
        return left

    def end(self) -> None:
        """Refuse entries that were not taken."""
        for name in self._left:
            raise FormatError(
                self.where,
                expected="only entries that FORMAT.md names",
                got=shown(name),
                remedy="a newer release may know it",
            )


def of_kind(value: Value, kind: type[T], where: str) -> T:
    """Return the value, or raise if it is of another type."""
    if not isinstance(value, kind):
        raise FormatError(where, expected=KINDS[kind], got=kind_of(value))
    return value


def kind_of(value: object) -> str:
    """Return what a value is, in words."""
    return next((text for kind, text in KINDS.items() if type(value) is kind), "another value")
