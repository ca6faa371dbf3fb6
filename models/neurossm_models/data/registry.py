"""Which data sets there are, and one name for a part of one: ``NAME:SPLIT[:N]``."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neurossm.errors import InputError
from neurossm_models.config import check_choice
from neurossm_models.data import digits, mnist
from neurossm_models.data.dataset import Dataset

SPLITS = ("train", "test")


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


def load(spec: str, root: str | Path | None = None) -> Dataset:
    """Return the data set named by `spec`.

    Parameters
    ----------
    spec
        ``NAME:SPLIT`` or ``NAME:SPLIT:N``, the first N sequences only; for example
        ``mnist:test`` or ``mnist:train:512``.
    root
        Folder to look in; see `data_root`.

    Raises
    ------
    InputError
        If the name, the split or the count is wrong, or the files are not there.
    FormatError
        If a file is damaged.
    """
    name, split, count = parse(spec)
    dataset = _LOADERS[name](split, root)
    if count is None:
        return dataset
    if count > len(dataset):
        raise InputError(f"data {spec!r}", expected=f"at most {len(dataset)}", got=str(count))
    return dataset.take(slice(count))


def parse(spec: str) -> tuple[str, str, int | None]:
    """Return name, split and count (None: all) of ``NAME:SPLIT[:N]``; `InputError` if wrong."""
    name, *rest = spec.split(":")
    check_choice(f"data {spec!r}", name, names())
    if not 1 <= len(rest) <= 2:
        raise InputError(f"data {spec!r}", expected="NAME:SPLIT or NAME:SPLIT:N")
    check_choice(f"data {spec!r}", rest[0], SPLITS)
    if len(rest) == 1:
        return name, rest[0], None
    if not (rest[1].isascii() and rest[1].isdigit() and int(rest[1]) > 0):
        raise InputError(f"data {spec!r}", expected="a count of at least 1", got=repr(rest[1]))
    return name, rest[0], int(rest[1])


def names() -> list[str]:
    """Return the names of all data sets."""
    return sorted(_LOADERS)


def registry(root: str | Path | None = None) -> tuple[Entry, ...]:
    """Return one entry for each data set, saying whether and where it was found."""
    files = [mnist.find(name, root) for name in mnist.CHECKSUMS]
    sklearn = importlib.util.find_spec("sklearn")
    return (
        Entry(
            "digits",
            "8x8 digits as 64 steps, 10 classes",
            "1437 train, 360 test",
            "scikit-learn" if sklearn else None,
            "UCI optical digits as shipped with scikit-learn",
            "BSD (scikit-learn); data of the UCI repository",
        ),
        Entry(
            "mnist",
            "28x28 digits as 784 steps, 10 classes",
            "60000 train, 10000 test",
            str(files[0].parent) if files[0] and all(files) else None,
            "LeCun, Cortes, Burges",
            mnist.LICENCE,
        ),
        Entry(
            "psmnist",
            "28x28 digits as 784 steps in bit-reversed order, 10 classes",
            "60000 train, 10000 test",
            str(files[0].parent) if files[0] and all(files) else None,
            "the files of mnist, permuted",
            mnist.LICENCE,
        ),
    )


_LOADERS: dict[str, Callable[[str, str | Path | None], Dataset]] = {
    "digits": lambda split, root: digits.load(split),
    "mnist": mnist.load,
    "psmnist": mnist.load_permuted,
}
