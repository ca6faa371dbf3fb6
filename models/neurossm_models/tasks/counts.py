"""Running sums of predictions, in bounded memory, from which scores are computed.

The definitions are those of scikit-learn, which the tests hold them against.

Shape letters: ``m`` answers, ``K`` classes, labels or numbers of an answer.
"""

from __future__ import annotations

import math
from typing import Any, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from neurossm.fixed import TargetScaling
from neurossm_models.data.labels import NOTHING
from neurossm_models.tasks.scores import ACCURACY, MACRO_F1, MSE, PERPLEXITY, R2

MOST_CONFUSED = 256  # classes of a confusion matrix that is kept
AT_ONCE = 2**22  # numbers of which copies are made
MOST_RANKED = 2**22  # answers x labels that are kept to rank them at the end: 16 MiB
Reals = NDArray[np.floating[Any]]
Values = dict[str, float]


class Counts(Protocol):
    """What is kept of the answers to one kind of task."""

    count: int

    @property
    def confusion(self) -> NDArray[np.int64] | None:
        """Classes asked for (rows) by classes answered; None where it is not kept."""

    @property
    def main(self) -> str:
        """Name of the main value."""

    def add(self, answers: Reals, labels: NDArray[Any]) -> None:
        """Take up answers (m, K) and their labels, (m,) or (m, K)."""

    def merge(self, other: Self) -> None:
        """Take up what another one was given."""

    def values(self) -> Values:
        """Return all values by name; there is an answer at least."""


class ClassCounts:
    """One of K classes: the largest of K numbers answers, of equal ones the first."""

    main = ACCURACY

    def __init__(self, classes: int) -> None:
        self.count = 0
        # how often each class was asked for, answered, and both at once
        self._asked, self._answered, self._right = (np.zeros(classes, np.int64) for _ in range(3))
        small = classes <= MOST_CONFUSED
        self.confusion = np.zeros((classes, classes), np.int64) if small else None

    def add(self, answers: Reals, labels: NDArray[Any]) -> None:
        """Take up answers (m, K) and labels (m,), `NOTHING` where none is asked for."""
        asked = labels != NOTHING
        truth, found = labels[asked].astype(np.int64), answers.argmax(1)[asked]
        classes = len(self._asked)
        self.count += len(truth)
        self._asked += np.bincount(truth, minlength=classes)
        self._answered += np.bincount(found, minlength=classes)
        self._right += np.bincount(truth[truth == found], minlength=classes)
        if self.confusion is not None:
            pairs = np.bincount(truth * classes + found, minlength=classes**2)
            self.confusion += pairs.reshape(classes, classes)

    def merge(self, other: Self) -> None:
        """Take up what another one was given."""
        self.count += other.count
        for name in ("_asked", "_answered", "_right"):
            getattr(self, name).__iadd__(getattr(other, name))
        if self.confusion is not None and other.confusion is not None:
            self.confusion += other.confusion

    def values(self) -> Values:
        """Return accuracy; its mean over the classes that were asked for; mean F1."""
        there = self._asked > 0
        recall = self._right[there] / self._asked[there]
        f1 = 2 * self._right / np.maximum(self._asked + self._answered, 1)
        known = there | (self._answered > 0)
        return {
            ACCURACY: float(self._right.sum() / self.count),
            "balanced_accuracy": float(recall.mean()),
            MACRO_F1: float(f1[known].mean()),
        }


