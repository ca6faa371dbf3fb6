"""Labels for a bundle whose classes are named by numbers, as those of the UCR archive are."""

from __future__ import annotations

import importlib
from types import SimpleNamespace

import numpy as np
import pytest

from neurossm.interface import Interface
from neurossm.store import load
from neurossm_converters.backends.loihi2.data import BundleData

PREDICTIONS = np.array([1, 0, 1])


def meaning(chip, *names, task="classification"):
    output = SimpleNamespace(channels=max(len(names), 2))
    return chip.answers.Meaning(output, task, "", list(names), 1.0, 0.0)


@pytest.mark.parametrize("dtype", [int, float])
@pytest.mark.parametrize(
    ("names", "given", "places"),
    [
        (("1", "2"), [2, 1, -1], [1, 0, -1]),
        (("-1", "1"), [1, -1, 1], [1, 0, 1]),  # -1 is a class there
        (("3", "1200000"), [1200000, 3, -1], [1, 0, -1]),
    ],
)
def test_numbers_are_the_names_of_classes(chip, names, given, places, dtype):
    about, given = meaning(chip, *names), np.array(given, dtype)
    found = chip.answers.checked_labels(about, given, PREDICTIONS, 3, places=False)
    assert found.tolist() == places


@pytest.mark.parametrize("given", [[0, 1, 1], [1, 2, 3], [1.5, 1, 2]])
def test_a_number_that_names_no_class_is_refused(chip, given):
    with pytest.raises(chip.refusal.Refusal, match=r"labels: expected 1 \| 2, got '[031]"):
        chip.answers.checked_labels(meaning(chip, "1", "2"), given, PREDICTIONS, 3, places=False)


@pytest.mark.parametrize("names", [("0", "1"), ("cat", "dog"), ()])
def test_numbers_are_places_where_the_names_say_nothing_else(chip, names):
    about = meaning(chip, *names)
    found = chip.answers.checked_labels(about, [1, 0, -1], PREDICTIONS, 3, places=False)
    assert list(found) == [1, 0, -1]


def test_places_stay_places_where_the_file_names_its_classes(chip):
    about = meaning(chip, "1", "2")
    found = chip.answers.checked_labels(about, [1, 0, -1], PREDICTIONS, 3, places=True)
    assert list(found) == [1, 0, -1]


def test_several_labels_and_real_numbers_have_no_names(chip):
    many = meaning(chip, "1", "2", task="multilabel")
    bits = np.array([[1, 0], [0, 1]])
    found = chip.answers.checked_labels(many, bits, bits, 3, places=False)
    np.testing.assert_array_equal(found, bits)
    real = meaning(chip, "1", "2", task="regression")
    values = np.array([[1.0], [2.0]])
    found = chip.answers.checked_labels(real, values, values, 3, places=False)
    np.testing.assert_array_equal(found, values)


def test_the_data_of_a_bundle_say_that_their_labels_are_places(chip, golden, tmp_path):
    path = golden("ssm")
    graph = Interface(class_names=("1", "2")).applied(load(path))
    inputs, labels = np.zeros((2, 3, 2), int), np.array([0, 1])
    BundleData.of(graph, "0" * 64, inputs, labels=labels).write(tmp_path)
    file = importlib.import_module("neurossm_chip.nssm").read(str(path))
    own = chip.own.read_own(file._replace(graph_sha256="0" * 64), str(tmp_path / "data.npz"), "", 0)
    assert own.places and own.labels.tolist() == [0, 1]
    # labels of a file of its own are not those of the data
    np.save(tmp_path / "y.npy", np.array([1, 2]))
    own = chip.own.read_own(
        file._replace(graph_sha256="0" * 64), str(tmp_path / "data.npz"), str(tmp_path / "y.npy"), 0
    )
    assert not own.places
