"""The registered data sets, and one name for a part of one: ``NAME:SPLIT[:N]``."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from neurossm.deprecation import deprecated
from neurossm.errors import InputError
from neurossm.fixed.scaling import MOST_BITS
from neurossm_models.arguments import check_choice, check_path
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.own import OwnSource, is_own, load_own
from neurossm_models.data.sets import SOURCES
from neurossm_models.data.task import Task

VALID = "valid"
_OLD_VALID = "held-out"  # its old name
VALID_SEED = 42  # of the permutation whose first samples are the validation part


@dataclass(frozen=True)
class Entry:
    """One line of ``neurossm data list``.

    Attributes
    ----------
    name, task, size
        What it is called, what is to be learned, how many sequences of how many steps.
    found
        Where it was found, or None.
    provenance, license
        Where it comes from and on which terms.
    """

    name: str
    task: str
    size: str
    found: str | None
    provenance: str
    license: str

    @property
    def licence(self) -> str:
        """Old name of `license`."""
        deprecated("Entry.licence", "Entry.license")
        return self.license


def load(
    spec: str | os.PathLike[str] | OwnSource,
    root: str | Path | None = None,
    *,
    facts: Task | None = None,
    unit: float | None = None,
    vocabulary: int = 0,
    split: str = "",
    bits: int = MOST_BITS,
    kind: str = "",
    class_names: tuple[str, ...] = (),
    say: Callable[[str], object] | None = None,
) -> Dataset:
    """Return the data set named by `spec`.

    Parameters
    ----------
    spec
        ``NAME:SPLIT`` or ``NAME:SPLIT:N``, the first N sequences only; for example
        ``mnist:test`` or ``mnist:train:512``. ``mnist:valid`` is the validation part that the
        recipes split off the training part: neither trained on nor tested. Or data of your own,
        ``PATH[:SPLIT[:N]]`` and the like (`neurossm_models.data.own`), or an `OwnSource`.
    root
        Folder to look in; see `data_root`.
    facts, unit, vocabulary, split, bits, kind, class_names, say
        Of data of one's own, as of `load_own`; registered data sets have theirs.

    Raises
    ------
    InputError
        If the name, the split or the count is wrong, or the files are not there.
    FormatError
        If a file is damaged.
    """
    if isinstance(spec, OwnSource) or is_own(spec):
        return load_own(spec, unit, vocabulary, root=root, facts=facts, split=split, bits=bits,
                        kind=kind, class_names=class_names, say=say)  # fmt: skip
    check_path("data", spec)
    name, part, count = parse(os.fspath(spec))
    if part == VALID and VALID not in splits(name):
        dataset = _validation(name, root)
    else:
        dataset = SOURCES[name].load(part, root, count)
    if count is None:
        return dataset
    if count > len(dataset):
        raise InputError(f"data {spec!r}", expected=f"at most {len(dataset)}", got=str(count),
                         remedy=f"without :{count} all are taken")  # fmt: skip
    return dataset.take(slice(count))


def parse(spec: str) -> tuple[str, str, int | None]:
    """Return name, split and count (None: all) of ``NAME:SPLIT[:N]``; `InputError` if wrong."""
    name, *rest = spec.split(":")
    check_choice(f"data {spec!r}", name, names())
    if rest and rest[0] == _OLD_VALID and SOURCES[name].valid:
        deprecated(f"{name}:{_OLD_VALID}", f"{name}:{VALID}")
        rest[0] = VALID
    parts = (*splits(name), *((VALID,) if SOURCES[name].valid else ()))
    if not rest or rest == [""]:
        raise InputError(f"data {spec!r}", expected=f"a part of it: {' | '.join(parts)}",
                         got="none", remedy=f"write {name}:{parts[0]}")  # fmt: skip
    if len(rest) > 2:
        raise InputError(f"data {spec!r}", expected="at most :SPLIT:N behind the name",
                         got=":".join(rest))  # fmt: skip
    check_choice(f"data {spec!r}", rest[0], parts)
    if len(rest) == 1:
        return name, rest[0], None
    if not (rest[1].isascii() and rest[1].isdigit() and int(rest[1]) > 0):
        raise InputError(f"data {spec!r}", expected="a count of at least 1", got=repr(rest[1]))
    return name, rest[0], int(rest[1])


def _validation(name: str, root: str | Path | None) -> Dataset:
    """Return the validation part that the recipes of this data set split off for training."""
    whole = SOURCES[name].load("train", root, None)
    order = np.random.default_rng(VALID_SEED).permutation(len(whole))
    return replace(whole.take(order[: SOURCES[name].valid]), split=VALID)


def names() -> list[str]:
    """Return the names of all data sets."""
    return list(SOURCES)


def splits(name: str) -> tuple[str, ...]:
    """Return the parts of a data set, by its name."""
    return SOURCES[name].splits


def registry(root: str | Path | None = None) -> tuple[Entry, ...]:
    """Return one entry for each data set, saying whether and where it was found."""
    entries = []
    for name, source in SOURCES.items():
        found = source.find(root)
        place = None if found is None else str(found)
        facts = (source.about, source.size, place, source.provenance, source.license)
        entries.append(Entry(name, *facts))
    return tuple(entries)


def task(name: str) -> Task:
    """Return the facts of a data set by its name; `InputError` if there is none."""
    check_choice("data set", name, names())
    return SOURCES[name].task
