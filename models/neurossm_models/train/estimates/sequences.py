"""Number of training sequences, and whether batches can be shared among processes."""

from __future__ import annotations

from neurossm.errors import InputError
from neurossm_models.data.registry import load
from neurossm_models.data.sets import SOURCES
from neurossm_models.data.task import Task
from neurossm_models.train.recipe import Recipe


def check_batch(recipe: Recipe, sequences: int | None) -> None:
    """Raise `InputError` if there are fewer sequences to train on than a batch has."""
    batch = recipe.train.batch
    if sequences is not None and sequences < batch:
        raise InputError(
            "recipe [train] batch", got=str(batch), remedy=f"--set train.batch={sequences}",
            expected=f"at most {sequences}, the sequences of the training part",
        )  # fmt: skip


def check_share(recipe: Recipe, processes: int) -> None:
    """Raise `InputError` unless processes, and parts of a batch in each, get equal shares."""
    train = recipe.train
    if train.batch % processes:
        expected = f"a multiple of the {processes} processes"
        raise InputError("recipe [train] batch", expected=expected, got=str(train.batch))
    if train.batch % (processes * train.accumulate):
        expected = f"a divisor of {train.batch // processes}, what a process has of a batch"
        raise InputError("recipe [train] accumulate", expected=expected, got=str(train.accumulate))


def sequences_of(recipe: Recipe, facts: Task | None) -> int | None:
    """Return how many sequences are trained on; None where they are not known without the data."""
    data = recipe.data
    if data.path:
        count = f":{data.limit}" if data.limit else ""
        return len(load(f"{data.path}:train{count}", facts=facts))
    there = SOURCES[data.name].training
    if data.limit:
        there = min(there, data.limit) if there else data.limit
    return there - data.validated(there) if there else None
