"""Scores on a data set, by kind of task."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm.validation import check_record

ACCURACY, MSE, R2, PERPLEXITY, MACRO_F1 = "accuracy", "mse", "r2", "perplexity", "macro_f1"
MAIN_VALUES = (ACCURACY, MSE, R2, PERPLEXITY, MACRO_F1)
LOWER_IS_BETTER = (MSE, PERPLEXITY)
_PERCENT = (ACCURACY, "balanced_accuracy", "subset_accuracy")
_NAMES = {
    ACCURACY: "accuracy",
    "balanced_accuracy": "balanced",
    MACRO_F1: "macro F1",
    "micro_f1": "micro F1",
    "subset_accuracy": "subset accuracy",
    "mean_average_precision": "mAP",
    MSE: "MSE",
    "rmse": "RMSE",
    "mae": "MAE",
    R2: "R2",
    PERPLEXITY: "perplexity",
}
_Name: Any = Literal[tuple(_NAMES)]
_KINDS: dict[str, Any] = {
    "kind": str, "main": _Name, "value": float | None, "values": dict[_Name, float | None],
    "count": int, "class_names": list[str], "confusion": list[list[int]] | None,
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Scores:
    """What answers reach; `Scorer.result` makes it.

    Attributes
    ----------
    kind
        The task, one of `neurossm_models.data.labels.KINDS`.
    main
        Name of the value that chooses the best epoch. By the task: ``"accuracy"`` where one of some
        classes is asked for, also at every step; ``"macro_f1"`` of several labels; ``"perplexity"``
        of the next token; ``"mse"`` of real numbers, and ``"r2"`` where an answer has several of
        them, because they may have different units.
    value
        That value; None if no answer was asked for.
    values
        All values by name. Errors of real numbers are in the units of the labels.
    confusion
        How often a class (row) was answered by a class (column), int64, (K, K). None for tasks
        without classes, and where there are more than 256 of them.
    count
        Answers that were asked for: of sequences, or of steps.
    class_names
        Of the rows and columns; empty where they have none.
    """

    kind: str
    main: str
    value: float | None
    values: dict[str, float]
    confusion: NDArray[np.int64] | None
    count: int
    class_names: tuple[str, ...] = field(default=())

    def better_than(self, other: Scores | None) -> bool:
        """Tell whether the main value is better than that of others; than none, it always is.

        Of two equal ones neither is better, and what is not a number is never better.
        """
        if other is None:
            return True
        return better(self.main, self.value, other.value)

    def text(self) -> str:
        """Return the values in a line: ``accuracy 97.50% (balanced 97.1%, macro F1 0.970)``."""
        if self.value is None:
            return f"{_NAMES[self.main]} unknown: no answer was asked for"
        others = [_shown(name, value) for name, value in self.values.items() if name != self.main]
        more = f" ({', '.join(others)})" if others else ""
        return _shown(self.main, self.value, main=True) + more

    def as_json(self) -> dict[str, Any]:
        """Return plain values; a number that is none (or infinite) becomes None."""
        return {
            "kind": self.kind,
            "main": self.main,
            "value": _plain(self.value),
            "values": {name: _plain(value) for name, value in self.values.items()},
            "count": self.count,
            "class_names": list(self.class_names),
            "confusion": None if self.confusion is None else self.confusion.tolist(),
        }

    @classmethod
    def from_json(cls, given: Any, where: str = "scores") -> Scores:
        """Return what `as_json` gave; `FormatError` for anything else."""
        check_record(given, _KINDS, f"{where} ", FormatError, ())
        numbers = {
            name: float(value) for name, value in given["values"].items() if value is not None
        }
        main = None if given["value"] is None else float(given["value"])
        try:
            table = given["confusion"]
            confusion = None if table is None else np.array(table, dtype=np.int64)
        except (ValueError, OverflowError):
            raise FormatError(f"{where} confusion", expected="rows of one length") from None
        return cls(given["kind"], given["main"], main, numbers, confusion,
                   given["count"], tuple(map(str, given["class_names"])))  # fmt: skip


def main_of(kind: str, real: bool, outputs: int = 1) -> str:
    """Return the name of the value that chooses the best epoch; see `Scores`.

    Parameters
    ----------
    kind
        The task.
    real
        Whether answers are real numbers.
    outputs
        Then, how many an answer has.
    """
    if real:
        return R2 if outputs > 1 else MSE
    return {"multilabel": MACRO_F1, "next-step": PERPLEXITY}.get(kind, ACCURACY)


def better(main: str, value: float | None, than: float | None) -> bool:
    """Tell whether a value is better than another one of the same name; see `Scores`."""
    if value is None or math.isnan(value):
        return False
    if than is None or math.isnan(than):
        return True
    return value < than if main in LOWER_IS_BETTER else value > than


def shown(name: str, value: float | None) -> str:
    """Return a value with its name, as `Scores.text` begins."""
    return f"{_NAMES[name]} unknown" if value is None else _shown(name, value, main=True)


def named(name: str) -> str:
    """Return what a value is called."""
    return _NAMES[name]


def _shown(name: str, value: float, main: bool = False) -> str:
    if name in _PERCENT:
        return f"{_NAMES[name]} {100 * value:.{2 if main else 1}f}%"
    if name in (MACRO_F1, "micro_f1", "mean_average_precision", R2):
        return f"{_NAMES[name]} {value:.3f}"
    return f"{_NAMES[name]} {value:.4g}"


def _plain(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
