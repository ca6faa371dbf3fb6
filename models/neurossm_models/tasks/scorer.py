"""Scores of predictions that come in batches.

Shape letters: ``n`` sequences, ``L`` steps, ``K`` classes, labels or numbers of an answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.errors import InputError
from neurossm.fixed import TargetScaling
from neurossm_models.arguments import check_choice
from neurossm_models.data.labels import (
    CLASSIFICATION,
    EVERY_STEP,
    KINDS,
    MULTILABEL,
    NEXT_STEP,
    NOTHING,
    STEP_CLASSIFICATION,
)
from neurossm_models.tasks.counts import (
    ClassCounts,
    Counts,
    LabelCounts,
    RealCounts,
    TokenCounts,
)
from neurossm_models.tasks.scores import Scores


class Scorer:
    """Takes predictions and labels in batches; memory does not grow with their number.

    Labels of `NOTHING` (nan where they are real) ask for nothing, nor does what lies behind the end
    of a sequence.

    Parameters
    ----------
    kind
        The task, one of `neurossm_models.data.labels.KINDS`.
    classes
        Numbers K of an answer: classes, labels, tokens; of real numbers any number will do.
    class_names
        Of the classes.
    target
        From what a network sends to real values, as labels are; None: it sends them.

    Raises
    ------
    InputError
        For a kind that there is not.
    """

    def __init__(
        self,
        kind: str,
        classes: int,
        class_names: tuple[str, ...] = (),
        target: TargetScaling | None = None,
    ) -> None:
        check_choice("task", kind, KINDS)
        self.kind, self.classes, self.class_names = kind, classes, tuple(class_names)
        self._target = target
        self._counts: Counts | None = None

    def add(
        self, answers: ArrayLike, labels: ArrayLike, lengths: NDArray[np.int64] | None = None
    ) -> None:
        """Take up answers and what is right.

        Parameters
        ----------
        answers
            Real numbers (n, K), or (n, L, K) for tasks at every step, as the network sends them.
        labels
            As of `neurossm_models.data.Dataset`.
        lengths
            Steps of each sequence that count, (n,); None: all. For tasks at every step only.

        Raises
        ------
        InputError
            For other shapes, and labels that are no classes.
        """
        found, truth = np.asarray(answers), np.asarray(labels)
        by_step = self.kind in EVERY_STEP
        if found.ndim != (3 if by_step else 2):
            expected = "(sequences, steps, K)" if by_step else "(sequences, K)"
            raise InputError(f"answers of a {self.kind}", expected=f"shape {expected}",
                             got=f"shape {found.shape}")  # fmt: skip
        real = truth.dtype.kind == "f"
        per_answer = real or self.kind == MULTILABEL
        shape = found.shape if per_answer else found.shape[:-1]
        if truth.shape != shape:
            raise InputError(f"labels of a {self.kind}", expected=f"shape {shape}, as the answers",
                             got=f"shape {truth.shape}")  # fmt: skip
        if not real:
            self._check_classes(found, truth)
        if by_step:
            truth = _without_padding(truth, lengths)
            # views, no copies: the logits of all steps may be gigabytes
            found = found.reshape(-1, found.shape[-1])
            truth = truth.reshape(len(found), -1) if real else truth.reshape(-1)
        if self._counts is None:
            self._counts = self._begin(real)
        self._counts.add(found, truth)

    def add_likelihoods(
        self, nats: ArrayLike, right: ArrayLike, labels: ArrayLike, lengths: Any = None
    ) -> None:
        """Take up what is left of answers about tokens, of which there are too many.

        Parameters
        ----------
        nats, right
            Log-likelihood of each label, and whether it is the likeliest token, (n, L).
        labels, lengths
            As of `add`.

        Raises
        ------
        InputError
            For another task than ``"next-step"``, and other shapes.
        """
        truth, found = np.asarray(labels), np.asarray(nats)
        if self.kind != NEXT_STEP or truth.dtype.kind == "f":
            raise InputError("likelihoods", expected="the task next-step of tokens", got=self.kind)
        if found.shape != truth.shape:
            raise InputError("likelihoods", expected=f"shape {truth.shape}, as the labels",
                             got=f"shape {found.shape}")  # fmt: skip
        asked = _without_padding(truth, lengths) != NOTHING
        if self._counts is None:
            self._counts = TokenCounts()
        assert isinstance(self._counts, TokenCounts)
        self._counts.add_likelihoods(found[asked], np.asarray(right)[asked])

    def merge(self, other: Scorer) -> None:
        """Take up what another one of the same task was given."""
        if self._counts is None:
            self._counts = other._counts
        elif other._counts is not None:
            self._counts.merge(other._counts)

    def result(self) -> Scores:
        """Return the scores of what was taken up so far."""
        counts = self._begin(self._real) if self._counts is None else self._counts
        values = counts.values() if counts.count else {}
        return Scores(
            kind=self.kind,
            main=counts.main,
            value=values.get(counts.main),
            values=values,
            confusion=counts.confusion,
            count=counts.count,
            class_names=self.class_names,
        )

    @property
    def _real(self) -> bool:
        return self.kind.endswith("regression")

    def _begin(self, real: bool) -> Counts:
        if real:
            return RealCounts(self._target)
        if self.kind in (CLASSIFICATION, STEP_CLASSIFICATION):
            return ClassCounts(self.classes)
        return LabelCounts(self.classes) if self.kind == MULTILABEL else TokenCounts()

    def _check_classes(self, answers: NDArray[Any], labels: NDArray[Any]) -> None:
        if answers.shape[-1] != self.classes:
            got = str(answers.shape[-1])
            raise InputError("answers", expected=f"{self.classes} numbers each", got=got)
        if not labels.size or self.kind == MULTILABEL:
            return
        low, high = int(labels.min()), int(labels.max())
        if low < NOTHING or high >= self.classes:
            expected = f"classes 0 to {self.classes - 1} (-1: none)"
            raise InputError("labels", expected=expected, got=f"{low} to {high}")


def _without_padding(labels: NDArray[Any], lengths: NDArray[np.int64] | None) -> NDArray[Any]:
    """Return labels (n, L) or (n, L, K) that ask for nothing behind the end of a sequence."""
    if lengths is None:
        return labels
    if np.shape(lengths) != labels.shape[:1]:
        got = f"shape {np.shape(lengths)}"
        raise InputError("lengths", expected=f"shape ({len(labels)},)", got=got)
    inside = np.arange(labels.shape[1]) < np.asarray(lengths)[:, None]
    if labels.ndim == 3:
        inside = inside[:, :, None]
    return np.where(inside, labels, np.nan if labels.dtype.kind == "f" else NOTHING)
