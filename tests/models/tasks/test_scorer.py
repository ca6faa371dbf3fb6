"""Scores part by part are those of scikit-learn on the whole."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn import metrics

from neurossm.errors import InputError
from neurossm.fixed import TargetScaling
from neurossm_models.data.labels import NOTHING
from neurossm_models.tasks import Scorer, Scores


def scored(kind, answers, labels, lengths=None, parts=7, classes=None, target=None):
    scorer = Scorer(kind, classes or np.shape(answers)[-1], target=target)
    for rows in np.array_split(np.arange(len(answers)), parts):
        scorer.add(answers[rows], labels[rows], None if lengths is None else lengths[rows])
    return scorer.result()


def test_classes_score_as_in_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.choice(5, 400, p=[0.5, 0.3, 0.1, 0.1, 0.0])  # class 4 never occurs
    answers = rng.normal(size=(400, 5)) + 2 * np.eye(5)[truth]
    found, scores = answers.argmax(1), scored("classification", answers, truth)
    assert scores.main == "accuracy" and scores.value == scores.values["accuracy"]
    assert scores.values["accuracy"] == pytest.approx(metrics.accuracy_score(truth, found))
    with pytest.warns(UserWarning, match="classes not in y_true"):
        balanced = metrics.balanced_accuracy_score(truth, found)
    assert scores.values["balanced_accuracy"] == pytest.approx(balanced)
    f1 = metrics.f1_score(truth, found, average="macro")
    assert scores.values["macro_f1"] == pytest.approx(f1)
    np.testing.assert_array_equal(
        scores.confusion, metrics.confusion_matrix(truth, found, labels=range(5))
    )


def test_what_asks_for_nothing_is_not_counted():
    answers = np.array([[0.0, 1.0], [0.0, 1.0], [3.0, 1.0]])
    scores = scored("classification", answers, np.array([1, NOTHING, 1]), parts=2)
    assert (scores.count, scores.value) == (2, 0.5)
    nothing = scored("classification", answers, np.full(3, NOTHING), parts=1)
    assert (nothing.count, nothing.value) == (0, None) and "no answer" in nothing.text()


def test_steps_behind_the_end_are_not_counted():
    answers = np.zeros((2, 3, 2))
    answers[:, :, 1] = 1  # always class 1
    labels = np.array([[1, 0, 0], [1, 1, 0]])
    scores = scored("step-classification", answers, labels, np.array([1, 3]), parts=2)
    assert (scores.count, scores.value) == (4, 0.75)  # 1 | 1 1 0


def test_several_labels_score_as_in_scikit_learn():
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, (300, 4))
    answers = np.round(rng.normal(size=(300, 4)) + 1.2 * truth - 0.6, 1)  # with ties
    found, scores = (answers > 0).astype(int), scored("multilabel", answers, truth)
    expected = {
        "macro_f1": metrics.f1_score(truth, found, average="macro"),
        "micro_f1": metrics.f1_score(truth, found, average="micro"),
        "subset_accuracy": metrics.accuracy_score(truth, found),
        "mean_average_precision": metrics.average_precision_score(truth, answers.astype("f4")),
    }
    assert scores.values == pytest.approx(expected) and scores.main == "macro_f1"


@pytest.mark.parametrize("numbers", [1, 3])
def test_real_numbers_score_as_in_scikit_learn(numbers):
    rng = np.random.default_rng(2)
    truth = 1e6 + rng.normal(size=(200, numbers)) * 3  # far from 0: sums of squares would not do
    target = TargetScaling(np.full(numbers, 3.0), np.full(numbers, 1e6))
    answers = target.to_outputs(truth) + 0.1 * rng.normal(size=truth.shape)
    found, scores = target.to_values(answers), scored("regression", answers, truth, target=target)
    assert scores.main == ("mse" if numbers == 1 else "r2")
    assert scores.values["mse"] == pytest.approx(metrics.mean_squared_error(truth, found))
    assert scores.values["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, found))
    assert scores.values["mae"] == pytest.approx(metrics.mean_absolute_error(truth, found))
    assert scores.values["r2"] == pytest.approx(metrics.r2_score(truth, found))


def test_real_numbers_at_every_step_leave_gaps_and_padding_out():
    labels = np.array([[[1.0], [np.nan], [9.0]], [[2.0], [4.0], [5.0]]])
    answers = np.array([[[2.0], [0.0], [0.0]], [[2.0], [1.0], [5.0]]])
    scores = scored("step-regression", answers, labels, np.array([2, 3]), parts=2)
    # errors 1 | 0 -3 0 of labels 1 | 2 4 5
    assert scores.count == 4
    assert scores.values == pytest.approx(
        {"mse": 10 / 4, "rmse": 2.5**0.5, "mae": 1.0, "r2": 1 - 10 / 10}
    )


def test_the_perplexity_of_even_odds_is_their_number():
    labels = np.array([[3, 1, NOTHING]])
    scores = scored("next-step", np.zeros((1, 3, 8)), labels, parts=1)
    assert scores.main == "perplexity" and scores.count == 2
    assert scores.value == pytest.approx(8)
    sure = np.log(np.array([[[0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 1e-300, 1e-300]]]))
    scores = scored("next-step", sure, np.array([[2, 1]]), parts=1)
    assert scores.value == pytest.approx((4 * 2) ** 0.5)  # geometric mean of 1/p


def test_the_next_value_is_scored_in_real_units():
    target = TargetScaling([10.0], [100.0])
    labels = np.array([[[100.0], [110.0]]])
    sent = np.array([[[0.5], [1.5]]])  # 105 and 115
    scores = scored("next-step", sent, labels, parts=1, target=target)
    assert scores.values["mae"] == pytest.approx(5.0)


def test_parts_of_several_processes_are_one():
    rng = np.random.default_rng(3)
    for kind, labels in (
        ("classification", rng.integers(0, 3, 60)),
        ("multilabel", rng.integers(0, 2, (60, 3))),
        ("regression", rng.normal(size=(60, 3)) + 50),
    ):
        answers = rng.normal(size=(60, 3))
        one, two = Scorer(kind, 3), Scorer(kind, 3)
        one.add(answers[:20], labels[:20])
        two.add(answers[20:], labels[20:])
        one.merge(two)
        assert one.result().values == pytest.approx(scored(kind, answers, labels).values)


def test_what_is_better_depends_on_the_task():
    def of(main, value):
        return Scores("", main, value, {}, None, 1)

    assert of("accuracy", 0.9).better_than(of("accuracy", 0.8))
    assert not of("accuracy", 0.8).better_than(of("accuracy", 0.8))
    assert of("mse", 0.1).better_than(of("mse", 0.2))
    assert not of("perplexity", 9.0).better_than(of("perplexity", 8.0))
    assert of("mse", float("nan")).better_than(None)
    assert not of("mse", float("nan")).better_than(of("mse", 7.0))
    assert of("mse", 7.0).better_than(of("mse", float("nan")))


def test_a_line_says_what_was_reached():
    answers = np.eye(3)[[0, 1, 2, 2]]
    scores = scored("classification", answers, np.array([0, 1, 2, 0]), parts=1)
    # recalls 1/2, 1, 1; F1 2/3, 1, 2/3
    assert scores.text() == "accuracy 75.00% (balanced 83.3%, macro F1 0.778)"
    assert scores.as_json()["confusion"] == [[1, 0, 1], [0, 1, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("kind", "answers", "labels", "says"),
    [
        ("classification", np.zeros((2, 3, 4)), np.zeros(2, int), "(sequences, K)"),
        ("classification", np.zeros((2, 4)), np.array([0, 4]), "classes 0 to 3"),
        ("classification", np.zeros((2, 4)), np.zeros((2, 4), int), "shape (2,)"),
        ("regression", np.zeros((2, 3)), np.zeros((2, 1)), "shape (2, 3)"),
        ("classifcation", np.zeros((2, 3)), np.zeros(2, int), "did you mean 'classification'"),
    ],
)
def test_what_does_not_fit_is_refused(kind, answers, labels, says):
    with pytest.raises(InputError) as error:
        Scorer(kind, 4).add(answers, labels)
    assert says in str(error.value)


def test_likelihoods_of_labels_say_what_all_logits_do():
    rng = np.random.default_rng(5)
    logits, labels = rng.normal(size=(4, 6, 9)), rng.integers(-1, 9, (4, 6))
    lengths = np.array([6, 2, 5, 1])
    odds = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    own = np.take_along_axis(odds, labels.clip(0)[..., None], -1)[..., 0]
    whole, kept, other = (Scorer("next-step", 9) for _ in range(3))
    whole.add(logits, labels, lengths)
    right = logits.argmax(-1) == labels
    for scorer, part in ((kept, slice(0, 1)), (other, slice(1, 4))):
        scorer.add_likelihoods(np.log(own)[part], right[part], labels[part], lengths[part])
    kept.merge(other)
    assert kept.result().values == pytest.approx(whole.result().values)
    assert kept.result().count == whole.result().count > 5


def test_likelihoods_are_of_tokens_and_one_a_label():
    labels = np.zeros((2, 3), np.int64)
    with pytest.raises(InputError, match="likelihoods: expected the task next-step"):
        Scorer("step-classification", 9).add_likelihoods(np.zeros((2, 3)), labels == 0, labels)
    with pytest.raises(InputError, match=r"expected shape \(2, 3\), as the labels, got"):
        Scorer("next-step", 9).add_likelihoods(np.zeros((2, 2)), labels == 0, labels)
