"""Facts learned from the training part: shape, scale, classes, split."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import whole
from neurossm.errors import FormatError, InputError, NeurossmWarning
from neurossm.fixed import Scaling, TargetScaling
from neurossm.fixed.scaling import MOST_BITS
from neurossm_models.arguments import check_choice
from neurossm_models.data.labels import (
    EVERY_STEP,
    NEXT_STEP,
    REGRESSION,
    STEP_REGRESSION,
)
from neurossm_models.data.own.answers import (
    CLASSES,
    class_names_of,
    encoded,
    kind_of_labels,
    looks_like_classes,
)
from neurossm_models.data.own.opening import opened
from neurossm_models.data.own.parts import resolved, samples_of
from neurossm_models.data.own.scale import AUTO, NORMALIZE, PER_CHANNEL, STANDARD, scaling_of
from neurossm_models.data.own.source import OwnSource
from neurossm_models.data.own.spec import TRAIN
from neurossm_models.data.own.split import SplitRule
from neurossm_models.data.own.statistics import Statistics, statistics_of
from neurossm_models.data.own.values import inside
from neurossm_models.data.task import Task

FEW_CLASSES = 256  # as many outputs cost little, used or not
SPARSE = 8  # times as many numbers as classes that occur are no numbering


def learn(
    spec: str | os.PathLike[str] | OwnSource,
    task: str = "",
    bits: int = 12,
    per_channel: str = AUTO,
    normalize: str = STANDARD,
    valid: float = 0.15,
    test: float = 0.15,
    seed: int = 0,
    by: str = "",
    limit: int = 0,
    root: str | Path | None = None,
) -> Task:
    """Return the facts of data of one's own, from one pass over its training part.

    Only the steps of the longest sequence are those of all parts.

    Parameters
    ----------
    spec
        ``PATH``, or another that `is_own`, with ``:train`` and ``:N`` if wanted; or what
        `from_arrays` and the like return.
    task
        One of the kinds of `Dataset`; empty: what the labels look like.
    bits
        Magnitude bits of the integers, 1 to 23.
    per_channel
        ``"yes"``, ``"no"``, ``"auto"``: a scale for each channel; see `scaling_of`.
    normalize
        ``"standard"`` or ``"scale"``; see `scaling_of`.
    valid, test, seed, by
        How parts are cut that the data do not have; see `SplitRule`.
    limit
        Look at no more than so many samples, evenly spread; 0: all of the training part.
    root
        Data root, where packages keep their data sets.

    Raises
    ------
    InputError
        For an argument that is none of these, and data that do not fit together.
    FormatError
        If a file is damaged, or holds values that are not finite.
    """
    check_choice("normalize", normalize, NORMALIZE)
    check_choice("per_channel", per_channel, PER_CHANNEL)
    whole("bits", bits, 1)
    whole("limit", limit, 0)
    if bits > MOST_BITS:
        raise InputError("bits", expected=f"1 to {MOST_BITS}", got=str(bits))
    source, asked = opened(spec, root)
    if asked.split not in ("", TRAIN):
        raise InputError(f"data {asked.text!r}", expected="the training part to learn from",
                         got=asked.split)  # fmt: skip
    kind = kind_of_labels(source.where, source.training, task or source.task)
    if not task and not source.task and looks_like_classes(kind, source.training.labels):
        warnings.warn(
            f"{source.where}: the labels are whole numbers, stored as real ones, and taken for"
            " targets of a regression; if they are classes, set the task: --task classification,"
            " in training --set data.task=classification",
            NeurossmWarning,
            stacklevel=2,
        )
    rule = resolved(source, SplitRule(valid, test, seed, by), kind)
    part, positions = samples_of(source, TRAIN, rule, kind)
    if asked.count is not None and asked.count > len(positions):
        got, expected = str(asked.count), f"at most {len(positions)} for training"
        raise InputError(f"data {asked.text!r}", expected=expected, got=got,
                         remedy=f"without :{got} all are taken")  # fmt: skip
    positions = positions[: asked.count]
    names = class_names_of(kind, part.labels, source.class_names)
    every = np.arange(len(part))  # labels say what is asked, whichever sample has them
    labels = encoded(source.where, kind, part, names, len(names), source.remedy, every)
    looked = positions if not limit else positions[:: -(-len(positions) // limit)]
    found = statistics_of(source.where, part.inputs, looked, part.lengths)
    scaling = None if source.vocabulary else scaling_of(found, bits, per_channel, normalize)
    _check_tokens(source, found)
    return Task(
        steps=_longest(source),
        scale=common_scale(scaling),
        classes=_classes(source, kind, labels, names),
        vocabulary=source.vocabulary,
        readout="sequence" if kind in EVERY_STEP else "pair" if _pairs(source) else "mean",
        bits=max(1, (source.vocabulary - 1).bit_length()) if source.vocabulary else bits,
        order=source.order,
        dt=source.dt,
        kind=kind,
        features=source.features,
        scaling=scaling,
        target=_target(kind, labels, part.lengths, positions, scaling),
        class_names=names,
        channel_names=source.channel_names,
        split=rule.text,
    )


def common_scale(scaling: Scaling | None) -> float:
    """Return what the network takes one unit for, where that is one number; 1 elsewhere."""
    if scaling is None or np.any(scaling.scale != scaling.scale[0]):
        return 1.0
    return float(scaling.scale[0])


def _pairs(source: OwnSource) -> bool:
    return source.vocabulary > 0 and source.features == 2


def _longest(source: OwnSource) -> int:
    """Return the steps of the longest sequence of all parts: a shape, not learned."""
    return max(
        int(part.inputs.shape[1] if part.lengths is None else part.lengths.max())
        for part in source.parts.values()
    )


def _check_tokens(source: OwnSource, found: Statistics) -> None:
    if not source.vocabulary:
        return
    low, high = float(found.low.min()), float(found.high.max())
    if not found.whole or low < 0 or high >= source.vocabulary:
        expected = f"tokens 0 to {source.vocabulary - 1}"
        raise FormatError(f"{source.where}: inputs", expected=expected, got=f"{low:g} to {high:g}")


def _classes(
    source: OwnSource, kind: str, labels: NDArray[Any] | None, names: tuple[str, ...]
) -> int:
    """Return how many channels an answer has."""
    if kind == NEXT_STEP:
        return source.vocabulary or source.features
    if names and kind not in CLASSES:
        return len(names)
    if labels is None:
        raise InputError(f"data {source.where!r}", expected="labels", got="none",
                         remedy="add labels (to a table a column that is called label), or say the"
                         " task next-step (in training: --set data.task=next-step)")  # fmt: skip
    if kind in CLASSES:
        found = len(names) or int(labels.max()) + 1
        if found < 2:
            got = "labels of none" if not found else "one"
            raise InputError(f"data {source.where!r}", expected="at least 2 classes", got=got)
        if not names:
            _check_numbered(source, labels, found)
        return found
    return int(labels.shape[-1])


def _check_numbered(source: OwnSource, labels: NDArray[Any], classes: int) -> None:
    """Refuse numbers that name something (years, keys): each up to the largest is an output."""
    if classes <= FEW_CLASSES:
        return
    there = np.count_nonzero(np.unique(labels) >= 0)
    if SPARSE * there < classes:
        raise InputError(
            f"data {source.where!r}: labels", expected="classes that are numbered from 0",
            got=f"{there} of 0 to {classes - 1}",
            remedy="number them anew, or give them as texts: labels.astype(str)",
        )  # fmt: skip


def _target(
    kind: str,
    labels: NDArray[Any] | None,
    lengths: NDArray[np.int64] | None,
    positions: NDArray[np.int64],
    scaling: Scaling | None,
) -> TargetScaling | None:
    """Return mean and deviation of the answers of a regression, at the steps that count.

    The next input is answered as the network sees inputs: in the units of their scaling.
    """
    if kind == NEXT_STEP and scaling is not None:
        return TargetScaling(scaling.unit / scaling.scale, scaling.offset)
    if labels is None or kind not in (REGRESSION, STEP_REGRESSION):
        return None
    values = labels[positions]
    counts = inside(None if lengths is None else lengths[positions], labels.shape[1])
    if kind == STEP_REGRESSION and counts is not None:
        values = np.where(counts[:, :, None], values, np.nan)
    values = values.reshape(-1, values.shape[-1])
    if np.any(np.all(np.isnan(values), axis=0)):
        raise InputError("labels of a regression", expected="numbers", got="none of an output")
    mean, deviation = np.nanmean(values, axis=0), np.nanstd(values, axis=0)
    return TargetScaling(np.where(deviation > 0, deviation, 1.0), mean)
