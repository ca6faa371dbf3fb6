"""What labels look like says the task; what could be two tasks is refused."""

import re

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm_models.data import from_arrays, learn, load

X = np.random.default_rng(0).normal(size=(6, 4, 1))
WHOLE = {"valid": 0.0, "test": 0.0}
BITS = np.array([[0, 1, 1], [1, 0, 1]] * 3)
EACH = np.array([[0, 1, 2, 0]] * 6)


@pytest.mark.parametrize(
    ("labels", "kind", "classes", "names"),
    [
        ([0, 1, 2, 0, 1, -1], "classification", 3, ()),
        (["b", "a", "b", "", "a", "b"], "classification", 2, ("a", "b")),
        (["10", "9", "9", "10", "9", "?"], "classification", 2, ("9", "10")),
        (["1.0", "2.00", "1", "2", "1", "1"], "classification", 2, ("1", "2")),
        ([True, False] * 3, "classification", 2, ()),
        (EACH, "step-classification", 3, ()),
        (EACH[:, :, None], "step-classification", 3, ()),
        (EACH.astype(str), "step-classification", 3, ("0", "1", "2")),
        (BITS, "multilabel", 3, ()),
        ([0.5, 1, 2, 3, 4, np.nan], "regression", 1, ()),
        (["0.5", "1", "2", "3", "4", "?"], "regression", 1, ()),
        (np.ones((6, 3)), "regression", 3, ()),
        (np.ones((6, 4, 2)), "step-regression", 2, ()),
    ],
)
def test_the_task_that_labels_are_of(labels, kind, classes, names):
    source = from_arrays(X, np.asarray(labels))
    facts = learn(source, **WHOLE)
    assert (facts.kind, facts.classes, facts.class_names) == (kind, classes, names)
    data = load(source, facts=facts)
    assert data.kind == kind and len(data.labels) == 6
    if names and data.labels.ndim == 1:
        wanted = [names.index(str(x).rstrip("0").rstrip(".") or "0") if "." in str(x) else
                  names.index(x) if x in names else -1 for x in labels]  # fmt: skip
        assert data.labels.tolist() == wanted
    elif kind in ("classification", "multilabel"):
        np.testing.assert_array_equal(data.labels, labels)


@pytest.mark.parametrize(
    ("labels", "tasks"),
    [
        (np.ones((6, 4)), ("regression", "step-regression")),
        (np.array([[0, 1, 1, 0]] * 6), ("multilabel", "step-classification")),
    ],
)
def test_what_could_be_two_tasks_is_refused_and_each_of_them_can_be_said(labels, tasks):
    source = from_arrays(X, labels)
    with pytest.raises(InputError, match=f"say which task: {' or '.join(tasks)}"):
        learn(source)
    for task in tasks:
        facts = learn(source, task=task, **WHOLE)
        assert load(source, facts=facts).kind == facts.kind == task


def test_integers_are_quantities_where_a_regression_is_said_and_classes_may_be_floats():
    source = from_arrays(X, [3, 1, 2, 3, 1, 2])
    facts = learn(source, task="regression", **WHOLE)
    assert load(source, facts=facts).labels[:2].tolist() == [[3], [1]] and facts.target.offset == 2
    source = from_arrays(X, [1.0, 0, np.nan, 1, 0, 1])
    facts = learn(source, task="classification", **WHOLE)
    assert load(source, facts=facts).labels.tolist() == [1, 0, -1, 1, 0, 1]


def test_next_step_needs_no_labels():
    facts = learn(from_arrays(X), task="next-step", **WHOLE)
    assert facts.kind == "next-step" and facts.classes == 1
    # what it answers is what it is given: one standard deviation of the data is 1
    np.testing.assert_allclose(facts.target.unit, facts.scaling.unit / facts.scaling.scale)
    np.testing.assert_array_equal(facts.target.offset, facts.scaling.offset)
    tokens = from_arrays(np.arange(12).reshape(2, 6) % 5, vocabulary=5)
    facts = learn(tokens, task="next-step", **WHOLE)
    data = load(tokens, facts=facts).take(slice(None))
    assert facts.classes == 5 and facts.bits == 3 and facts.scaling is None
    assert data.labels[0].tolist() == [1, 2, 3, 4, 0, -1]


@pytest.mark.parametrize(
    ("labels", "task", "said"),
    [
        ([0.5, 1, 0, 1, 0, 1], "classification", "got 0.5; say the task regression"),
        (["a", "b", "a", "b", "a", "b"], "regression", "numbers for a regression"),
        ([0, 0, 0, 0, 0, 0], "", "at least 2 classes, got one"),
        ([-1] * 6, "", "at least 2 classes, got labels of none"),
        (None, "", "expected labels, got none; add labels"),
        (np.array([[0, 5, 1]] * 6), "", "say which task: regression or step-classification"),
        (np.zeros((6, 2, 2, 2)), "", "labels of one task"),
        (EACH, "classification", "shape (samples,) for the task classification"),
        ([0, 1, 0, 2, 0, 1], "multilabel", "0 and 1 for several labels"),
        ([0, 1, -2, 1, 0, 1], "", "label of sample 2: expected 0 or more (-1: none), got -2"),
        ([0, 1, 0, 2020, 0, 1], "", "numbered from 0, got 3 of 0 to 2020; number them anew"),
        (np.ones((6, 4, 2)), "regression", r"shape (samples, numbers) for the task regression"),
    ],
)
def test_labels_of_another_kind_are_refused(labels, task, said):
    with pytest.raises(InputError, match=re.escape(said)):
        learn(from_arrays(X, labels), task=task, **WHOLE)


def test_labels_that_the_training_part_does_not_have_are_refused_and_the_remedy_works(tmp_path):
    for test, train, said in (
        ([0, 2], [0, 1, 0, 1, 0, 1], "label of sample 1: expected 0 to 1, got 2"),
        (["a", "z"], ["a", "b"] * 3, "label of sample 1: expected one of a, b, got 'z'"),
    ):
        file = tmp_path / "a.npz"
        arrays = {
            "train_inputs": X,
            "train_labels": train,
            "test_inputs": X[:2],
            "test_labels": test,
        }
        np.savez(file, **arrays)
        facts = learn(file, valid=0.0)
        with pytest.raises(InputError, match=f"{said}; name the classes in the file: class_names"):
            load(f"{file}:test", facts=facts)
        names = [str(name) for name in sorted({*train, *test})]
        np.savez(file, **arrays, class_names=names)
        facts = learn(file, valid=0.0)
        assert facts.classes == 3
        assert load(f"{file}:test", facts=facts).labels.tolist() == [0, 2]


def test_a_class_of_a_group_that_is_not_trained_on_is_known():
    labels = np.repeat(np.arange(6), 4)  # a class a group
    source = from_arrays(np.random.default_rng(0).normal(size=(24, 3)), labels, groups=labels)
    facts = learn(source)
    train, test = (load(source, facts=facts, split=part) for part in ("train", "test"))
    assert facts.classes == 6 and not set(train.labels) & set(test.labels)
