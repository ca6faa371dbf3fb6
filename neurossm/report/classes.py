"""Precision, recall, F1 and support of each class of a confusion matrix, and averages."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class ClassRow:
    """One class, or an average over classes.

    Attributes
    ----------
    name
        Of the class; ``macro average`` or ``weighted average``.
    precision
        Share of the predictions of this class that are right; 0 where it was never predicted.
    recall
        Share of the samples of this class that are predicted as it; 0 where there are none.
    f1
        Harmonic mean of both, 2 TP / (support + predictions).
    support
        Samples of this class.
    """

    name: str
    precision: float
    recall: float
    f1: float
    support: int


def class_rows(confusion: NDArray[np.int64], names: list[str]) -> list[ClassRow]:
    """Return a row for each class, and two averages.

    Classes that neither occur nor are predicted are left out, of the averages too, as
    ``sklearn.metrics.classification_report`` does; an undefined ratio is 0, as there with
    ``zero_division=0``.

    Parameters
    ----------
    confusion
        True class (row) by predicted class (column), ``(K, K)``.
    names
        Of the classes, K.
    """
    right = np.diag(confusion).astype(np.float64)
    support, predicted = confusion.sum(axis=1), confusion.sum(axis=0)
    known = np.flatnonzero(support + predicted)
    precision = right / np.maximum(predicted, 1)
    recall = right / np.maximum(support, 1)
    f1 = 2 * right / np.maximum(support + predicted, 1)
    rows = [
        ClassRow(names[k], float(precision[k]), float(recall[k]), float(f1[k]), int(support[k]))
        for k in known
    ]
    total = int(support.sum())
    for name, weights in (("macro average", np.ones(len(names))), ("weighted average", support)):
        w = weights[known].astype(np.float64)
        whole = w.sum() or 1.0
        means = [float((value[known] * w).sum() / whole) for value in (precision, recall, f1)]
        rows.append(ClassRow(name, means[0], means[1], means[2], total))
    return rows


def confused_pairs(
    confusion: NDArray[np.int64], names: list[str], most: int
) -> list[tuple[str, str, int, float]]:
    """Return the pairs that are confused most often.

    Each is a true class, the class predicted instead, how often, and the share of the samples of
    the true class; at most `most`, the most frequent first.
    """
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    support = np.maximum(confusion.sum(axis=1), 1)
    pairs = [
        np.unravel_index(place, wrong.shape)
        for place in np.argsort(-wrong, axis=None, kind="stable")[:most]
    ]
    return [
        (names[a], names[b], int(wrong[a, b]), float(wrong[a, b] / support[a]))
        for a, b in pairs
        if wrong[a, b]
    ]
