"""Random batches of inputs and labels in the shapes of the data."""

from __future__ import annotations

import torch
from torch import Tensor

from neurossm_models.config import PAIR, NetworkConfig
from neurossm_models.data.labels import (
    CLASSIFICATION,
    EVERY_STEP,
    MULTILABEL,
    NEXT_STEP,
    REGRESSION,
    STEP_REGRESSION,
)
from neurossm_models.data.task import Task
from neurossm_models.train.batches import Batch
from neurossm_models.train.modules import ModuleConfig


def made_batch(
    model: NetworkConfig | ModuleConfig,
    facts: Task,
    sequences: int,
    steps: int,
    padded: bool | None = None,
) -> Batch:
    """Return a batch for a network and data of these facts, with random values in it.

    Parameters
    ----------
    model
        What takes it.
    facts
        Of the data.
    sequences, steps
        Answers of a batch (of pairs, where they are asked for), and steps of each sequence.
    padded
        Whether the lengths of sequences are given, as where they differ; None: if there are tokens.
    """
    rows, words = sequences, facts.vocabulary
    if isinstance(model, NetworkConfig):
        rows, words = sequences * (2 if model.readout == PAIR else 1), model.vocabulary
    wide = (rows, steps, facts.features)
    x = torch.randint(words, (rows, steps)) if words else torch.randn(wide)
    padded = bool(words) if padded is None else padded
    lengths = torch.full((rows,), steps) if padded else None
    if isinstance(model, NetworkConfig) and model.cutoffs:
        x = _by_frequency(words, rows, steps)
        return Batch(x, lengths, x.flip(-1))
    return Batch(x, lengths, _labels(facts, sequences, steps))


def _by_frequency(words: int, rows: int, steps: int) -> Tensor:
    """Return tokens (rows, steps) as often as in a text: number k in proportion to 1 / (k + 1).

    What an adaptive softmax needs depends on that (Zipf's law). They are the quantiles, so that no
    chance is between two tries.
    """
    at = (torch.arange(rows * steps, dtype=torch.float64) + 0.5) / (rows * steps)
    return ((words + 1) ** at).long().sub(1).clamp(0, words - 1).view(steps, rows).T.contiguous()


def _labels(facts: Task, sequences: int, steps: int) -> Tensor:
    kind = facts.kind
    if kind == STEP_REGRESSION or (kind == NEXT_STEP and not facts.vocabulary):
        return torch.randn(sequences, steps, facts.classes, dtype=torch.float64)
    if kind in (REGRESSION, MULTILABEL):
        asked = torch.randint(2, (sequences, facts.classes))
        return asked.double() if kind == REGRESSION else asked
    shape = (sequences, steps) if kind in EVERY_STEP else (sequences,)
    assert kind in (CLASSIFICATION, *EVERY_STEP)
    return torch.randint(facts.classes, shape)
