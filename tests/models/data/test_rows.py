"""Data that are read when they are taken are what the same arrays in memory are."""

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm.fixed import Scaling
from neurossm_models.data import Dataset
from neurossm_models.data.rows import Integers, Rows

SCALING = Scaling(unit=[0.5, 1.0], offset=[0.0, 1.0], scale=[0.5, 0.25], bits=4)
VALUES = np.array(
    [[[0.5, 1.0], [9.0, 2.0], [1.0, 99.0]], [[-1.0, 0.0], [2.0, 3.0], [8.0, 50.0]]]
)  # 9 / 0.5 = 18 and 98, 16, 49 are beyond 15


class File(Rows):
    """An array that counts how many samples were read."""

    def __init__(self, values):
        self.values, self.read = values, 0

    @property
    def shape(self):
        return self.values.shape

    def __getitem__(self, index):
        found = self.values[index]
        self.read += len(found)
        return found


def data(**more) -> Dataset:
    fields = {"labels": np.array([0, 1]), "scaling": SCALING, **more}
    return Dataset("mine", "train", Integers(File(VALUES), SCALING), 1.0, provenance="", **fields)


def test_only_what_is_taken_is_read_and_scaled():
    file = File(VALUES)
    whole = Dataset("mine", "", Integers(file, SCALING), 1.0, None, "", scaling=SCALING)
    assert whole.shape == (2, 3, 2) and len(whole) == 2 and file.read == 0
    later = whole.select(np.array([1])).trimmed()
    assert file.read == 0
    part = later.take(slice(None))
    assert part.inputs.tolist() == [[[-2, -1], [4, 2], [15, 15]]] and part.clipped == 2
    assert whole.factors.tolist() == [0.5, 0.25]


def test_values_beyond_the_range_are_counted_where_they_are_no_padding():
    assert data().take(slice(None)).clipped == 4
    assert data(lengths=np.array([1, 2])).take(slice(None)).clipped == 0
    assert data(lengths=np.array([2, 3])).take(slice(None)).clipped == 3
    assert data(lengths=np.array([2, 1])).trimmed().take(slice(0, 1)).clipped == 1


def test_samples_come_in_the_order_that_is_asked_for():
    np.testing.assert_array_equal(data().take(np.array([1, 0, 1])).inputs, data().inputs[[1, 0, 1]])
    assert data(groups=np.array(["a", "b"])).select(np.array([1])).groups.tolist() == ["b"]


def test_the_labels_of_the_next_step_are_the_following_inputs():
    asked = data(kind="next-step", labels=None, lengths=np.array([3, 2]))
    labels = asked.take(slice(None)).labels
    # integers 18 -> 15 and 98 -> 15, as real values; none at the last real step
    np.testing.assert_array_equal(
        labels,
        [[[7.5, 2.0], [1.0, 16.0], [np.nan] * 2], [[2.0, 3.0], [np.nan] * 2, [np.nan] * 2]],
    )
    tokens = Dataset("t", "", np.array([[[3], [1], [2]]]), 1.0, None, "", 9, kind="next-step")
    assert tokens.labeled and tokens.take(slice(1)).labels.tolist() == [[1, 2, -1]]


@pytest.mark.parametrize(
    ("kind", "labels", "shape"),
    [
        ("", np.zeros((2, 3), int), (2, 3)),
        ("", np.zeros((2, 4)), (2, 4)),
        ("", np.zeros((2, 3, 1)), (2, 3, 1)),
        ("regression", np.zeros(2), (2, 1)),
        ("regression", np.array([1, 2]), (2, 1)),
        ("step-regression", np.zeros((2, 3)), (2, 3, 1)),
        ("multilabel", np.array([[True, False], [False, True]]), (2, 2)),
        ("multilabel", None, (2, 1)),
        ("step-regression", None, (2, 3, 1)),
    ],
)
def test_labels_of_every_kind(kind, labels, shape):
    found = data(kind=kind, labels=labels)
    assert found.labels.shape == shape and not found.labels.flags.writeable
    assert found.labeled == (labels is not None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "sorting"}, "data set kind: expected classification"),
        ({"kind": "multilabel", "labels": np.array([[0, 2], [1, 1]])}, "expected 0 and 1"),
        ({"kind": "regression", "labels": np.array(["a", "b"])}, "expected real numbers, got <U1"),
        ({"kind": "regression", "labels": np.array([np.inf, 0])}, "got infinity"),
        ({"kind": "step-regression", "labels": np.zeros((2, 4, 1))}, r"got shape \(2, 4, 1\)"),
        ({"kind": "step-classification", "labels": np.zeros(2, int)}, r"got shape \(2,\)"),
        ({"scaling": Scaling([1], [0], [1], 8)}, "data set scaling: expected 2 channels, got one"),
        ({"groups": np.zeros(3)}, r"data set groups: expected shape \(2,\), got shape \(3,\)"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        data(**change)
