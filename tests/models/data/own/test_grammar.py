"""How data of one's own are named, beside registered sets and in front of a part and a count."""

import re
from pathlib import Path

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm_models.data import is_own, learn, load
from neurossm_models.data.own import parse_own


@pytest.mark.parametrize(
    ("spec", "scheme", "source", "split", "count"),
    [
        ("my.npz", "", "my.npz", "", None),
        ("my.npz:32", "", "my.npz", "", 32),
        ("my.npz:train", "", "my.npz", "train", None),
        ("a.b/my.h5:test:20", "", "a.b/my.h5", "test", 20),
        ("MY.CSV:all", "", "MY.CSV", "all", None),
        ("recordings/:valid:3", "", "recordings/", "valid", 3),
        ("py:pack.module:make:train:5", "py", "pack.module:make", "train", 5),
        ("py:my/file.py:make", "py", "my/file.py:make", "", None),
        ("tonic:SHD:test", "tonic", "SHD", "test", None),
    ],
)
def test_what_a_name_says(spec, scheme, source, split, count):
    found = parse_own(spec)
    assert (found.scheme, found.source, found.split, found.count) == (scheme, source, split, count)
    assert is_own(spec)


def test_a_registered_name_is_never_a_folder_unless_it_is_written_as_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mnist").mkdir()
    Path("waves").mkdir()
    assert not is_own("mnist") and not is_own("mnist:train:5") and not is_own("digits:test")
    assert is_own("./mnist") and is_own("mnist/") and is_own("waves") and is_own("waves:train")
    assert not is_own("unheard-of:train") and not is_own(5)
    assert is_own(Path("my.npz"))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("a.npz:trian", "expected train | valid | test | all, or a count of at least 1"),
        ("a.npz:-3", "expected a count of at least 1, got '-3'"),
        ("a.npz:1.5", "expected a count of at least 1, got '1.5'"),
        ("a.npz:train:0", "expected a count of at least 1, got '0'"),
        ("a.npz:train:many", "expected a count of at least 1, got 'many'"),
        ("a.npz:train:1:2", "at most :SPLIT:N behind the name"),
        ("py:module", "py:package.module:function"),
        ("tonic:", "expected tonic:NAME"),
        ("gone/", "got no such file or folder"),
        ("sheet.xlsx", "a file that ends in .npz, .h5"),
    ],
)
def test_a_wrong_name_is_refused_in_one_line(spec, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=re.escape(said)):
        load(spec)


def test_a_file_whose_name_has_colons_is_found(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("./at 10:30.npz", inputs=np.ones((2, 3), int), labels=[0, 1])
    assert len(load("./at 10:30.npz")) == 2
    assert len(load("./at 10:30.npz:1")) == 1


def test_data_are_called_by_their_file_or_folder_and_never_by_a_registered_name(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("mnist").mkdir()
    for path in ("mnist.npz", "mnist/train.npz"):
        np.savez(path, inputs=np.ones((2, 3), int), labels=[0, 1])
    assert load("./mnist.npz").name == "mnist.npz"
    assert load("mnist/:train").name == "mnist/"


def test_parts_of_a_file_are_named_where_none_is_asked_for(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    more = {
        f"{part}_inputs": np.full((2, 3), index) for index, part in enumerate(("train", "test"))
    }
    np.savez("a.npz", **more)
    with pytest.raises(
        InputError, match=re.escape("train | test | all, got none; write a.npz:train")
    ):
        load("a.npz")
    assert load("a.npz:test").inputs.max() == load("a.npz:test").inputs.min() == 1
    assert load("a.npz:all").inputs[:, 0, 0].tolist() == [0, 0, 1, 1]


def test_only_the_training_part_is_learned_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    x = np.random.default_rng(0).normal(size=(40, 5, 1))
    labels = np.arange(40) % 2
    np.savez("a.npz", train_inputs=x, train_labels=labels, test_inputs=99 * x, test_labels=labels)
    np.savez("b.npz", train_inputs=x, train_labels=labels, test_inputs=x, test_labels=labels)
    a, b = learn("a.npz"), learn("b.npz")
    np.testing.assert_array_equal(a.scaling.unit, b.scaling.unit)
    assert load("a.npz:test", facts=a).take(slice(None)).clipped > 0
    with pytest.raises(InputError, match="expected at most 34 for training, got 35"):
        learn("a.npz:train:35")
    with pytest.raises(InputError, match="the training part to learn from, got test"):
        learn("a.npz:test")