class TokenCounts:
    """The next one of many tokens: as `ClassCounts`, and how likely the right one was held."""

    main = PERPLEXITY
    confusion = None

    def __init__(self) -> None:
        self.count, self._right, self._nats = 0, 0, 0.0

    def add(self, answers: Reals, labels: NDArray[Any]) -> None:
        """Take up logits (m, K) and labels (m,), `NOTHING` where none is asked for."""
        asked = np.flatnonzero(labels != NOTHING)
        size = max(1, AT_ONCE // answers.shape[1])
        for start in range(0, len(asked), size):
            rows = asked[start : start + size]
            self._add(answers[rows].astype(np.float64), labels[rows].astype(np.int64))

    def add_likelihoods(self, nats: Reals, right: NDArray[np.bool_]) -> None:
        """Take up log-likelihoods of labels (m,), and whether each is the likeliest token."""
        self.count += len(nats)
        self._right += int(np.count_nonzero(right))
        self._nats -= float(nats.sum(dtype=np.float64))

    def _add(self, logits: NDArray[np.float64], truth: NDArray[np.int64]) -> None:
        self.count += len(truth)
        self._right += int(np.count_nonzero(logits.argmax(1) == truth))
        top = logits.max(1)
        norm = top + np.log(np.exp(logits - top[:, None]).sum(1))
        self._nats += float((norm - logits[np.arange(len(truth)), truth]).sum())

    def merge(self, other: Self) -> None:
        """Take up what another one was given."""
        self.count += other.count
        self._right += other._right
        self._nats += other._nats

    def values(self) -> Values:
        """Return perplexity and accuracy."""
        nats = self._nats / self.count
        perplexity = math.exp(nats) if nats < 700 else math.inf  # beyond, it is no float64
        return {PERPLEXITY: perplexity, ACCURACY: self._right / self.count}


class LabelCounts:
    """Any of K labels: each is answered whose number is above 0."""

    main = MACRO_F1
    confusion = None

    def __init__(self, labels: int) -> None:
        self.count, self._exact = 0, 0
        self._asked, self._answered, self._right = (np.zeros(labels, np.int64) for _ in range(3))
        self._ranked: list[tuple[Reals, NDArray[np.bool_]]] | None = []

    def add(self, answers: Reals, labels: NDArray[Any]) -> None:
        """Take up answers (m, K) and labels (m, K) of 0 and 1; rows with `NOTHING` are left out."""
        asked = np.all(labels != NOTHING, axis=1)
        truth, logits = labels[asked] > 0, answers[asked]
        found = logits > 0
        self.count += len(truth)
        self._exact += int(np.count_nonzero(np.all(truth == found, axis=1)))
        self._asked += truth.sum(0)
        self._answered += found.sum(0)
        self._right += (truth & found).sum(0)
        self._rank([(logits.astype(np.float32), truth)])

    def _rank(self, more: list[tuple[Reals, NDArray[np.bool_]]] | None) -> None:
        """Keep answers to rank them at the end, unless they are too many: then none."""
        fits = self.count * len(self._asked) <= MOST_RANKED
        both = self._ranked is not None and more is not None and fits
        self._ranked = [*(self._ranked or []), *(more or [])] if both else None

    def merge(self, other: Self) -> None:
        """Take up what another one was given."""
        self.count += other.count
        self._exact += other._exact
        for name in ("_asked", "_answered", "_right"):
            getattr(self, name).__iadd__(getattr(other, name))
        self._rank(other._ranked)

    def values(self) -> Values:
        """Return F1, mean over labels and over all; exact rows; mean average precision.

        The last is left out where more than 2**22 numbers would have to be kept and ranked for it.
        """
        f1 = 2 * self._right / np.maximum(self._asked + self._answered, 1)
        both = int(self._asked.sum() + self._answered.sum())
        values = {
            MACRO_F1: float(f1.mean()),
            "micro_f1": 2 * int(self._right.sum()) / max(both, 1),
            "subset_accuracy": self._exact / self.count,
        }
        if self._ranked and self._asked.any():
            answers, truth = (np.concatenate(parts) for parts in zip(*self._ranked, strict=True))
            found = [
                average_precision(answers[:, k], truth[:, k]) for k in np.flatnonzero(self._asked)
            ]
            values["mean_average_precision"] = float(np.mean(found))
        return values


def average_precision(answers: Reals, truth: NDArray[np.bool_]) -> float:
    """Return the sum of precisions, each times the recall that is won there, of one label (m,)."""
    order = np.argsort(-answers, kind="stable")
    ranked, hits = answers[order], np.cumsum(truth[order])
    last = np.append(ranked[1:] != ranked[:-1], True)  # equal answers are taken at once
    precision, recall = hits[last] / (np.flatnonzero(last) + 1), hits[last] / hits[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


class RealCounts:
    """K real numbers: errors in the units of the labels, and the spread of these."""

    confusion = None

    def __init__(self, target: TargetScaling | None = None) -> None:
        self.count = 0
        self._target = target
        self._sums: NDArray[np.float64] | None = None  # (5, K), see `_sums_of`

    @property
    def main(self) -> str:
        """``"r2"`` where an answer has several numbers, else ``"mse"``."""
        return R2 if self._sums is not None and self._sums.shape[1] > 1 else MSE

    def add(self, answers: Reals, labels: NDArray[Any]) -> None:
        """Take up what a network sent (m, K) and labels (m, K), nan where none is asked for."""
        truth = labels.astype(np.float64)
        found = answers.astype(np.float64)
        found = found if self._target is None else self._target.to_values(found)
        self.count += int(np.count_nonzero(~np.all(np.isnan(truth), axis=1)))
        self._take_up(_sums_of(found - truth, truth))

    def merge(self, other: Self) -> None:
        """Take up what another one was given."""
        self.count += other.count
        if other._sums is not None:
            self._take_up(other._sums)

    def _take_up(self, more: NDArray[np.float64]) -> None:
        if self._sums is None:
            self._sums = more
            return
        # the spread of two parts around their common mean (Chan, Golub, LeVeque 1983)
        n, m = self._sums[0], more[0]
        both, step = np.maximum(n + m, 1), more[3] - self._sums[3]
        mean = self._sums[3] + step * m / both
        spread = self._sums[4] + more[4] + step**2 * n * m / both
        self._sums = np.stack([n + m, *(self._sums[1:3] + more[1:3]), mean, spread])

    def values(self) -> Values:
        """Return MSE, RMSE, MAE and R2, each the mean over the numbers of an answer.

        R2 of labels without spread is 1 where they are met exactly, else 0.
        """
        assert self._sums is not None
        count, square, absolute, _, spread = self._sums[:, self._sums[0] > 0]
        exact = np.where(square == 0, 1.0, 0.0)
        r2 = np.where(spread > 0, 1 - square / np.where(spread > 0, spread, 1), exact)
        return {
            MSE: float(np.mean(square / count)),
            "rmse": float(np.mean(np.sqrt(square / count))),
            "mae": float(np.mean(absolute / count)),
            R2: float(np.mean(r2)),
        }


def _sums_of(error: NDArray[np.float64], truth: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (5, K): count, squares and magnitudes of errors, mean and spread of the labels."""
    asked = ~np.isnan(truth)
    count = asked.sum(0)
    own, off = np.where(asked, truth, 0.0), np.where(asked, error, 0.0)
    mean = own.sum(0) / np.maximum(count, 1)
    spread = np.where(asked, (own - mean) ** 2, 0.0).sum(0)
    return np.stack([count, (off**2).sum(0), np.abs(off).sum(0), mean, spread])
