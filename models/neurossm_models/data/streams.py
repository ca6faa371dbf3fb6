"""Streams, such as a long text, cut into pieces that follow each other."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurossm.errors import InputError
from neurossm_models.data.dataset import Dataset


def check_stream(dataset: Dataset) -> None:
    """Raise `InputError` unless each sample goes on where the one before it ended."""
    where, lengths = f"data set {dataset.name}:{dataset.split} as a stream", dataset.lengths
    if not dataset.consecutive:
        remedy = "leave states where they are (--set train.carry=false)"
        raise InputError(where, expected="pieces of one stream, in order",
                         got="samples by themselves", remedy=remedy)  # fmt: skip
    if lengths is not None and np.any(lengths[:-1] < dataset.shape[1]):
        raise InputError(where, expected="padding in the last piece only", got="elsewhere")


def joined(dataset: Dataset) -> Dataset:
    """Return a stream as one sample without padding, in memory; raises as `check_stream`."""
    check_stream(dataset)
    taken = dataset.take(slice(None))
    total = taken.inputs.shape[0] * taken.inputs.shape[1]
    if taken.lengths is not None:
        total = int(taken.lengths.sum())
    inputs = taken.inputs.reshape(1, -1, taken.shape[2])[:, :total]
    labels = taken.labels
    if labels.ndim > 1:
        labels = labels.reshape(1, -1, *labels.shape[2:])[:, :total]
    return replace(taken, rows=inputs, labels=labels, lengths=None, groups=None)
