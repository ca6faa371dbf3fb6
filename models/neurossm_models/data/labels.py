"""The kinds of tasks of a sequence, and their labels.

Shape letters: ``n`` samples, ``L`` steps, ``K`` labels or numbers of an answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError

NOTHING = -1  # no label; in real numbers that is nan
CLASSIFICATION, MULTILABEL, REGRESSION = "classification", "multilabel", "regression"
STEP_CLASSIFICATION, STEP_REGRESSION = "step-classification", "step-regression"
NEXT_STEP = "next-step"
# the names that `neurossm.interface` knows
KINDS = (
    CLASSIFICATION,
    MULTILABEL,
    REGRESSION,
    STEP_CLASSIFICATION,
    STEP_REGRESSION,
    NEXT_STEP,
)
EVERY_STEP = (STEP_CLASSIFICATION, STEP_REGRESSION, NEXT_STEP)


def kind_of(labels: object) -> str:
    """Return the kind of task that labels without a name are of: a class a sequence, or a step."""
    array = np.asarray(labels)
    real = array.dtype.kind == "f"
    if real and array.ndim in (2, 3):
        return STEP_REGRESSION if array.ndim == 3 else REGRESSION
    return STEP_CLASSIFICATION if array.ndim == 2 else CLASSIFICATION


def checked_labels(kind: str, given: object, count: int, steps: int) -> NDArray[Any]:
    """Return labels of a kind for so many samples and steps, read-only.

    Raises
    ------
    InputError
        For another type, shape or range.
    """
    if given is None:
        labels = _none(kind, count, steps)
    elif kind in (REGRESSION, STEP_REGRESSION):
        labels = _reals(kind, given, count, steps)
    elif kind == NEXT_STEP and np.asarray(given).dtype.kind == "f":
        labels = _reals(STEP_REGRESSION, given, count, steps)
    else:
        labels = _classes(kind, given, count, steps)
    view = labels.view()
    view.setflags(write=False)
    return view


def _none(kind: str, count: int, steps: int) -> NDArray[Any]:
    if kind == REGRESSION:
        return np.full((count, 1), np.nan)
    if kind == STEP_REGRESSION:
        return np.full((count, steps, 1), np.nan)
    if kind == STEP_CLASSIFICATION:
        return np.full((count, steps), NOTHING)
    return np.full((count, 1) if kind == MULTILABEL else count, NOTHING)


def _classes(kind: str, given: object, count: int, steps: int) -> NDArray[np.integer[Any]]:
    labels = np.asarray(given)
    if labels.dtype == np.bool_:
        labels = labels.view(np.uint8)
    if not np.issubdtype(labels.dtype, np.integer):
        raise InputError("data set labels", expected="integers", got=str(labels.dtype))
    shapes: tuple[tuple[int, ...], ...] = ((count,),)
    if kind == STEP_CLASSIFICATION:
        shapes = ((count, steps),)
    elif kind == NEXT_STEP:
        shapes = ((count,), (count, steps))
    elif kind == MULTILABEL:
        shapes = ((count, labels.shape[1]),) if labels.ndim == 2 else ((count, 1),)
    if labels.shape not in shapes:
        expected = f"shape ({count},) or ({count}, {steps})"
        expected = "shape (samples, labels)" if kind == MULTILABEL else expected
        raise InputError("data set labels", expected=expected, got=f"shape {labels.shape}")
    low, high = int(labels.min()), int(labels.max())
    if low < NOTHING:
        raise InputError("data set labels", expected="0 or more (-1: none)", got=str(low))
    if kind == MULTILABEL and high > 1:
        raise InputError("data set labels", expected="0 and 1 for several labels", got=str(high))
    return labels


def _reals(kind: str, given: object, count: int, steps: int) -> NDArray[np.float64]:
    try:
        labels = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        got = str(np.asarray(given).dtype)
        raise InputError("data set labels", expected="real numbers", got=got) from None
    front = (count, steps) if kind == STEP_REGRESSION else (count,)
    if labels.shape == front:
        labels = labels[..., None]
    if labels.ndim != len(front) + 1 or labels.shape[: len(front)] != front or not labels.shape[-1]:
        expected = f"shape {(*front, 'K')} of real numbers".replace("'", "")
        raise InputError("data set labels", expected=expected, got=f"shape {labels.shape}")
    if np.any(np.isinf(labels)):
        raise InputError("data set labels", expected="finite numbers (nan: none)", got="infinity")
    return labels
