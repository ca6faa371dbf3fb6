"""The samples of a source that make up a part."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm_models.data.labels import CLASSIFICATION
from neurossm_models.data.own.source import OwnSource, Part
from neurossm_models.data.own.spec import TEST, TRAIN, VALID
from neurossm_models.data.own.split import BY_GROUP, BY_LABEL, BY_NONE, SplitRule, cut

Positions = NDArray[np.int64]


def resolved(source: OwnSource, rule: SplitRule, kind: str) -> SplitRule:
    """Return the rule for what this source lacks, with a `by` that is said.

    Raises
    ------
    InputError
        If the rule goes by labels that are no classes, or by groups that are not there.
    """
    base, by = source.training, rule.by
    classes = kind == CLASSIFICATION and base.labels is not None and base.labels.ndim == 1
    if not by:
        by = BY_GROUP if base.groups is not None else BY_LABEL if classes else BY_NONE
    where = f"split of data {source.where!r}"
    if by == BY_LABEL and not classes:
        raise InputError(where, expected="by=none or by=group without one class a sequence",
                         got="by=label")  # fmt: skip
    if by == BY_GROUP and base.groups is None:
        raise InputError(where, expected="data with groups", got="none",
                         remedy="add groups, or split by=label or by=none")  # fmt: skip
    return replace(
        rule,
        valid=0.0 if VALID in source.parts else rule.valid,
        test=0.0 if TEST in source.parts else rule.test,
        by=by,
    )


def _remedy(split: str, rule: SplitRule) -> str:
    """Return what gives a part samples: its share, or cutting without regard to classes."""
    if split == TRAIN:
        return "lower the fractions of valid and test"
    raised = f"raise the fraction of {split}, in a recipe data.{split}"
    if rule.by == BY_LABEL and getattr(rule, split):
        return f"{raised}, or if classes have a single sample split at random: data.split_by=none"
    return raised


def samples_of(source: OwnSource, split: str, rule: SplitRule, kind: str) -> tuple[Part, Positions]:
    """Return the part that holds the samples of a split, and where they are in it.

    A part that the source holds is that part, but for the training part, from which the parts are
    cut that the source does not hold.

    Parameters
    ----------
    source
        The data.
    split
        ``train``, ``valid`` or ``test``.
    rule
        How parts are cut that are missing.
    kind
        The task.

    Raises
    ------
    InputError
        If the part has no samples, or nothing is there to cut it from.
    """
    if split != TRAIN and split in source.parts:
        part = source.parts[split]
        return part, np.arange(len(part))
    base, own = source.training, resolved(source, rule, kind)
    labels = base.labels if own.by == BY_LABEL else None
    positions = cut(own, len(base), labels, base.groups)[split]
    if not len(positions):
        got = f"none of {len(base)} by the rule {own.text}"
        remedy = _remedy(split, own)
        where = f"part {split!r} of data {source.where!r}"
        raise InputError(where, expected="samples", got=got, remedy=remedy)
    return base, positions
