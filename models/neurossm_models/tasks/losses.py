"""Losses by kind of task (PyTorch).

Shape letters: ``B`` sequences, ``L`` steps, ``K`` classes, labels or numbers of an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from neurossm.errors import InputError
from neurossm.fixed import TargetScaling
from neurossm_models.arguments import check_choice
from neurossm_models.data.labels import EVERY_STEP, KINDS, MULTILABEL, NOTHING
from neurossm_models.likelihoods import Likelihoods

Weights = Literal["none", "balanced"]


@dataclass(frozen=True, eq=False)
class Loss:
    """The loss of a task: cross entropy of classes, of each label, or the square of the error.

    Errors of real numbers are squared in standard deviations of the training labels (`target`), so
    that outputs of different units count alike.

    Attributes
    ----------
    kind
        The task, one of `neurossm_models.data.labels.KINDS`.
    weights
        Of the classes, (K,), or of the positives of each label; None: 1.
    target
        From answers to labels of a regression; None: answers are the labels.

    Raises
    ------
    InputError
        For a kind that there is not.
    """

    kind: str
    weights: NDArray[np.float64] | None = None
    target: TargetScaling | None = None

    def __post_init__(self) -> None:
        check_choice("task", self.kind, KINDS)

    def __call__(
        self, answers: Tensor | Likelihoods, labels: Tensor, lengths: Tensor | None = None
    ) -> tuple[Tensor, float]:
        """Return the mean loss, and over how many answers it is one.

        Parameters
        ----------
        answers
            Shape (B, K), or (B, L, K) for tasks at every step; or what is left of these.
        labels
            As of `neurossm_models.data.Dataset`; `NOTHING` or nan asks for nothing.
        lengths
            Steps of each sequence that count, (B,); the labels of the others ask for nothing.

        Returns
        -------
        tuple of Tensor and float
            With weights the second is their sum: means of parts weighted by it make that of all.
            Where nothing is asked for, the mean of none is not a number.
        """
        labels = self.masked(labels, lengths)
        if isinstance(answers, Likelihoods):
            mean = self._nats(answers, labels)
        elif labels.is_floating_point():
            mean = self._square(answers, labels)
        elif self.kind == MULTILABEL:
            asked = (labels != NOTHING).all(1)
            given, truth = answers[asked], labels[asked].to(answers.dtype)
            weights = self._weights(answers)
            mean = binary_cross_entropy_with_logits(given, truth, pos_weight=weights)
        else:
            flat, truth = answers.flatten(0, -2), labels.flatten()
            _check_beyond(truth, flat.shape[-1])
            weights = self._weights(answers)
            mean = cross_entropy(flat, truth, weight=weights, ignore_index=NOTHING)
        return mean, self.weight(labels)

    def masked(self, labels: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the labels with `NOTHING` (or nan) behind the end of each sequence."""
        if lengths is None or self.kind not in EVERY_STEP:
            return labels
        steps = torch.arange(labels.shape[1], device=labels.device)
        inside = steps < lengths[:, None]
        if labels.ndim == 3:
            inside = inside[:, :, None]
        return torch.where(inside, labels, torch.nan if labels.is_floating_point() else NOTHING)

    def weight(self, labels: Tensor) -> float:
        """Return over how many answers the loss is a mean; with weights, their sum."""
        if labels.is_floating_point():
            return int((~labels.isnan()).sum())
        if self.kind == MULTILABEL or self.weights is None:
            return self.asked(labels)
        return float(self.weights[labels[labels != NOTHING].cpu().numpy()].sum())

    def asked(self, labels: Tensor) -> int:
        """Return how many answers masked labels ask for."""
        if labels.is_floating_point():
            return int((~labels.isnan()).any(-1).sum())
        asked = labels != NOTHING
        return int((asked.all(1) if self.kind == MULTILABEL else asked).sum())

    def right(self, answers: Tensor | Likelihoods, labels: Tensor) -> int:
        """Return how many answers are right of those that masked labels ask for; 0 of numbers."""
        if isinstance(answers, Likelihoods):
            return 0 if answers.right is None else int((answers.right & (labels != NOTHING)).sum())
        if labels.is_floating_point() or self.kind == MULTILABEL:
            return 0
        return int((answers.argmax(-1) == labels).sum())

    def _nats(self, answers: Likelihoods, labels: Tensor) -> Tensor:
        asked = labels != NOTHING
        found, weights = answers.of_labels[asked], self._weights(answers.of_labels)
        if weights is None:
            return -found.mean()
        own = weights[labels[asked]]
        return -(own * found).sum() / own.sum()

    def _square(self, answers: Tensor, labels: Tensor) -> Tensor:
        if self.target is not None:
            unit, offset = (_like(part, labels) for part in (self.target.unit, self.target.offset))
            labels = (labels - offset) / unit
        asked = ~labels.isnan()
        off = torch.where(asked, answers - torch.where(asked, labels, 0).to(answers.dtype), 0)
        return off.square().sum() / asked.sum()

    def _weights(self, like: Tensor) -> Tensor | None:
        return None if self.weights is None else _like(self.weights, like)


def balanced_weights(kind: str, labels: NDArray[Any], classes: int) -> NDArray[np.float64] | None:
    """Return weights by which rare classes count as much as common ones.

    Parameters
    ----------
    kind
        The task.
    labels
        Of the training part; `NOTHING` asks for nothing.
    classes
        How many classes or labels there are.

    Returns
    -------
    ndarray or None
        Of a class ``asked / (classes that occur * its own)``; of a label its negatives over its
        positives. 1 for what does not occur. None where no class is asked for.
    """
    if labels.dtype.kind == "f":
        return None
    if kind == MULTILABEL:
        rows = labels[np.all(labels != NOTHING, axis=1)]
        positive = rows.sum(0)
        negative = len(rows) - positive
        there = (positive > 0) & (negative > 0)
        return np.where(there, negative / np.maximum(positive, 1), 1.0)
    counts = np.bincount(labels[labels != NOTHING].astype(np.int64), minlength=classes)
    there = counts > 0
    return np.where(there, counts.sum() / (max(int(there.sum()), 1) * np.maximum(counts, 1)), 1.0)


def _like(values: NDArray[np.float64], tensor: Tensor) -> Tensor:
    return torch.tensor(values, dtype=tensor.dtype, device=tensor.device)


def _check_beyond(labels: Tensor, classes: int) -> None:
    """Raise `InputError` for labels (N,) beyond the answers, which a GPU would fail at later."""
    low, high = (int(value) for value in labels.aminmax()) if len(labels) else (0, 0)
    if low < NOTHING or high >= classes:
        got = str(low if low < NOTHING else high)
        raise InputError("labels", expected=f"0 to {classes - 1}, an answer each (-1: none)",
                         got=got, remedy="number classes from 0, or give the module as many"
                         " answers as there are classes")  # fmt: skip
