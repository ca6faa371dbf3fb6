"""The first samples of a part, and whether they represent it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neurossm_models.data.labels import CLASSIFICATION
from neurossm_models.data.own.source import Part

SORTED = 0.5  # share of the changes of class of a shuffled part, below which classes stand together


def first_classes(part: Part, kind: str, positions: NDArray[np.int64], count: int) -> str:
    """Say that the first samples are of few classes because those stand one behind the other.

    Files of archives are often sorted by class: the first 128 samples then neither calibrate nor
    measure what the part would.

    Parameters
    ----------
    part
        With labels as they stand in the file.
    kind
        The task.
    positions
        Of the samples that could be taken.
    count
        How many of them are, from the first on.

    Returns
    -------
    str
        The sentence; empty where all classes are there, or the part is not sorted.
    """
    if part.labels is None or kind != CLASSIFICATION or part.labels.ndim != 1 or not count:
        return ""
    labels = part.labels[positions]
    classes, places, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if count < len(classes):  # could not be of all
        return ""
    seen = len(np.unique(places[:count]))
    shuffled = (len(labels) - 1) * (1 - float(np.sum((counts / len(labels)) ** 2)))
    changes = int(np.count_nonzero(np.diff(places)))
    if seen == len(classes) or changes >= SORTED * shuffled:
        return ""
    return (
        f"the first {count:,} of {len(labels):,} samples are of {seen} of {len(classes)} classes,"
        f" which stand one behind the other; without :{count} all are taken"
    )
