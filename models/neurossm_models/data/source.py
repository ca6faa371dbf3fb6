"""Describes a data set that comes with neurossm: facts, where it is found, how it is read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neurossm.errors import InputError
from neurossm_models.data.dataset import Dataset, data_root
from neurossm_models.data.task import Task

TWO_SPLITS = ("train", "test")
THREE_SPLITS = ("train", "valid", "test")
RESEARCH = "none stated; for research"

Root = str | Path | None


@dataclass(frozen=True, kw_only=True)
class Source(ABC):
    """A data set, as its module in `neurossm_models.data.sets` declares it.

    Attributes
    ----------
    name, about, size
        What it is called, what is to be learned, how many sequences of how many steps.
    provenance, license
        Where it comes from and on which terms.
    splits
        Its parts; those with ``"valid"`` come with a validation part of their own.
    task
        What is fixed about its sequences.
    valid
        Training sequences that the recipes split off to validate on; 0: none.
    training
        Sequences of the training part, as published; 0: not known.
    fetched_as
        The name by which ``neurossm data fetch`` brings it; empty: it does not.
    """

    name: str
    about: str
    size: str
    provenance: str
    license: str
    splits: tuple[str, ...] = TWO_SPLITS
    task: Task
    valid: int = 0
    training: int = 0
    fetched_as: str = ""

    @abstractmethod
    def find(self, root: Root = None) -> object:
        """Return where a copy lies under the data root, or None."""

    @abstractmethod
    def load(self, split: str, root: Root = None, limit: int | None = None) -> Dataset:
        """Return a part.

        Parameters
        ----------
        split
            Which.
        root
            Folder to look in; see `data_root`.
        limit
            No more than the first so many sequences are needed; None: all.

        Raises
        ------
        InputError
            If there is no copy under `root`.
        FormatError
            If a file is damaged.
        """


@dataclass(frozen=True, kw_only=True)
class Copied(Source):
    """A data set that the user brings: files in a folder under the data root.

    Attributes
    ----------
    copies
        Folders to look for, and the files that must be in one of them; of several pairs the first
        that is there counts.
    remedy
        What the user does to bring it.
    read
        From such a folder, split and limit to the data set.
    """

    copies: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]
    remedy: str
    read: Callable[[Path, str, int | None], Dataset]

    def find(self, root: Root = None) -> Path | None:
        """Return the first folder that holds all the files, or None."""
        base = data_root(root)
        return next(
            (base / folder for folders, files in self.copies for folder in folders
             if all((base / folder / file).exists() for file in files)), None
        )  # fmt: skip

    def load(self, split: str, root: Root = None, limit: int | None = None) -> Dataset:
        """Return a part, as `Source.load` says."""
        folder = self.find(root)
        if folder is None:
            folders, files = self.copies[0]
            where = f"{self.name} under {data_root(root)}"
            expected = f"{', '.join(files)} in {' or '.join(f or '.' for f in folders)}"
            remedy = f"{self.remedy}; NEUROSSM_DATA says where copies are looked for"
            raise InputError(where, expected=expected, got="no such files", remedy=remedy)
        return self.read(folder, split, limit)
