"""Which data sets there are, and one name for a part of one: ``NAME:SPLIT[:N]``."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from neurossm.errors import InputError
from neurossm.fixed.scaling import MOST_BITS
from neurossm_models.arguments import check_choice, check_path
from neurossm_models.data import (
    aan,
    cifar,
    digits,
    imdb,
    listops,
    mnist,
    pathfinder,
    speech,
    wikitext,
)
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.own import OwnSource, is_own, load_own
from neurossm_models.data.task import Task

TWO_SPLITS = ("train", "test")
THREE_SPLITS = ("train", "valid", "test")
HELD_OUT = "held-out"
# what the recipes hold out of the training part, to choose by: this many of a seeded permutation
HELD_OUT_SAMPLES = {"cifar10-gray": 5000, "digits": 144, "mnist": 5000, "psmnist": 5000}
HELD_OUT_SEED = 42


@dataclass(frozen=True)
class Entry:
    """One line of ``neurossm data list``.

    Attributes
    ----------
    name, task, size
        What it is called, what is to be learned, how many sequences of how many steps.
    found
        Where it was found, or None.
    provenance, licence
        Where it comes from and on which terms.
    """

    name: str
    task: str
    size: str
    found: str | None
    provenance: str
    licence: str


@dataclass(frozen=True)
class Source:
    """How one data set is found and loaded.

    Attributes
    ----------
    task, size, provenance, licence
        As of `Entry`.
    splits
        Its parts; those with ``"valid"`` come with a validation part of their own.
    find
        From a data root to where a copy lies, or None.
    load
        From split, data root and number of sequences (None: all) to the data set.
    """

    task: str
    size: str
    provenance: str
    licence: str
    splits: tuple[str, ...]
    find: Callable[[str | Path | None], object]
    load: Callable[[str, str | Path | None, int | None], Dataset]


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
        ``mnist:test`` or ``mnist:train:512``. ``mnist:held-out`` is what the recipes hold out of
        the training part: neither trained on nor tested, to choose by. Or data of one's own,
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
    dataset = _held_out(name, root) if part == HELD_OUT else _load(name, part, root, count)
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
    if not 1 <= len(rest) <= 2:
        raise InputError(f"data {spec!r}", expected="NAME:SPLIT or NAME:SPLIT:N")
    more = (HELD_OUT,) if name in HELD_OUT_SAMPLES else ()
    check_choice(f"data {spec!r}", rest[0], (*splits(name), *more))
    if len(rest) == 1:
        return name, rest[0], None
    if not (rest[1].isascii() and rest[1].isdigit() and int(rest[1]) > 0):
        raise InputError(f"data {spec!r}", expected="a count of at least 1", got=repr(rest[1]))
    return name, rest[0], int(rest[1])


def _load(name: str, split: str, root: str | Path | None, count: int | None) -> Dataset:
    return _SOURCES[name].load(split, root, count)


def _held_out(name: str, root: str | Path | None) -> Dataset:
    """Return what `neurossm_models.train` holds out by the recipes of this data set."""
    whole = _load(name, "train", root, None)
    order = np.random.default_rng(HELD_OUT_SEED).permutation(len(whole))
    return replace(whole.take(order[: HELD_OUT_SAMPLES[name]]), split=HELD_OUT)


def names() -> list[str]:
    """Return the names of all data sets."""
    return sorted(_SOURCES)


def splits(name: str) -> tuple[str, ...]:
    """Return the parts of a data set, by its name."""
    return _SOURCES[name].splits


def registry(root: str | Path | None = None) -> tuple[Entry, ...]:
    """Return one entry for each data set, saying whether and where it was found."""
    entries = []
    for name in names():
        source = _SOURCES[name]
        found = source.find(root)
        place = None if found is None else str(found)
        facts = (source.task, source.size, place, source.provenance, source.licence)
        entries.append(Entry(name, *facts))
    return tuple(entries)


def _find_digits(root: str | Path | None) -> str | None:
    return "scikit-learn" if importlib.util.find_spec("sklearn") else None


_RESEARCH = "none stated; for research"
_SOURCES: dict[str, Source] = {
    "aan": Source(
        "pairs of papers as characters, at most 4000 steps, 2 classes (LRA Retrieval)",
        "147086 train",
        "ACL Anthology Network, Long Range Arena release",
        _RESEARCH,
        THREE_SPLITS,
        aan.find,
        aan.load,
    ),
    "cifar10-gray": Source(
        "32x32 gray images as 1024 steps, 10 classes (LRA Image, sequential CIFAR)",
        "50000 train, 10000 test",
        "CIFAR-10, Krizhevsky",
        _RESEARCH,
        TWO_SPLITS,
        cifar.find,
        cifar.load,
    ),
    "digits": Source(
        "8x8 digits as 64 steps, 10 classes",
        "1437 train, 360 test",
        "UCI optical digits as shipped with scikit-learn",
        "BSD (scikit-learn); data of the UCI repository",
        TWO_SPLITS,
        _find_digits,
        lambda split, root, limit: digits.load(split),
    ),
    "imdb": Source(
        "reviews as characters, at most 4096 steps, 2 classes (LRA Text)",
        "25000 train, 25000 test",
        "Large Movie Review Dataset, Maas et al.",
        _RESEARCH,
        TWO_SPLITS,
        imdb.find,
        imdb.load,
    ),
    "listops": Source(
        "nested operators on digits, at most 2048 steps, 10 classes (LRA ListOps)",
        "96000 train, 2000 valid, 2000 test",
        "Long Range Arena release",
        "Apache-2.0 (the repository of Long Range Arena)",
        THREE_SPLITS,
        listops.find,
        listops.load,
    ),
    "mnist": Source(
        "28x28 digits as 784 steps, 10 classes",
        "60000 train, 10000 test",
        "LeCun, Cortes, Burges",
        mnist.LICENCE,
        TWO_SPLITS,
        mnist.find_all,
        lambda split, root, limit: mnist.load(split, root),
    ),
    "pathfinder": Source(
        "32x32 dashed paths as 1024 steps, 2 classes (LRA Pathfinder)",
        "160000 train, 20000 valid, 20000 test",
        "Linsley et al., Long Range Arena release",
        "Apache-2.0 (the repository of Long Range Arena)",
        THREE_SPLITS,
        partial(pathfinder.find, "pathfinder"),
        partial(pathfinder.load, "pathfinder"),
    ),
    "pathx": Source(
        "128x128 dashed paths as 16384 steps, 2 classes (LRA Path-X)",
        "160000 train, 20000 valid, 20000 test",
        "Linsley et al., Long Range Arena release",
        "Apache-2.0 (the repository of Long Range Arena)",
        THREE_SPLITS,
        partial(pathfinder.find, "pathx"),
        partial(pathfinder.load, "pathx"),
    ),
    "psmnist": Source(
        "28x28 digits as 784 steps in bit-reversed order, 10 classes",
        "60000 train, 10000 test",
        "the files of mnist, permuted",
        mnist.LICENCE,
        TWO_SPLITS,
        mnist.find_all,
        lambda split, root, limit: mnist.load_permuted(split, root),
    ),
    "speech-commands": Source(
        "spoken words as 16000 samples, 35 classes",
        "84843 train, 9981 valid, 11005 test",
        "Speech Commands v0.02, Warden",
        "often cited as CC BY 4.0",
        THREE_SPLITS,
        speech.find,
        speech.load,
    ),
    "wikitext103": Source(
        "words in segments of 8192 steps, 267735 classes at every step",
        "103227021 train, 217646 valid, 245569 test tokens",
        "WikiText-103, Merity et al.",
        "often cited as CC BY-SA 3.0 (Wikipedia)",
        THREE_SPLITS,
        wikitext.find,
        wikitext.load,
    ),
}
