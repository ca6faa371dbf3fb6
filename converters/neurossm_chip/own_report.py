"""Reports a run of samples of your own, on the screen and in files."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy as np

from neurossm_chip.answers import MULTILABEL, Meaning, predictions_of, score, write_csv
from neurossm_chip.own import Own

EQUAL, DIFFERENT = 0, 1


def report_own(
    options: Any,
    own: Own,
    meaning: Meaning,
    answers: Any,
    labels: Any,
    about: dict[str, Any],
    inexact: bool,
) -> int:
    """Print the metric and the comparison, write what was asked for; return the exit status.

    `inexact`: Lava's own neurons ran, whose integers are others.
    """
    predictions = predictions_of(meaning, answers, own.lengths)
    count = len(answers)
    about.update(samples=count, clipped=own.clipped, task=meaning.task, readout=meaning.readout)
    print(f"ran on: {about['ran_on']}")
    many = "" if count == 1 else "s"
    print(f"{count} sample{many}, {int(own.lengths.sum())} steps, {about['seconds']:.1f} s")
    if own.clipped:
        print(f"{own.clipped} input values were beyond the range and clipped")
    if labels is not None:
        found = score(meaning, predictions, labels, own.lengths)
        about.update(metric=found.metric, value=found.value, labels=found.labels)
        shown = f"{found.value:.2%}" if found.metric == "accuracy" else f"{found.value:.6g}"
        print(f"{found.metric}: {shown} of {found.labels} labels")
    status = EQUAL
    if own.answers is not None:
        status = _compared(own, meaning, answers, about, inexact)
    if options.out:
        os.makedirs(options.out, exist_ok=True)
        table = os.path.join(options.out, "predictions.csv")
        write_csv(table, meaning, predictions, labels, own.lengths)
        with open(os.path.join(options.out, "result.json"), "w") as text:
            json.dump(dict(about, target=options.target), text, indent=2)
        with open(os.path.join(options.out, "result.npz"), "wb") as out:
            np.savez(out, answers=answers, predictions=predictions, lengths=own.lengths)
        print(f"predictions: {table}")
    return status


def _compared(
    own: Own, meaning: Meaning, answers: Any, about: dict[str, Any], inexact: bool
) -> int:
    """Say how many predictions, and integers of answers, are those that neurossm made."""
    expected = np.asarray(own.answers, np.int64)
    steps = min(expected.shape[1], answers.shape[1]) if meaning.every_step else None
    expected, found = (a if steps is None else a[:, :steps] for a in (expected, answers))
    same = found == expected
    mine, theirs = (predictions_of(meaning, a, own.lengths) for a in (found, expected))
    alike = mine == theirs
    # a prediction is a sample, or a step of one, within its length
    if meaning.every_step:
        inside = np.arange(steps) < own.lengths[:, None]
        alike = (alike if alike.ndim == 2 else alike.all(axis=-1))[inside]
    elif alike.ndim > 1:
        alike = alike.all(axis=-1)
    right, wrong = int(np.count_nonzero(alike)), int(np.count_nonzero(~same))
    what = "labels" if meaning.task == MULTILABEL else "predictions"
    print(f"{right} of {alike.size} {what} equal to those made by neurossm")
    of_all = "all equal" if not wrong else f"{wrong} differ"
    expected_so = "; Lava's own neurons are not expected to be equal" if inexact else ""
    print(f"{same.size} integers of answers, {of_all}{expected_so}")
    about.update(predictions_equal=right, predictions=int(alike.size), answers_differing=wrong)
    return DIFFERENT if wrong and not inexact else EQUAL
