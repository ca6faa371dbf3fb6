"""Labels of a file as a task: its kind, its classes, and each label as a number.

Shape letters: ``n`` samples, ``L`` steps, ``K`` labels or numbers of an answer.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm_models.arguments import check_choice
from neurossm_models.data.labels import (
    CLASSIFICATION,
    KINDS,
    MULTILABEL,
    NEXT_STEP,
    NOTHING,
    REGRESSION,
    STEP_CLASSIFICATION,
    STEP_REGRESSION,
)
from neurossm_models.data.own.ragged import numbers
from neurossm_models.data.own.source import Part

NO_LABEL = ("", "?", "nan", "NaN")
CLASSES = (CLASSIFICATION, STEP_CLASSIFICATION)


def kind_of_labels(where: str, part: Part, task: str = "") -> str:
    """Return the task that labels are of, unless it is said.

    Texts and integers ``(n,)``: one class a sequence. ``(n, L)``: one a step. Only 0 and 1 in
    ``(n, K)``: several labels. Real numbers ``(n,)`` and ``(n, K)``: a regression,
    ``(n, L, K)``: one at every step. None: a class, to be given later.

    Raises
    ------
    InputError
        For a task that there is not, and labels that could be of two.
    """
    if task:
        check_choice(f"task of data {where!r}", task, KINDS)
        return task
    labels, steps = part.labels, part.inputs.shape[1]
    if labels is None:
        return CLASSIFICATION
    real = labels.dtype.kind == "f" or (labels.dtype.kind == "U" and _numbers(labels) == "f")
    by_step = labels.ndim > 1 and labels.shape[1] == steps
    if labels.ndim == 1:
        return REGRESSION if real else CLASSIFICATION
    if labels.ndim == 3 and by_step:
        return STEP_REGRESSION if real or labels.shape[2] > 1 else STEP_CLASSIFICATION
    if labels.ndim != 2:
        raise _ambiguous(where, labels, KINDS[:-1])
    if real:
        if by_step:
            raise _ambiguous(where, labels, (REGRESSION, STEP_REGRESSION))
        return REGRESSION
    marks = labels.dtype.kind != "U" and not np.any((labels != 0) & (labels != 1))
    if by_step and not marks:
        return STEP_CLASSIFICATION
    if by_step or not marks:
        raise _ambiguous(where, labels, (MULTILABEL if marks else REGRESSION, STEP_CLASSIFICATION))
    return MULTILABEL


def looks_like_classes(kind: str, labels: NDArray[Any] | None) -> bool:
    """Tell whether targets of a regression look like class numbers that were stored as floats.

    That is: one whole number from 0 on per sequence, with at least two sequences for each.
    """
    if kind != REGRESSION or labels is None or labels.ndim != 1 or labels.dtype.kind != "f":
        return False
    there = labels[~np.isnan(labels)]
    different = np.unique(there)
    return len(different) > 1 and 2 * len(different) <= len(there) and bool(
        np.all((different >= 0) & (different == np.rint(different)))
    )  # fmt: skip


def _ambiguous(where: str, labels: NDArray[Any], tasks: tuple[str, ...]) -> InputError:
    return InputError(
        f"{where}: labels", expected="labels of one task",
        got=f"{labels.dtype} of shape {labels.shape}",
        remedy=f"say which task: {' or '.join(tasks)}",
    )  # fmt: skip


def class_names_of(
    kind: str, labels: NDArray[Any] | None, said: tuple[str, ...]
) -> tuple[str, ...]:
    """Return the names of the classes: those that are said, else those of texts, in order.

    Texts that are all whole numbers are ordered by their size. Integers have no names.
    """
    if said or labels is None or labels.dtype.kind != "U" or kind not in CLASSES:
        return said
    names = [str(name) for name in np.unique(_clean(labels)) if name not in NO_LABEL]
    if _numbers(np.array(names, dtype=str)) == "i":
        names.sort(key=lambda name: int(float(name)))
    return tuple(names)


def encoded(
    where: str, kind: str, part: Part, names: tuple[str, ...], classes: int, remedy: str,
    positions: NDArray[np.int64], elsewhere: bool = False,
) -> NDArray[Any] | None:  # fmt: skip
    """Return the labels of a part as a `Dataset` takes them.

    Parameters
    ----------
    where
        What errors call the data.
    kind
        The task.
    part
        With labels as they stand in the file.
    names, classes
        Of the classes; 0 classes: any.
    remedy
        Said of a label that is none of them.
    positions
        Of the samples whose labels are wanted.
    elsewhere
        The names are those of other data: numbers are names where `names_are_numbers`.

    Raises
    ------
    InputError
        For labels of another type or shape, or beyond the classes.
    """
    if part.labels is None or kind == NEXT_STEP:
        return None
    labels = part.labels[positions]
    if kind in (REGRESSION, STEP_REGRESSION):
        return _real(where, kind, labels, part.inputs.shape[1])
    if elsewhere and kind in CLASSES and labels.dtype.kind in "iuf" and names_are_numbers(names):
        labels = _as_texts(labels, names)
    found = _indices(where, labels, names, remedy, positions)
    if kind == STEP_CLASSIFICATION and found.ndim == 3 and found.shape[2] == 1:
        found = found[:, :, 0]
    if kind == MULTILABEL and found.ndim == 1:
        found = found[:, None]
    wanted = {CLASSIFICATION: 1, STEP_CLASSIFICATION: 2, MULTILABEL: 2}[kind]
    if found.ndim != wanted:
        axes = ("(samples,)", "(samples, steps or labels)")[wanted - 1]
        expected = f"shape {axes} for the task {kind}"
        raise InputError(f"{where}: labels", expected=expected, got=f"shape {labels.shape}")
    if kind == MULTILABEL:
        if classes and found.shape[1] != classes:
            raise InputError(f"{where}: labels", expected=f"{classes} labels a sequence",
                             got=str(found.shape[1]))  # fmt: skip
        if np.any(found > 1):
            raise InputError(f"{where}: labels", expected="0 and 1 for several labels",
                             got=str(found.max()))  # fmt: skip
        return found
    wrong = np.argwhere((found < NOTHING) | (found >= classes) if classes else found < NOTHING)
    if len(wrong):
        at = tuple(int(index) for index in wrong[0])
        label = f"{where}: label of sample {positions[at[0]]}"
        expected = f"0 to {classes - 1}" if classes else "0 or more"
        below = found[at] < NOTHING
        raise InputError(label, expected=f"{expected} (-1: none)" if below else expected,
                         got=str(found[at]), remedy="" if below else remedy)  # fmt: skip
    return found


def check_classes(where: str, labels: NDArray[Any] | None) -> None:
    """Raise `InputError` for real numbers that are not all whole: no classes."""
    if labels is None or labels.dtype.kind != "f":
        return
    odd = labels[~np.isnan(labels) & ((labels != np.trunc(labels)) | np.isinf(labels))]
    if len(odd):
        got = f"{float(odd[0]):g}" if np.isfinite(odd[0]) else "infinity"
        raise InputError(f"{where}: labels", expected="classes as integers or texts", got=got,
                         remedy="say the task regression if these are quantities")  # fmt: skip


def _native(where: str, labels: NDArray[Any]) -> NDArray[np.int64]:
    """Return integers of any width and byte order as one type, which PyTorch takes as well."""
    if labels.dtype.kind == "u" and labels.size and int(labels.max()) > np.iinfo(np.int64).max:
        expected = f"at most {np.iinfo(np.int64).max}"
        raise InputError(f"{where}: labels", expected=expected, got=str(labels.max()))
    return labels.astype(np.int64)


def names_are_numbers(names: tuple[str, ...]) -> bool:
    """Tell whether classes are named by whole numbers that are not their places.

    The archive of UCR counts classes from 1, or calls two of them -1 and 1: a label 1 of an array
    then is the class with that name, not the second one.
    """
    whole = bool(names) and _numbers(np.array(names, dtype=str)) == "i"
    return whole and list(names) != [str(place) for place in range(len(names))]


def _as_texts(labels: NDArray[Any], names: tuple[str, ...]) -> NDArray[np.str_]:
    texts = np.array([_whole(str(value)) for value in labels.ravel()], dtype=str)
    none = str(NOTHING)
    if none not in names:
        texts[texts == none] = NO_LABEL[0]
    return texts.reshape(labels.shape)


def _indices(
    where: str, labels: NDArray[Any], names: tuple[str, ...], remedy: str,
    positions: NDArray[np.int64],
) -> NDArray[Any]:  # fmt: skip
    if labels.dtype.kind == "b":
        return labels.view(np.uint8)
    if labels.dtype.kind in "iu":
        return _native(where, labels)
    if labels.dtype.kind == "f":
        check_classes(where, labels)
        return np.where(np.isnan(labels), NOTHING, labels).astype(np.int64)
    if labels.dtype.kind != "U":
        got = str(labels.dtype)
        raise InputError(f"{where}: labels", expected="integers, real numbers or texts", got=got)
    return _by_name(where, np.char.strip(labels), names, remedy, positions)


def _by_name(
    where: str, labels: NDArray[Any], names: tuple[str, ...], remedy: str,
    positions: NDArray[np.int64],
) -> NDArray[np.int64]:  # fmt: skip
    known = {name: index for index, name in enumerate(names)}
    known.update(dict.fromkeys(NO_LABEL, NOTHING))
    found, inverse = np.unique(labels, return_inverse=True)
    plain = [str(name) for name in found]
    plain = [name if name in known else _whole(name) for name in plain]
    for name, meant in zip(found, plain, strict=True):
        if meant not in known:
            at = positions[int(np.argwhere(labels == name)[0][0])]
            shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            raise InputError(f"{where}: label of sample {at}", expected=f"one of {shown or 'none'}",
                             got=repr(str(name)), remedy=remedy)  # fmt: skip
    places = np.array([known[name] for name in plain], dtype=np.int64)
    return places[inverse].reshape(labels.shape)


def _real(where: str, kind: str, labels: NDArray[Any], steps: int) -> NDArray[np.float64]:
    if labels.dtype.kind == "U":
        texts = np.where(np.isin(labels, NO_LABEL), "nan", labels)
        try:
            labels = texts.astype(np.float64)
        except ValueError as error:
            raise InputError(f"{where}: labels", expected="numbers for a regression",
                             got=str(error)) from None  # fmt: skip
    found = labels.astype(np.float64)
    axes = 2 if kind == REGRESSION else 3
    if found.ndim == axes - 1:
        found = found[..., None]
    if found.ndim != axes or (kind == STEP_REGRESSION and found.shape[1] != steps):
        expected = "(samples, numbers)" if kind == REGRESSION else "(samples, steps, numbers)"
        raise InputError(f"{where}: labels", expected=f"shape {expected} for the task {kind}",
                         got=f"shape {labels.shape}")  # fmt: skip
    return found


def _clean(labels: NDArray[Any]) -> NDArray[Any]:
    """Return texts without spaces around them; numbers that are whole as such (``1.0``: ``1``)."""
    stripped = np.char.strip(labels)
    if _numbers(stripped) != "i":
        return stripped
    return np.array([_whole(text) for text in stripped.ravel()], dtype=str).reshape(labels.shape)


def _whole(text: str) -> str:
    """Return ``1`` of ``1.0``, and any other text as it is."""
    try:
        number = float(numbers([text])[0])
    except ValueError:
        return text
    return str(int(number)) if np.isfinite(number) and number == int(number) else text


def _numbers(labels: NDArray[Any]) -> str:
    """Tell whether texts are all whole numbers (``i``), all numbers (``f``), or neither."""
    found = ""
    for text in np.unique(np.char.strip(labels)) if labels.size else ():
        if text in NO_LABEL:
            continue
        try:
            number = float(numbers([str(text)])[0])
        except ValueError:
            return ""
        if not np.isfinite(number):
            return ""
        found = "i" if number == int(number) and found != "f" else "f"
    return found
