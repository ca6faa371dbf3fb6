"""Measures a model on batches: loss, scores by task, spike rates."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurossm.errors import InputError
from neurossm_models.data.labels import EVERY_STEP
from neurossm_models.likelihoods import Likelihoods
from neurossm_models.network import Network
from neurossm_models.recording import Recording
from neurossm_models.tasks import Scorer, Scores
from neurossm_models.tasks.losses import Loss
from neurossm_models.tasks.scores import ACCURACY
from neurossm_models.train.batches import Batch, takes_lengths, unwrapped
from neurossm_models.train.moving import moved
from neurossm_models.train.records import Kinds, check_record

_KINDS: Kinds = {"data": str, "count": int, "loss": float, "spike_rates": list[float]}
_OPTIONAL = ("correct", "accuracy", "scores")


@dataclass(frozen=True)
class Evaluation:
    """What a network reaches on one data set.

    Attributes
    ----------
    data
        What was measured on.
    count, correct
        Answers that were asked for, one a sequence, a pair or a step, and how many were right; None
        where answers are no classes.
    accuracy
        ``correct / count``, or None.
    loss
        Mean of the task's loss: cross entropy in nats, or squares of errors in standard deviations.
    spike_rates
        Spikes per neuron and step, for each block; none of a network that is not a `Network`.
    scores
        All scores of the task.
    """

    data: str
    count: int
    correct: int | None
    accuracy: float | None
    loss: float
    spike_rates: tuple[float, ...]
    scores: Scores | None = field(default=None, compare=False)

    @property
    def main(self) -> str:
        """Name of the value that chooses the best epoch."""
        return ACCURACY if self.scores is None else self.scores.main

    @property
    def value(self) -> float | None:
        """That value."""
        return self.accuracy if self.scores is None else self.scores.value


def as_json(found: Evaluation) -> dict[str, Any]:
    """Return plain values, which `from_json` takes."""
    plain = {
        name: getattr(found, name) for name in ("data", "count", "correct", "accuracy", "loss")
    }
    scores = None if found.scores is None else found.scores.as_json()
    return {**plain, "spike_rates": list(found.spike_rates), "scores": scores}


def from_json(given: object, where: str) -> Evaluation:
    """Return what `as_json` gave, also without scores, as older releases wrote it.

    Raises
    ------
    FormatError
        For anything else.
    """
    record = check_record(given, _KINDS, where, _OPTIONAL)
    scores = record.get("scores")
    classes = {"correct": int, "accuracy": float}
    if scores is None or record.get("accuracy") is not None:
        check_record(record, classes, where)
    rates = tuple(record["spike_rates"])
    found = None if scores is None else Scores.from_json(scores, f"{where} scores")
    return Evaluation(record["data"], record["count"], record.get("correct"),
                      record.get("accuracy"), record["loss"], rates, found)  # fmt: skip


class Tally:
    """Sums over batches; those of several processes can be put together.

    Parameters
    ----------
    scorer
        Of the task.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.loss, self.weight, self.rows = 0.0, 0.0, 0
        self.rates: NDArray[np.float64] | None = None

    def add(
        self,
        batch: Batch,
        answers: Tensor | Likelihoods,
        loss: Loss,
        rates: tuple[float, ...] = (),
    ) -> None:
        """Take up the answers to a batch."""
        mean, weight = loss(answers, batch.labels, batch.lengths)
        self.loss += float(mean) * weight if weight else 0.0  # the mean over none is no number
        self.weight += weight
        self.rows += len(batch)
        more = len(batch) * np.array(rates, dtype=np.float64)
        self.rates = more if self.rates is None else self.rates + more
        lengths = None if batch.lengths is None else batch.lengths.cpu().numpy()
        labels = batch.labels.cpu().numpy()
        if isinstance(answers, Likelihoods):
            assert answers.right is not None
            found = answers.of_labels.double().cpu().numpy()
            self.scorer.add_likelihoods(found, answers.right.cpu().numpy(), labels, lengths)
        else:
            self.scorer.add(answers.float().cpu().numpy(), labels, lengths)

    def merge(self, other: Tally) -> None:
        """Take up what another one was given."""
        self.scorer.merge(other.scorer)
        self.loss += other.loss
        self.weight += other.weight
        self.rows += other.rows
        if self.rates is None or other.rates is None:
            self.rates = other.rates if self.rates is None else self.rates
        else:
            self.rates = self.rates + other.rates

    def result(self, data: str) -> Evaluation:
        """Return what all of it amounts to."""
        scores = self.scorer.result()
        accuracy = scores.values.get(ACCURACY)
        correct = None if accuracy is None else round(accuracy * scores.count)
        loss = self.loss / self.weight if self.weight else 0.0
        rates = () if self.rates is None else tuple((self.rates / self.rows).tolist())
        return Evaluation(data, scores.count, correct, accuracy, loss, rates, scores)


