"""Splits data without parts into parts: by a seed, and by label or group."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.arguments import check_choice
from neurossm_models.data.own.spec import TEST, TRAIN, VALID

BY_LABEL, BY_GROUP, BY_NONE = "label", "group", "none"
BY = (BY_LABEL, BY_GROUP, BY_NONE)
_KEYS = ("valid", "test", "seed", "by")

Positions = NDArray[np.int64]


@dataclass(frozen=True)
class SplitRule:
    """Sizes of the parts, 0 for a part that is not cut, and how their samples are chosen.

    Attributes
    ----------
    valid, test
        Below 1: fractions of the samples, less than 1 together. From 1: whole numbers of samples.
    seed
        Of the permutation.
    by
        ``"label"``: each class in the same proportion; ``"group"``: no group is torn apart;
        ``"none"``: any samples; empty: by group where there are groups, else by label where each
        sequence has one class, else none.

    Raises
    ------
    InputError
        For other values.
    """

    valid: float = 0.15
    test: float = 0.15
    seed: int = 0
    by: str = ""

    def __post_init__(self) -> None:
        for name, part in (("valid", self.valid), ("test", self.test)):
            if isinstance(part, bool) or not isinstance(part, int | float) or not _is_size(part):
                expected = "0 <= fraction < 1, or a whole number of samples"
                raise InputError(f"split {name}", expected=expected, got=repr(part))
        if self.valid < 1 and self.test < 1 and self.valid + self.test >= 1:
            got = f"{self.valid:g} + {self.test:g}"
            raise InputError("split", expected="valid and test below 1 together", got=got)
        whole("split seed", self.seed, 0)
        if self.by:
            check_choice("split by", self.by, BY)

    @property
    def text(self) -> str:
        """As a graph keeps it; `parse_split` reads it."""
        return f"valid={self.valid!r},test={self.test!r},seed={self.seed},by={self.by}"


def _is_size(part: float) -> bool:
    """Say whether this is a fraction, or a whole number of samples."""
    return 0 <= part < 1 or (1 <= part < math.inf and part == int(part))


def parse_split(text: str) -> SplitRule:
    """Return the rule of ``valid=0.15,test=0.15,seed=0,by=label``; what is not said is as above.

    Raises
    ------
    InputError
        For another key, or a value that is no number.
    """
    found: dict[str, Any] = {}
    for item in filter(None, (piece.strip() for piece in text.split(","))):
        key, _, value = item.partition("=")
        where = f"split {text!r}"
        check_choice(where, key, _KEYS)
        try:
            found[key] = value if key == "by" else int(value) if key == "seed" else float(value)
        except ValueError:
            raise InputError(where, expected=f"{key}=NUMBER", got=repr(item)) from None
    return SplitRule(**found)


def cut(
    rule: SplitRule, count: int, labels: NDArray[Any] | None, groups: NDArray[Any] | None
) -> dict[str, Positions]:
    """Return the positions of the three parts, each in rising order.

    Parameters
    ----------
    rule
        With a `by` that is said.
    count
        Samples.
    labels
        Classes ``(n,)``, wanted by label.
    groups
        Names ``(n,)``, wanted by group.

    Raises
    ------
    InputError
        Where the rule asks for labels or groups that are not there, or for more groups.
    """
    rule = as_fractions(rule, count)
    generator = np.random.default_rng(rule.seed)
    if rule.by == BY_GROUP:
        chosen = _by_group(rule, groups, generator)
    else:
        if rule.by == BY_LABEL and (labels is None or labels.ndim != 1):
            expected = "group or none for data without one label a sequence"
            raise InputError("split by", expected=expected, got="label")
        strata = labels if rule.by == BY_LABEL and labels is not None else np.zeros(count, int)
        chosen = np.zeros(count, np.int8)
        for mark, fraction in ((1, rule.test), (2, rule.valid)):
            _mark_stratified(chosen, mark, fraction, strata, generator)
    marks = {TRAIN: 0, TEST: 1, VALID: 2}
    return {name: np.flatnonzero(chosen == mark) for name, mark in marks.items()}


def as_fractions(rule: SplitRule, count: int) -> SplitRule:
    """Return the rule with fractions of so many samples for whole numbers of them.

    Raises
    ------
    InputError
        If nothing would be left to train on.
    """
    valid, test = (part / count if part >= 1 else part for part in (rule.valid, rule.test))
    if max(rule.valid, rule.test) >= 1 and valid + test >= 1:
        got = f"{rule.valid:g} to validate and {rule.test:g} to test"
        raise InputError("split", expected=f"fewer than all {count} samples", got=got)
    return replace(rule, valid=valid, test=test)


def _mark_stratified(
    chosen: NDArray[np.int8], mark: int, fraction: float, strata: NDArray[Any],
    generator: np.random.Generator,
) -> None:  # fmt: skip
    """Mark a fraction of the samples, each stratum in proportion; the last one of each stays."""
    _, own, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    exact = fraction * sizes
    wanted = np.floor(exact).astype(int)
    missing = int(np.rint(fraction * len(strata))) - int(wanted.sum())
    order = generator.permutation(len(sizes))
    for stratum in order[np.argsort(-(exact - wanted)[order], kind="stable")][: max(missing, 0)]:
        wanted[stratum] += 1
    for stratum in range(len(sizes)):
        free = np.flatnonzero((own == stratum) & (chosen == 0))
        take = min(int(wanted[stratum]), len(free) - 1)
        chosen[generator.permutation(free)[: max(take, 0)]] = mark


def _by_group(
    rule: SplitRule, groups: NDArray[Any] | None, generator: np.random.Generator
) -> NDArray[np.int8]:
    """Mark whole groups, in a random order, until a part is as near to its size as it gets."""
    if groups is None:
        raise InputError("split by", expected="data with groups", got="none")
    names, own, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    wanted = [(mark, part) for mark, part in ((1, rule.test), (2, rule.valid)) if part]
    if len(names) <= len(wanted):
        raise InputError("split by group", expected=f"at least {len(wanted) + 1} groups, one a"
                         " part", got=str(len(names)), remedy="cut by label or none (in a recipe"
                         " data.split_by=none), or fewer parts (data.test=0)")  # fmt: skip
    marks = np.zeros(len(names), np.int8)
    left = list(generator.permutation(len(names)))
    for index, (mark, fraction) in enumerate(wanted):
        target, filled = fraction * len(own), 0
        spare = len(wanted) - index  # groups that the other parts need
        while len(left) > spare and (not filled or filled + sizes[left[0]] / 2 <= target):
            group = left.pop(0)
            marks[group] = mark
            filled += int(sizes[group])
    return np.asarray(marks[own])
