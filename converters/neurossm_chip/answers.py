"""Predictions from the outputs of a run, their score, and a table of them."""

from __future__ import annotations

import csv
import json
from typing import Any, NamedTuple

import numpy as np

from neurossm_chip.nssm import File, Node
from neurossm_chip.refusal import Refusal

REAL_TASKS = ("regression", "step-regression")
STEP_TASKS = ("step-classification", "step-regression", "next-step")
MULTILABEL = "multilabel"


class Meaning(NamedTuple):
    """How a graph's first output is read: see FORMAT.md of neurossm, ``task`` and ``readout``.

    `mean_over` is the number of steps over which the graph takes a mean; 0: it takes none.
    `cutoffs` are those of an adaptive softmax, whose scores the output sends.
    """

    output: Node
    task: str
    readout: str
    names: list[str]
    unit: Any
    offset: Any
    mean_over: int = 0
    cutoffs: tuple[int, ...] = ()

    @property
    def classes(self) -> int:
        """Classes, labels, tokens or numbers that are answered."""
        return int(self.output.channels) - len(self.cutoffs)

    @property
    def every_step(self) -> bool:
        """True where there is an answer at each step."""
        return self.readout == "every-step" or self.task in STEP_TASKS


class Score(NamedTuple):
    """What was measured, its value, and on how many labels."""

    metric: str
    value: float
    labels: int


def meaning_of(file: File) -> Meaning:
    """Return what the graph says of its output."""
    # the nodes of a file stand in the order of their work; the first output is that of the graph
    outputs = [node for node in file.nodes if node.type == "Output"]
    output = min(outputs, key=lambda node: int(node.fields["index"]))
    task, readout = file.meta.get("task", ""), file.meta.get("readout", "")
    try:
        names = json.loads(file.meta.get("class_names", "[]"))
        target = json.loads(file.meta.get("target_scaling", "null"))
        unit, offset = (1.0, 0.0) if target is None else (target["unit"], target["offset"])
        unit, offset = np.array(unit, float), np.array(offset, float)
        cutoffs = tuple(int(cut) for cut in json.loads(file.meta.get("cutoffs", "[]")))
    except (ValueError, KeyError, TypeError):
        raise Refusal("what the graph says of its output is not readable") from None
    if task == "next-step" and not any(node.type == "Embedding" for node in file.nodes):
        task = "step-regression"  # the next step of values, which are no tokens
    steps = file.meta.get("steps")
    mean = readout == "mean" and output.out.kind == "graded" and task not in STEP_TASKS
    mean_over = int(steps) if mean and isinstance(steps, (int, np.integer)) else 0
    return Meaning(
        output, str(task or "classification"), str(readout), names, unit, offset, mean_over, cutoffs
    )


def answers_of(meaning: Meaning, sent: Any, lengths: Any) -> Any:
    """Return the integers that answer, (n, K), or (n, T, K) where there is one at each step.

    `sent` is what the output sent, (n, T, K). Spikes are counted to each sequence's end; ``max`` is
    the largest of each channel until there; anything else is what was sent at the last step, as
    sums and leaks are nodes of the graph.
    """
    sent = np.asarray(sent, np.int64)
    inside = (np.arange(sent.shape[1]) < lengths[:, None])[:, :, None]
    if meaning.every_step:
        return np.where(inside, sent, 0)
    if meaning.output.out.kind != "graded":
        return np.where(inside, sent, 0).sum(axis=1)
    if meaning.readout == "max":
        return np.where(inside, sent, np.iinfo(np.int64).min).max(axis=1)
    return sent[np.arange(len(sent)), lengths - 1]


def predictions_of(meaning: Meaning, answers: Any, lengths: Any) -> Any:
    """Return classes, the labels that are on (0 or 1), or real numbers.

    A mean is that over a sequence's own steps, (n,).
    """
    if meaning.task == MULTILABEL:
        return (answers > 0).astype(np.int64)
    if meaning.task in REAL_TASKS:
        real = np.ldexp(answers.astype(float), -meaning.output.out.frac)
        if meaning.mean_over:
            real = real * (meaning.mean_over / np.asarray(lengths, float))[:, None]
        return real * meaning.unit + meaning.offset
    if meaning.cutoffs:
        answers = _log_likelihoods(
            np.ldexp(answers.astype(float), -meaning.output.out.frac), meaning
        )
    return np.argmax(answers, axis=-1)


def _log_likelihoods(scores: Any, meaning: Meaning) -> Any:
    """Return those of tokens: the first group and the others' places share a softmax."""
    count, first = len(meaning.cutoffs), meaning.cutoffs[0]
    ends = [0, *(cut + count for cut in meaning.cutoffs), scores.shape[-1]]
    parts = []
    for start, end in zip(ends, ends[1:]):
        above = scores[..., start:end] - scores[..., start:end].max(axis=-1, keepdims=True)
        parts.append(above - np.log(np.exp(above).sum(axis=-1, keepdims=True)))
    inside = [parts[0][..., first + k, None] + part for k, part in enumerate(parts[1:])]
    return np.concatenate([parts[0][..., :first], *inside], axis=-1)


