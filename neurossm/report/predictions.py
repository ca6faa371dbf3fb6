"""Numbers of the predictions, ready to be shown: scores, classes, residuals."""

from __future__ import annotations

import re

from neurossm.report.classes import class_rows, confused_pairs
from neurossm.report.document import Answers
from neurossm.report.residuals import residual_rows
from neurossm.report.units import count, percent

MOST_CLASSES = 30  # of a matrix that can be taken in; of more, the pairs that are confused most
PAIRS = 20
_SCORE = re.compile(r"(.+?) ([-+.\de]+(?: ?%)?|unknown|nan|-?inf)(?=[ :]|$)")

Rows = list[tuple[str, ...]]


def headline(scores: str) -> tuple[str, str]:
    """Return name and value of the main score of ``accuracy 75.00% (macro F1 0.7)``.

    Examples
    --------
    >>> headline("macro F1 0.700 (accuracy 80.0%)"), headline("accuracy 75.00%")
    (('macro F1', '0.700'), ('accuracy', '75.00%'))
    """
    found = _SCORE.match(scores)
    return (found[1], found[2]) if found else ("Score", scores)


def class_names(answers: Answers) -> list[str]:
    """Return the names of the classes, or their numbers; none for a task without classes."""
    number = 0 if answers.confusion is None else len(answers.confusion)
    known = answers.class_names
    return [known[k] if k < len(known) else str(k) for k in range(number)]


def class_table(answers: Answers) -> Rows:
    """Return a row for each class that occurs, and the averages."""
    assert answers.confusion is not None
    return [
        (row.name, f"{row.precision:.4f}", f"{row.recall:.4f}", f"{row.f1:.4f}", count(row.support))
        for row in class_rows(answers.confusion, class_names(answers))
    ]


def most_confused(answers: Answers) -> Rows:
    """Return the pairs of true and predicted class that are confused most, and how often."""
    assert answers.confusion is not None
    pairs = confused_pairs(answers.confusion, class_names(answers), PAIRS)
    return [(a, b, count(number), percent(share, 1)) for a, b, number, share in pairs]


def residual_table(answers: Answers) -> Rows:
    """Return a row for each output channel."""
    assert answers.points is not None
    return [
        (row.name, count(row.count), f"{row.bias:.4g}", f"{row.mae:.4g}", f"{row.rmse:.4g}",
         "undefined" if row.r2 is None else f"{row.r2:.4f}")
        for row in residual_rows(answers.points, answers.channels, answers.channel_names)
    ]  # fmt: skip
