"""Precision, recall and F1 of each class; errors of each channel: by hand, and by scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import (
    classification_report,
    confusion_matrix,
    mean_absolute_error,
    mean_squared_error,
    r2_score,
)

from neurossm.report.classes import class_rows, confused_pairs
from neurossm.report.residuals import bins, residual_rows


def test_scores_of_classes_by_hand():
    # true 0: 3 right, 1 as class 1; true 1: 2 right; class 2 neither occurs nor is predicted
    rows = class_rows(np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]]), ["a", "b", "c"])
    assert [row.name for row in rows] == ["a", "b", "macro average", "weighted average"]
    a, b, macro, weighted = ((r.precision, r.recall, r.f1, r.support) for r in rows)
    assert a == pytest.approx((1, 3 / 4, 6 / 7, 4))
    assert b == pytest.approx((2 / 3, 1, 4 / 5, 2))
    assert macro == pytest.approx((5 / 6, 7 / 8, (6 / 7 + 4 / 5) / 2, 6))
    assert weighted == pytest.approx((8 / 9, 5 / 6, (4 * 6 / 7 + 2 * 4 / 5) / 6, 6))


def test_scores_of_classes_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 6, 200), rng.integers(1, 8, 200)  # 0 is never predicted
    matrix = confusion_matrix(true, predicted, labels=range(9))  # 8 is in neither
    known = classification_report(true, predicted, output_dict=True, zero_division=0)
    for row in class_rows(matrix, [str(k) for k in range(9)]):
        same = known[row.name.replace("average", "avg")]
        assert (row.precision, row.recall, row.f1, row.support) == pytest.approx(
            (same["precision"], same["recall"], same["f1-score"], same["support"])
        )


def test_no_predictions_are_zeros():
    macro, weighted = class_rows(np.zeros((2, 2), np.int64), ["a", "b"])
    assert (macro.f1, weighted.f1, macro.support) == (0, 0, 0)


def test_confused_pairs_are_the_most_frequent_with_their_share():
    matrix = np.array([[5, 3, 0], [1, 9, 0], [0, 2, 2]])
    assert confused_pairs(matrix, ["a", "b", "c"], 2) == [("a", "b", 3, 3 / 8), ("c", "b", 2, 0.5)]


def test_errors_of_channels_by_hand():
    points = np.array([[0.0, 1.0], [5.0, 5.0], [2.0, 1.0], [5.0, 7.0]])
    x, y = residual_rows(points, np.array([0, 1, 0, 1]), ("x", "y"))
    # x: errors 1, -1 on labels 0, 2 (squares about the mean: 2); y: errors 0, 2 on equal labels
    assert (x.name, x.count, x.bias, x.mae, x.rmse, x.r2) == ("x", 2, 0, 1, 1, 0)
    assert (y.name, y.count, y.bias, y.mae, y.rmse, y.r2) == ("y", 2, 1, 1, 2**0.5, None)
    (row,) = residual_rows(points, None)
    assert (row.name, row.count) == ("output", 4)


def test_errors_are_those_of_scikit_learn():
    rng = np.random.default_rng(1)
    label = rng.normal(3, 2, 50)
    found = label + rng.normal(0, 1, 50)
    (row,) = residual_rows(np.stack([label, found], axis=1), None)
    assert row.mae == pytest.approx(mean_absolute_error(label, found))
    assert row.rmse**2 == pytest.approx(mean_squared_error(label, found))
    assert row.r2 == pytest.approx(r2_score(label, found))


@pytest.mark.parametrize(("low", "high"), [(-0.3, 1.7), (0.2, 0.9), (-4.0, -1.0), (0.0, 0.0)])
def test_bins_hold_all_errors_and_zero(low, high):
    edges = bins(np.array([low, high]))
    assert edges[0] <= min(low, 0) and edges[-1] >= max(high, 0)
    assert 1 <= len(edges) - 1 <= 40
    assert np.diff(edges) == pytest.approx(edges[1] - edges[0])