def names_are_numbers(meaning: Meaning) -> bool:
    """Tell whether classes are named by whole numbers that are not their places: 1, 2, 3."""
    places = [str(place) for place in range(len(meaning.names))]
    whole = [name[1:] if name[:1] == "-" else name for name in meaning.names]
    return (
        meaning.task not in (MULTILABEL, *REAL_TASKS)
        and meaning.names != places
        and bool(whole)
        and all(name.isdecimal() for name in whole)
    )


def _as_names(labels: Any, meaning: Meaning) -> Any:
    """Return numbers as texts; nan, and -1 where it is no class, are unknown: empty."""
    unknown = ("nan",) if "-1" in meaning.names else ("nan", "-1")
    texts = [str(int(v)) if v == v and v % 1 == 0 else str(v) for v in labels.ravel().tolist()]
    return np.array(["" if t in unknown else t for t in texts]).reshape(labels.shape)


def checked_labels(
    meaning: Meaning, labels: Any, predictions: Any, steps: int, places: bool = True
) -> Any:
    """Return labels of the shape of the predictions; names of classes as their numbers.

    `places`: integers count classes from 0, else they are names where `names_are_numbers`.
    """
    labels = np.asarray(labels)
    if not places and labels.dtype.kind in "iuf" and names_are_numbers(meaning):
        labels = _as_names(labels, meaning)
    if labels.dtype.kind == "U" and meaning.names:
        numbers = {name: number for number, name in enumerate(meaning.names)}
        numbers[""] = -1  # unknown
        unknown = sorted(set(labels.ravel().tolist()) - set(numbers))
        if unknown:
            raise Refusal(f"labels: expected {' | '.join(meaning.names)}, got {unknown[0]!r}")
        labels = np.vectorize(numbers.__getitem__, otypes=[np.int64])(labels)
    real = meaning.task in REAL_TASKS
    if labels.dtype.kind not in ("iuf" if real else "iub"):
        what = "real numbers" if real else "integers"
        raise Refusal(f"labels: expected {what}, got {labels.dtype}")
    if labels.ndim == predictions.ndim - 1 and predictions.shape[-1] == 1 and real:
        labels = labels[..., None]
    if meaning.every_step and labels.ndim > 1:
        labels = labels[:, :steps]
    if labels.shape != predictions.shape:
        raise Refusal(f"labels: expected shape {predictions.shape}, got {labels.shape}")
    if not real:
        classes = 2 if meaning.task == MULTILABEL else meaning.classes
        if labels.min() < -1 or labels.max() >= classes:
            got = f"{labels.min()} to {labels.max()}"
            raise Refusal(f"labels: expected 0 to {classes - 1} (-1: unknown), got {got}")
    return labels


def score(meaning: Meaning, predictions: Any, labels: Any, lengths: Any) -> Score:
    """Return accuracy, or the mean squared error of real numbers, of what has a label."""
    known = np.isfinite(labels) if meaning.task in REAL_TASKS else labels >= 0
    if meaning.every_step:
        inside = np.arange(labels.shape[1]) < lengths[:, None]
        known = known & inside.reshape(inside.shape + (1,) * (labels.ndim - 2))
    count = int(np.count_nonzero(known))
    if not count:
        raise Refusal("labels: expected at least one that is known, got none")
    if meaning.task in REAL_TASKS:
        value = float(np.mean((predictions[known] - labels[known]) ** 2))
        return Score("mean squared error", value, count)
    return Score("accuracy", float(np.mean(predictions[known] == labels[known])), count)


def write_csv(path: str, meaning: Meaning, predictions: Any, labels: Any, lengths: Any) -> None:
    """Write a row for each answer: sample, step where there is one at each, predicted, label.

    The columns are named as those of ``neurossm run --predictions``.
    """
    single = predictions.ndim == (2 if meaning.every_step else 1)
    width = 1 if single else predictions.shape[-1]
    numbers = [""] if width == 1 else [f" {k}" for k in range(width)]
    heads = ["sample"] + (["step"] if meaning.every_step else [])
    heads += [f"predicted{k}" for k in numbers]
    heads += [f"label{k}" for k in numbers] if labels is not None else []
    with open(path, "w", newline="", encoding="utf-8") as text:
        table = csv.writer(text)
        table.writerow(heads)
        for index, length in enumerate(lengths):
            for step in range(length) if meaning.every_step else [None]:
                at = (index,) if step is None else (index, step)
                row = [*at, *_words(meaning, predictions[at])]
                table.writerow(row + (_words(meaning, labels[at]) if labels is not None else []))


def _words(meaning: Meaning, values: Any) -> list[Any]:
    named = meaning.names and meaning.task not in (MULTILABEL, *REAL_TASKS)
    found = np.atleast_1d(values).tolist()
    return [meaning.names[v] if named and 0 <= v < len(meaning.names) else v for v in found]
