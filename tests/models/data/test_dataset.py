"""What a data set checks, and what it leaves alone: arrays of the caller, padding, labels."""

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm_models.data.dataset import NOTHING, Dataset

GOOD = {
    "name": "own", "split": "test", "rows": np.arange(24).reshape(3, 4, 2), "scale": 0.5,
    "labels": np.array([0, 2, 1]), "provenance": "made up",
}  # fmt: skip


def test_the_arrays_of_the_caller_stay_writable_and_those_of_the_data_set_are_not():
    inputs, labels, lengths = np.zeros((2, 3, 1), int), np.zeros(2, int), np.array([3, 1])
    data = Dataset("own", "test", inputs, 1.0, labels, "made up", lengths=lengths)
    for mine in (inputs, labels, lengths):
        mine[0] = 1
    for kept in (data.inputs, data.labels, data.lengths, data.take(slice(1)).inputs):
        with pytest.raises(ValueError, match="read-only"):
            kept[0] = 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"rows": np.zeros((3, 4, 2))}, "data set inputs: expected integers, got float64"),
        ({"rows": np.zeros((3, 4), int)}, r"data set inputs: .* got shape \(3, 4\)"),
        ({"rows": np.zeros((0, 4, 2), int)}, "data set inputs: .* none of them 0"),
        ({"labels": np.zeros(2, int)}, r"data set labels: expected shape \(3,\) or \(3, 4\)"),
        ({"labels": np.zeros(3)}, "data set labels: expected integers, got float64"),
        ({"labels": np.array([0, -2, 1])}, "data set labels: expected 0 or more"),
        ({"scale": 0.0}, "data set scale: expected a finite number above 0, got 0.0"),
        ({"scale": float("inf")}, "data set scale: .* got inf"),
        ({"scale": float("nan")}, "data set scale: .* got nan"),
        ({"scale": None}, "data set scale: .* got None"),
        ({"dt": 0.0}, "data set dt: .* got 0.0"),
        ({"lengths": np.array([1, 4, 5])}, "data set lengths: expected 1 to 4 steps, got 1 to 5"),
        ({"lengths": np.array([1, 4, 0])}, "data set lengths: expected 1 to 4 steps, got 0 to 4"),
        ({"lengths": np.array([1, 4])}, r"data set lengths: expected shape \(3,\)"),
        ({"lengths": np.ones((3, 2), int)}, r"data set lengths: expected shape \(3,\)"),
        ({"lengths": np.ones(3), "vocabulary": 24}, r"data set lengths: .*expected"),
        ({"vocabulary": -1}, "data set vocabulary: expected 0 or more"),
    ],
)
def test_what_is_wrong_is_named(changed, message):
    Dataset(**GOOD)
    with pytest.raises(InputError, match=message):
        Dataset(**(GOOD | changed))


def test_spikes_may_be_booleans_and_labels_may_be_absent():
    spikes = Dataset(**(GOOD | {"rows": np.eye(4, dtype=bool)[None]} | {"labels": None}))
    np.testing.assert_array_equal(spikes.inputs, np.eye(4)[None])
    assert spikes.labels.tolist() == [NOTHING] and not spikes.labeled
    assert Dataset(**GOOD).labeled and len(Dataset(**GOOD)) == 3


def test_trimming_takes_the_padding_that_no_sequence_needs():
    steps = np.arange(12).reshape(3, 4)
    data = Dataset(**(GOOD | {"lengths": np.array([2, 1, 3]), "labels": steps}))
    short = data.trimmed()
    np.testing.assert_array_equal(short.inputs, data.inputs[:, :3])
    np.testing.assert_array_equal(short.labels, steps[:, :3])
    np.testing.assert_array_equal(short.lengths, data.lengths)
    assert Dataset(**GOOD).trimmed().inputs.shape == (3, 4, 2)
