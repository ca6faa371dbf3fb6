"""A part of your own data as a `Dataset`: integers by the facts that were learned."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm.fixed import Scaling, whole_numbers
from neurossm.fixed.scaling import MOST_BITS
from neurossm_models.arguments import check_number
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.own.answers import (
    CLASSES,
    check_classes,
    class_names_of,
    encoded,
    kind_of_labels,
    names_are_numbers,
)
from neurossm_models.data.own.first import first_classes
from neurossm_models.data.own.joined import joined
from neurossm_models.data.own.learning import common_scale
from neurossm_models.data.own.opening import opened
from neurossm_models.data.own.parts import samples_of
from neurossm_models.data.own.source import WHOLE, OwnSource, Part
from neurossm_models.data.own.spec import ALL, PARTS, TRAIN
from neurossm_models.data.own.split import SplitRule, parse_split
from neurossm_models.data.own.values import Valid, pieces
from neurossm_models.data.rows import Integers, Rows
from neurossm_models.data.task import Task

AS_TRAINED = "and train on it, or give these samples no label (-1, an empty text)"
LISTED = 10  # names of classes
IN_UNITS = (
    "divide by the unit of the network's input and round: numpy.rint(values / unit).astype(int)"
)


def load_own(
    spec: str | os.PathLike[str] | OwnSource,
    unit: float | None = None,
    vocabulary: int = 0,
    *,
    root: str | Path | None = None,
    facts: Task | None = None,
    split: str = "",
    bits: int = MOST_BITS,
    kind: str = "",
    class_names: tuple[str, ...] = (),
    say: Callable[[str], object] | None = None,
) -> Dataset:
    """Return a part of data of one's own.

    Parameters
    ----------
    spec
        What `is_own`, or a `OwnSource`.
    unit
        Without facts: the real value of one unit of the network's input. Whole numbers are in that
        unit already (or in their own ``scale``); others are divided by it and rounded.
    vocabulary
        Without facts: the tokens of the network's input, where the data do not say theirs.
    root
        Data root, where packages keep their data sets.
    facts
        What was learned from the training part: scale, classes, task, split.
    split
        Which part, where the spec says none.
    bits
        Without facts: magnitude bits of the network's input, at which real numbers saturate.
    kind, class_names
        Without facts: the task and its classes, where they are known; else what the labels say.
    say
        Is told what was assumed where numbers may mean two things.

    Raises
    ------
    InputError
        If part or count are wrong, or the data do not fit the facts.
    FormatError
        If a file is damaged.
    """
    source, asked = opened(spec, root)
    split = asked.split or split
    task = kind or source.task if facts is None else facts.kind
    kind = kind_of_labels(source.where, next(iter(source.parts.values())), task)
    part, positions = _chosen(source, asked.text, split, facts, kind)
    if asked.count is not None:
        if asked.count > len(positions):
            expected = f"at most {len(positions)}"
            raise InputError(f"data {asked.text!r}", expected=expected, got=str(asked.count),
                             remedy=f"without :{asked.count} all are taken")  # fmt: skip
        if say and (text := first_classes(part, kind, positions, asked.count)):
            say(f"data {source.name!r}: {text}")
        positions = positions[: asked.count]
    scale = source.scale if source.scale is not None else 1.0 if unit is None else unit
    check_number("unit", scale)
    if facts is None:
        names, classes = class_names or _all_names(source, kind), 0
        tokens = source.vocabulary or vocabulary
        rows, scaling = _without_facts(source, part, unit, scale, tokens, bits, say), None
    else:
        _check_fit(source, facts)
        names, classes, tokens = facts.class_names, facts.classes, facts.vocabulary
        rows, scaling = _by_facts(source, part, facts), facts.scaling
        scale = common_scale(scaling) if scaling is not None else facts.scale
    remembered = facts is not None and "class_names" in source.remedy
    remedy = f"{source.remedy} {AS_TRAINED}" if remembered else source.remedy
    elsewhere = not source.class_names
    labels = encoded(source.where, kind, part, names, classes, remedy, positions, elsewhere)
    if say and elsewhere and labels is not None and _are_names(part, kind, names):
        say(f"data {source.name!r}: labels are numbers, taken for the names of the classes"
             f" ({_listed(names)}), not for their places from 0")  # fmt: skip
    whole = Dataset(
        name=source.name, split=split, rows=rows, scale=scale,
        labels=None,  # type: ignore[arg-type]
        provenance=source.provenance or source.where, vocabulary=tokens, lengths=part.lengths,
        order=source.order, dt=source.dt, kind=kind, scaling=scaling, groups=part.groups,
        class_names=names, channel_names=source.channel_names, token_names=source.token_names,
    )  # fmt: skip
    return _with_labels(whole if len(positions) == len(part) else whole.select(positions), labels)


def _are_names(part: Part, kind: str, names: tuple[str, ...]) -> bool:
    numbers = part.labels is not None and part.labels.dtype.kind in "iuf"
    return numbers and kind in CLASSES and names_are_numbers(names)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:LISTED]) + (", ..." if len(names) > LISTED else "")


def _with_labels(data: Dataset, labels: NDArray[Any] | None) -> Dataset:
    return data if labels is None else replace(data, labels=labels)


def _chosen(
    source: OwnSource, text: str, split: str, facts: Task | None, kind: str
) -> tuple[Part, NDArray[np.int64]]:
    if not split and source.has_parts:
        shown = " | ".join((*source.parts, ALL))
        raise InputError(f"data {text!r}", expected=f"a part of it: {shown}", got="none",
                         remedy=f"write {text.rstrip(':')}:{next(iter(source.parts))}")  # fmt: skip
    if split in ("", ALL):
        part = joined(source)
        return part, np.arange(len(part))
    if split not in PARTS:
        raise InputError(f"data {text!r}", expected=" | ".join((*PARTS, ALL)), got=repr(split))
    said = "" if facts is None else facts.split
    base = source.parts.get(WHOLE) or source.parts.get(TRAIN)
    if kind in CLASSES and base is not None:
        check_classes(source.where, base.labels)  # before they say how parts are cut
    return samples_of(source, split, parse_split(said) if said else SplitRule(), kind)


def _all_names(source: OwnSource, kind: str) -> tuple[str, ...]:
    labels = [part.labels for part in source.parts.values() if part.labels is not None]
    texts = [found.ravel() for found in labels if found.dtype.kind == "U"]
    every = np.concatenate(texts) if texts else None
    return class_names_of(kind, every, source.class_names)


def _check_fit(source: OwnSource, facts: Task) -> None:
    where = f"data {source.where!r}"
    if source.features != facts.features:
        raise InputError(where, expected=f"{facts.features} channels, as in training",
                         got=str(source.features))  # fmt: skip
    if source.vocabulary and source.vocabulary != facts.vocabulary:
        raise InputError(where, expected=f"a vocabulary of {facts.vocabulary}, as in training",
                         got=str(source.vocabulary))  # fmt: skip


def _by_facts(source: OwnSource, part: Part, facts: Task) -> NDArray[Any] | Rows:
    if facts.vocabulary or facts.scaling is None:
        return _whole(source, part)
    checked = Valid(part.inputs, part.lengths, facts.scaling.offset, source.where)
    return Integers(checked, facts.scaling)


def _without_facts(
    source: OwnSource, part: Part, unit: float | None, scale: float, tokens: int, bits: int,
    say: Callable[[str], object] | None,
) -> NDArray[Any] | Rows:  # fmt: skip
    """Return whole numbers as they are; others in units, where there is one."""
    kind = _dtype(part).kind
    if tokens or unit is None or kind != "f" or _all_whole(source, part):
        if say and kind == "f" and not tokens and unit not in (None, 1.0):
            say(f"data {source.name!r}: all its real numbers are whole: taken as integers in units"
                f" of {scale:g}, not divided by it")  # fmt: skip
        return _whole(source, part)
    if say and unit != 1.0:
        say(f"data {source.name!r}: real numbers, divided by {unit:g}, the unit of the input, and"
            " rounded")  # fmt: skip
    channels = source.features
    every = np.full(channels, unit)
    checked = Valid(part.inputs, part.lengths, np.zeros(channels), source.where)
    return Integers(checked, Scaling(every, np.zeros(channels), every, bits))


def _whole(source: OwnSource, part: Part) -> NDArray[Any] | Rows:
    if not isinstance(part.inputs, Rows):
        return whole_numbers(f"{source.where}: inputs", part.inputs, IN_UNITS)
    if _dtype(part).kind == "f" and not _all_whole(source, part):
        raise InputError(f"{source.where}: inputs", expected="whole numbers", got="fractions",
                         remedy=IN_UNITS)  # fmt: skip
    channels = source.features
    one = Scaling(np.ones(channels), np.zeros(channels), np.ones(channels), MOST_BITS)
    return Integers(Valid(part.inputs, part.lengths, np.zeros(channels), source.where), one)


def _all_whole(source: OwnSource, part: Part) -> bool:
    checked = Valid(part.inputs, part.lengths, np.zeros(source.features), source.where)
    every = np.arange(len(part))
    return all(bool(np.all(values == np.trunc(values))) for _, values in pieces(checked, every))


def _dtype(part: Part) -> np.dtype[Any]:
    return np.dtype(part.inputs[:1].dtype)
