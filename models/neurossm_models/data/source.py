"""What a data set that comes with neurossm is: its facts, where it is found, how it is read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from neurossm_models.data.dataset import Dataset
from neurossm_models.data.task import Task

TWO_SPLITS = ("train", "test")
THREE_SPLITS = ("train", "valid", "test")
RESEARCH = "none stated; for research"

Root = str | Path | None


@dataclass(frozen=True, kw_only=True)
class Source:
    """A data set, as its module in `neurossm_models.data.sets` declares it.

    Attributes
    ----------
    name, about, size
        What it is called, what is to be learned, how many sequences of how many steps.
    provenance, licence
        Where it comes from and on which terms.
    splits
        Its parts; those with ``"valid"`` come with a validation part of their own.
    task
        What is fixed about its sequences.
    find
        From a data root to where a copy lies, or None.
    load
        From split, data root and number of sequences (None: all) to the data set.
    held_out
        Training sequences that the recipes hold out to choose by; 0: none.
    fetched_as
        The name by which ``neurossm data fetch`` brings it; empty: it does not.
    """

    name: str
    about: str
    size: str
    provenance: str
    licence: str
    splits: tuple[str, ...] = TWO_SPLITS
    task: Task
    find: Callable[[Root], object]
    load: Callable[[str, Root, int | None], Dataset]
    held_out: int = 0
    fetched_as: str = ""
