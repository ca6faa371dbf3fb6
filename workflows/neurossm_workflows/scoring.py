"""Scores of predictions, by the task of the data, for every command that runs data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.errors import InputError
from neurossm.interface import Interface, classes_of

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_models.data import Dataset
    from neurossm_models.tasks import Scorer, Scores


def scorer_of(graph: Graph, data: Dataset) -> Scorer | None:
    """Return what scores the answers of a graph to these data; None where they have no labels."""
    if not data.labeled or not graph.outputs:
        return None
    from neurossm_models.tasks import Scorer

    # answers come in real numbers, see `neurossm.metrics.answers`
    return Scorer(data.kind, classes_of(graph), Interface.of(graph).class_names)


def scorer_for(graph: Graph, data: Dataset) -> Scorer | None:
    """Return what `scorer_of` does; None, too, where the labels are of another task."""
    from neurossm_workflows.made_for import labels_fit

    return scorer_of(graph, data) if labels_fit(graph, data) else None


def scored(scorer: Scorer | None) -> Scores | None:
    """Return the scores; None where there were no labels."""
    found = None if scorer is None else scorer.result()
    return None if found is None or found.value is None else found


def accuracy_of(scores: Scores | None) -> float | None:
    """Return the share that is right; None for tasks that have none, and without labels."""
    return None if scores is None else scores.values.get("accuracy")


def labeled(scores: Scores | None, what: str) -> Scores:
    """Return scores; refuse where there are none, as no label was given."""
    if scores is None:
        raise InputError(what, problem="the data have no labels")
    return scores


def scores_document(scores: Scores | None) -> dict[str, Any] | None:
    """Return scores as plain values."""
    return None if scores is None else scores.as_json()


def said(scores: Scores | None, labeled: int, samples: int) -> str:
    """Return scores as a sentence says them, with how many had a label if not all had."""
    if scores is None:
        return "no labels"
    return scores.text() + (f" of {labeled:,} labeled" if labeled < samples else "")


def labeled_samples(data: Dataset) -> int:
    """Return how many samples have a label anywhere."""
    if data.kind == "next-step":
        return len(data)
    labels = data.labels
    known = ~np.isnan(labels) if labels.dtype.kind == "f" else labels >= 0
    return int(known.reshape(len(data), -1).any(axis=1).sum())
