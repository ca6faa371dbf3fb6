"""The ``.ts`` files of aeon and sktime: a header of ``@`` lines, then a sequence a line.

Channels of a line are separated by ``:``, values by ``,``; class or target stand last. Lengths may
differ (``@equalLength false``), channels of a sequence may not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.own.ragged import numbers_of, padded, text_lines, without_end
from neurossm_models.data.own.source import WHOLE, OwnSource, Part

_FLAGS = ("timestamps", "missing", "univariate", "equallength")
_NUMBERS = ("dimensions", "dimension", "serieslength")
_NAMES = ("problemname", *_FLAGS, *_NUMBERS, "classlabel", "targetlabel")


@dataclass
class _Header:
    said: dict[str, str] = field(default_factory=dict)

    @property
    def answers(self) -> str:
        """``classlabel``, ``targetlabel``, or nothing."""
        for name in ("classlabel", "targetlabel"):
            if self.said.get(name, "").lower().startswith("true"):
                return name
        return ""

    @property
    def classes(self) -> tuple[str, ...]:
        words = self.said.get("classlabel", "").split()
        return tuple(words[1:]) if self.answers == "classlabel" else ()

    def number(self, *names: str) -> int | None:
        for name in names:
            if name in self.said:
                return int(self.said[name])
        return None


def read(path: Path) -> OwnSource:
    """Return the source of a ``.ts`` file.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        For a header or a line that is not of the format, with line and column.
    """
    lines = text_lines(path, "a .ts file")
    header = _header(path, lines)
    labels, sequences = [], []
    for number, line in lines:
        if not line.strip() or line.startswith(("#", "%")):
            continue
        where = f"{path}: line {number}"
        *channels, last = line.split(":")
        if not header.answers:
            channels.append(last)
        else:
            labels.append(last.strip())
        sequences.append(_sequence(where, channels, header))
        if header.classes and labels[-1] not in header.classes:
            raise FormatError(f"{where}: class", expected=f"one of {', '.join(header.classes)}",
                              got=repr(labels[-1]))  # fmt: skip
    inputs, lengths = padded(str(path), sequences)
    answers: NDArray[np.str_] | None = np.array(labels, dtype=str) if header.answers else None
    if header.answers == "targetlabel" and answers is not None:
        found = numbers_of(f"{path}: targets", labels)
        return _source(path, Part(inputs, found, lengths), ())
    return _source(path, Part(inputs, answers, lengths), header.classes)


def _source(path: Path, part: Part, classes: tuple[str, ...]) -> OwnSource:
    remedy = "name all classes in the line @classLabel"
    return OwnSource(path.name, str(path), {WHOLE: part}, provenance=str(path),
                     class_names=classes, remedy=remedy)  # fmt: skip


def _header(path: Path, lines: Iterator[tuple[int, str]]) -> _Header:
    header = _Header()
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith(("#", "%")):
            continue
        where = f"{path}: line {number}"
        name, _, value = text.partition(" ")
        name = name.lower().removeprefix("@")
        if not text.startswith("@") or name not in (*_NAMES, "data"):
            raise FormatError(
                where, expected="a header of @ lines, then @data", got=repr(text[:40])
            )
        if name == "data":
            return header
        header.said[name] = value.strip()
        _check(where, name, value.strip())
    raise FormatError(str(path), expected="a line @data", got="none")


def _check(where: str, name: str, value: str) -> None:
    if name in _NUMBERS and not (value.isascii() and value.isdigit()):
        raise FormatError(f"{where}: @{name}", expected="a whole number", got=repr(value))
    if name == "timestamps" and value.lower() == "true":
        remedy = "save them evenly spaced and without time stamps"
        expected = "values without time stamps"
        raise FormatError(f"{where}: @timeStamps", expected=expected, got="true", remedy=remedy)


def _sequence(where: str, channels: list[str], header: _Header) -> NDArray[np.float64]:
    dimensions = header.number("dimensions", "dimension")
    dimensions = 1 if header.said.get("univariate", "").lower() == "true" else dimensions
    if not channels or (dimensions is not None and len(channels) != dimensions):
        raise FormatError(where, expected=f"{dimensions or 'some'} channels, then the class",
                          got=str(len(channels)))  # fmt: skip
    found = [
        numbers_of(f"{where}, channel {index} (from 0)", channel.split(","))
        for index, channel in enumerate(channels)
    ]
    steps = {len(values) for values in found}
    if len(steps) > 1:
        got = " and ".join(str(count) for count in sorted(steps))
        raise FormatError(where, expected="channels of one length", got=f"{got} steps")
    length = header.number("serieslength")
    equal = header.said.get("equallength", "true").lower() == "true"
    if equal and length and steps != {length}:
        raise FormatError(where, expected=f"{length} steps as @seriesLength says",
                          got=str(len(found[0])))  # fmt: skip
    return without_end(np.stack(found, axis=1))