@torch.no_grad()
def tallied(
    model: nn.Module, batches: Iterable[Batch], loss: Loss, scorer: Scorer, carry: bool = False
) -> Tally:
    """Return the sums over batches for a model in eval mode, on the device that it is on.

    `carry`: each batch goes on where the one before it ended; without padding.
    """
    was_training = model.training
    model.eval()
    tally, states = Tally(scorer), None
    for batch in moved(batches, device_at(model)):
        if records(model):
            labels = batch.labels if asks_for_labels(model) else None
            recording: Recording
            if carry:
                recording, states = cast(Any, model).record_on(batch.x, states, labels)
            else:
                recording = cast(Any, model).record(batch.x, batch.lengths, labels)
            tally.add(batch, recording.logits, loss, recording.rates)
        else:
            tally.add(batch, answers_of(model, batch), loss)
    model.train(was_training)
    return tally


def answers_of(model: nn.Module, batch: Batch) -> Tensor | Likelihoods:
    """Return what a model answers to a batch; its lengths are given to a forward that takes them.

    A single number a sequence (or step) may come without an axis of its own. An adaptive softmax
    answers to the labels alone.
    """
    if asks_for_labels(model):
        found: Likelihoods = model(batch.x, batch.lengths, batch.labels)
        return found
    more = (batch.lengths,) if batch.lengths is not None and takes_lengths(model) else ()
    answers: Tensor = model(batch.x, *more)
    real = batch.labels.is_floating_point()
    return answers[..., None] if real and answers.ndim == batch.labels.ndim - 1 else answers


@torch.no_grad()
def answers_of_first(model: nn.Module, batch: Batch, kind: str) -> int:
    """Return how many numbers a model answers; one sequence in eval mode is tried, where it is.

    Raises
    ------
    InputError
        If it fails, or its answers are not (batch, K), or (batch, steps, K) at every step.
    """
    where, axes = f"module {type(model).__name__}", 3 if kind in EVERY_STEP else 2
    first = batch.rows(0, 1).to(device_at(model))
    was_training = model.training
    try:
        answers = answers_of(model.eval(), first)
    except Exception as error:  # whatever its code raises
        expected = f"a forward that takes {tuple(first.x.shape)}"
        got = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise InputError(where, expected=expected, got=got) from error
    finally:
        model.train(was_training)
    if isinstance(answers, Likelihoods):
        return int(cast(Network, unwrapped(model)).config.classes)
    shape = getattr(answers, "shape", None)
    if shape is None or len(shape) != axes or (axes == 3 and shape[1] != first.labels.shape[1]):
        expected = "answers (batch, steps, K)" if axes == 3 else "answers (batch, K)"
        got = type(answers).__name__ if shape is None else f"shape {tuple(shape)}"
        raise InputError(f"{where} for a {kind}", expected=expected, got=got)
    return int(shape[-1])


def records(model: nn.Module) -> bool:
    """Say whether this is a `Network`, also a compiled one."""
    return isinstance(getattr(model, "_orig_mod", model), Network)


def asks_for_labels(model: nn.Module) -> bool:
    """Say whether this is a `Network` with an adaptive softmax, also a wrapped one."""
    inner = unwrapped(model)
    return isinstance(inner, Network) and bool(inner.config.cutoffs)


def device_at(model: nn.Module) -> torch.device:
    """Return where the parameters of a model are."""
    first = next(model.parameters(), None)
    return torch.device("cpu") if first is None else first.device
