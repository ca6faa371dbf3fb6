"""Data sets: real digits, MNIST files of the right layout, and files that lie."""

import gzip
import hashlib
import os
import struct
import tracemalloc

import numpy as np
import pytest
from sklearn.datasets import load_digits

from neurossm.errors import FormatError, InputError
from neurossm_models.data import data_root, load, registry
from neurossm_models.data import idx as idx_module
from neurossm_models.data.download import fetch
from neurossm_models.data.idx import read_idx
from neurossm_models.data.sets import mnist


def idx(array):
    sizes = struct.pack(f">{array.ndim}I", *array.shape)
    return struct.pack(">I", 0x0800 + array.ndim) + sizes + array.tobytes()


@pytest.fixture
def small_mnist(tmp_path, monkeypatch):
    """Write a stand-in of the four files, with checksums to match; return their arrays."""
    rng = np.random.default_rng(0)
    arrays, checksums = {}, {}
    for prefix, count in (("train", 7), ("t10k", 4)):
        arrays[f"{prefix}-images-idx3-ubyte"] = rng.integers(0, 256, (count, 28, 28), np.uint8)
        arrays[f"{prefix}-labels-idx1-ubyte"] = rng.integers(0, 10, count, np.uint8)
    for name, array in arrays.items():
        (tmp_path / name).write_bytes(idx(array))
        checksums[name] = hashlib.md5(idx(array)).hexdigest()
    monkeypatch.setattr(mnist, "CHECKSUMS", checksums)
    return arrays


def test_digits_are_all_the_images_of_scikit_learn_once():
    train, test = load("digits:train"), load("digits:test")
    assert (len(train), len(test)) == (1437, 360)
    assert train.inputs.shape == (1437, 64, 1) and train.inputs.dtype == np.uint8
    assert train.scale == 1 / 16 and train.labels.dtype == np.int64
    ours = np.concatenate([train.inputs, test.inputs])[..., 0]
    rows = np.column_stack([ours, np.concatenate([train.labels, test.labels])])
    theirs = np.column_stack([load_digits().data, load_digits().target]).astype(int)
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, theirs.tolist()))


def test_digits_are_split_the_same_way_every_time_and_cannot_be_changed():
    first, second = load("digits:test:5"), load("digits:test:64")
    assert len(first) == 5 and len(second) == 64
    np.testing.assert_array_equal(first.inputs, second.inputs[:5])
    with pytest.raises(ValueError, match="read-only"):
        first.inputs[0] = 1


@pytest.mark.parametrize("folder", ["", "raw", "MNIST/raw"])
@pytest.mark.parametrize("packed", [False, True])
def test_mnist_is_found_plain_or_gzipped_in_the_usual_folders(
    small_mnist, tmp_path, folder, packed
):
    target = tmp_path / "copy" / folder
    target.mkdir(parents=True)
    for name, array in small_mnist.items():
        if packed:
            (target / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
        else:
            (target / name).write_bytes(idx(array))
    dataset = load("mnist:test", tmp_path / "copy")
    expected = small_mnist["t10k-images-idx3-ubyte"].reshape(4, 784, 1)
    np.testing.assert_array_equal(dataset.inputs, expected)
    np.testing.assert_array_equal(dataset.labels, small_mnist["t10k-labels-idx1-ubyte"])
    assert (dataset.scale, len(load("mnist:train:6", tmp_path / "copy"))) == (1 / 255, 6)


def test_a_file_of_another_checksum_is_refused_by_name(small_mnist, tmp_path):
    path = tmp_path / "t10k-images-idx3-ubyte"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(FormatError, match="t10k-images-idx3-ubyte: expected md5"):
        load("mnist:test", tmp_path)


def test_more_labels_than_images_are_refused(small_mnist, tmp_path, monkeypatch):
    content = idx(np.zeros(9, np.uint8))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(content)
    name = "t10k-labels-idx1-ubyte"
    monkeypatch.setitem(mnist.CHECKSUMS, name, hashlib.md5(content).hexdigest())
    with pytest.raises(FormatError, match="4 images and 9 labels"):
        load("mnist:test", tmp_path)


def test_missing_files_say_where_they_were_looked_for(tmp_path):
    with pytest.raises(InputError, match="data fetch mnist") as caught:
        load("mnist:test", tmp_path)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("imdb", "'neurossm doctor' says where"), ("psmnist", "neurossm data fetch mnist"),
     ("mnits", "did you mean 'mnist'")],
)  # fmt: skip
def test_what_is_not_fetched_is_told_what_to_do(tmp_path, name, remedy):
    with pytest.raises(InputError, match="data fetch: expected") as caught:
        fetch(name, tmp_path)
    assert caught.value.remedy.startswith(remedy)


