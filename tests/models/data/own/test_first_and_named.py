"""The first samples of sorted data, and classes that are named by numbers: nothing is silent."""

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm_models.data import from_arrays, learn, load

X = np.random.default_rng(0).normal(size=(12, 4, 1))
WHOLE = {"valid": 0.0, "test": 0.0}
SORTED = np.repeat(["a", "b", "c"], 4)


def saved(folder, **arrays):
    np.savez(folder / "my.npz", **arrays)
    return str(folder / "my.npz")


def heard(spec, facts):
    said = []
    return load(spec, facts=facts, say=said.append), said


@pytest.mark.parametrize(
    ("labels", "count", "classes"),
    [
        (SORTED, 5, "the first 5 of 12 samples are of 2 of 3 classes"),
        (SORTED, 9, None),  # all three
        (np.tile(["a", "b", "c"], 4), 2, None),  # not sorted: two samples cannot be of three
        (np.repeat([0, 1], 6), 6, "the first 6 of 12 samples are of 1 of 2 classes"),
    ],
)
def test_the_first_samples_of_data_sorted_by_class_are_said_to_be_of_few(
    tmp_path, labels, count, classes
):
    path = saved(tmp_path, inputs=X, labels=labels)
    facts = learn(path, **WHOLE)
    data, said = heard(f"{path}:{count}", facts)
    assert len(data) == count
    if classes is None:
        assert not said
    else:
        (note,) = said
        assert classes in note and f"without :{count}" in note
        assert not heard(path, facts)[1]  # the remedy


@pytest.mark.parametrize("dtype", [int, float])
def test_numbers_are_the_names_of_classes_where_these_are_numbers(tmp_path, dtype):
    # as a file of the UCR archive whose classes count from 1
    facts = learn(from_arrays(X, np.repeat(["1", "2", "5"], 4)), **WHOLE)
    path = saved(tmp_path, inputs=X[:4], labels=np.array([1, 5, 2, -1], dtype))
    data, said = heard(path, facts)
    assert data.labels.tolist() == [0, 2, 1, -1]
    assert "taken for the names of the classes (1, 2, 5)" in said[0]
    path = saved(tmp_path, inputs=X[:2], labels=np.array([0, 1], dtype))
    with pytest.raises(InputError, match="expected one of 1, 2, 5, got '0'"):
        load(path, facts=facts)


def test_a_class_may_be_called_minus_one(tmp_path):
    facts = learn(from_arrays(X, np.repeat(["1", "-1"], 6)), **WHOLE)
    assert facts.class_names == ("-1", "1")
    path = saved(tmp_path, inputs=X[:3], labels=[-1, 1, -1])
    assert load(path, facts=facts).labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize("names", [("0", "1", "2"), ("x", "y", "z")])
def test_numbers_are_places_where_the_names_say_nothing_else(tmp_path, names):
    facts = learn(from_arrays(X, np.repeat(names, 4)), **WHOLE)
    path = saved(tmp_path, inputs=X[:3], labels=[2, 0, -1])
    data, said = heard(path, facts)
    assert data.labels.tolist() == [2, 0, -1] and not said


def test_numbers_are_places_in_a_file_that_names_its_classes(tmp_path):
    path = saved(tmp_path, inputs=X, labels=np.repeat([0, 1, 2], 4), class_names=["1", "2", "3"])
    facts = learn(path, **WHOLE)
    data, said = heard(path, facts)
    assert data.labels.tolist() == np.repeat([0, 1, 2], 4).tolist() and not said