GOOD = idx(np.arange(24, dtype=np.uint8).reshape(2, 3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "with content, got an empty one|an IDX header of 16 bytes, got 0 bytes"),
        (GOOD[:15], "an IDX header of 16 bytes, got 15 bytes"),
        (GOOD[:-1], "40 bytes for the declared 2x3x4, got 39 bytes"),
        (GOOD + b"x", "40 bytes for the declared 2x3x4, got 41 bytes"),
        (b"\x00\x00\x08\x01" + GOOD[4:], "0x00000803 .*, got 0x00000801"),
        (b"\x00\x00\x0d\x03" + GOOD[4:], "got 0x00000d03"),
        (b"PK\x03\x04" + GOOD[4:], "got 0x504b0304"),
        (GOOD[:4] + b"\xff" * 12 + GOOD[16:], "4294967295x4294967295x4294967295, got 40 bytes"),
    ],
)
def test_an_idx_file_that_lies_is_refused(tmp_path, content, message):
    for path, stored in ((tmp_path / "x", content), (tmp_path / "x.gz", gzip.compress(content))):
        path.write_bytes(stored)
        with pytest.raises(FormatError, match=message):
            read_idx(path, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (GOOD, "expected gzip data"),
        (gzip.compress(GOOD)[:-9], "got a truncated one"),
        (gzip.compress(GOOD) + b"junk", "got more after its end"),
        (gzip.compress(GOOD)[:-8] + b"\0" * 8, "expected gzip data"),
    ],
)
def test_a_damaged_gzip_file_is_refused(tmp_path, content, message):
    path = tmp_path / "x.gz"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        read_idx(path, 3)


def test_a_gzip_bomb_and_a_huge_file_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(idx_module, "MAX_BYTES", 10_000)
    bomb, huge = tmp_path / "bomb.gz", tmp_path / "huge"
    bomb.write_bytes(gzip.compress(bytes(10_000_000)))
    huge.write_bytes(b"")
    os.truncate(huge, 10_001)
    tracemalloc.start()
    with pytest.raises(FormatError, match="at most 10000 bytes unpacked"):
        read_idx(bomb, 3)
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    with pytest.raises(FormatError, match="at most 10000 bytes, got more"):
        read_idx(huge, 3)


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(FormatError, match="expected a readable file"):
        read_idx(tmp_path, 3)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("mnits:test", "did you mean 'mnist'"),
        ("digits", "a part of it: train | test | valid, got none; write digits:train"),
        ("digits:test:3:4", "expected at most :SPLIT:N behind the name, got test:3:4"),
        ("digits:tset", "did you mean 'test'"),
        ("digits:test:0", "a count of at least 1, got '0'"),
        ("digits:test:-1", "a count of at least 1"),
        ("digits:test:²", "a count of at least 1"),
        ("digits:test:361", "at most 360, got 361"),
    ],
)
def test_a_wrong_spec_is_named(spec, message):
    with pytest.raises(InputError, match=message):
        load(spec)


def test_the_root_is_the_argument_then_the_variable_then_the_cache(tmp_path, monkeypatch):
    monkeypatch.delenv("NEUROSSM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_root() == tmp_path / "cache" / "neurossm"
    monkeypatch.setenv("NEUROSSM_DATA", str(tmp_path / "own"))
    assert data_root() == tmp_path / "own"
    assert data_root(tmp_path) == tmp_path
    monkeypatch.delenv("NEUROSSM_DATA")
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_root() == tmp_path / ".cache" / "neurossm"


def test_the_registry_says_what_is_here(small_mnist, tmp_path):
    entries = {entry.name: entry for entry in registry(tmp_path)}
    assert entries["mnist"].found == str(tmp_path) and entries["digits"].found == "scikit-learn"
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    assert {entry.name: entry for entry in registry(tmp_path)}["mnist"].found is None


@pytest.mark.parametrize("recipe", ["binary-s4d-digits", "spikingssm-smnist", "spikingssm-psmnist"])
def test_valid_is_what_training_leaves_out_and_nothing_of_the_test_part(recipe):
    from neurossm_models.train import load_recipe
    from neurossm_models.train.trainer import split_data

    read = load_recipe(recipe)
    trained, kept = split_data(read)
    found = load(f"{read.data.name}:valid")
    assert found.split == "valid" and len(found) == read.data.valid
    np.testing.assert_array_equal(found.inputs, kept.inputs)
    np.testing.assert_array_equal(found.labels, kept.labels)
    assert len(trained) + len(found) == len(load(f"{read.data.name}:train"))
    first = load(f"{read.data.name}:valid:7")
    np.testing.assert_array_equal(first.inputs, found.inputs[:7])
