"""Data larger than memory: read piece by piece, the same as at once, and no more than asked for."""

import pickle
import tracemalloc
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurossm.errors import FormatError
from neurossm_models.data import learn, load
from neurossm_models.data.own import stored, values
from neurossm_models.data.own.opening import opened
from neurossm_models.data.rows import Rows

SHAPE = (60, 7, 3)
X = np.random.default_rng(1).normal(2, 1, SHAPE).astype(np.float32)
Y = np.arange(60) % 3
FORMS = ("a.npz", "a.npy", "a.h5", "packed.h5", "flat.npy")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, x=X, y=Y) -> None:
    x = x[:, :, 0] if name.startswith("flat") else x
    if name.endswith("npz"):
        np.savez(name, inputs=x, labels=y)
    elif name.endswith("npy"):
        np.save(name, x)
        np.save(name.replace(".npy", "_labels.npy"), y)
    else:
        packed = {"chunks": (5, *x.shape[1:]), "compression": "gzip"} if "packed" in name else {}
        with h5py.File(name, "w") as file:
            file.create_dataset("inputs", data=x, **packed)
            file["labels"] = y


@pytest.mark.parametrize("name", FORMS)
def test_what_is_read_in_pieces_is_what_is_read_at_once(name, monkeypatch):
    write(name)
    facts = learn(name)
    at_once = {part: load(f"{name}:{part}", facts=facts).inputs for part in ("train", "valid")}
    monkeypatch.setattr(stored, "IN_MEMORY", 100)
    monkeypatch.setattr(values, "CHUNK", 100)
    source, _ = opened(name)
    assert isinstance(source.parts[""].inputs, Rows)
    again = learn(name)
    np.testing.assert_allclose(again.scaling.unit, facts.scaling.unit, rtol=1e-12)
    np.testing.assert_allclose(again.scaling.offset, facts.scaling.offset, rtol=1e-12)
    for part, wanted in at_once.items():
        data = load(f"{name}:{part}", facts=facts)
        np.testing.assert_array_equal(data.inputs, wanted)
        some = np.array([7, 1, 1, 5, 0, 2, 3])  # any order, and one twice
        np.testing.assert_array_equal(data.take(some).inputs, wanted[some])
        np.testing.assert_array_equal(data.take(slice(2, 6)).inputs, wanted[2:6])
        assert not len(data.rows[np.array([], np.int64)])


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.h5"])
def test_rows_go_to_another_process(name, monkeypatch):
    monkeypatch.setattr(stored, "IN_MEMORY", 100)
    write(name)
    data = load(name, facts=learn(name))
    first = data.take(slice(3)).inputs  # opens the file
    again = pickle.loads(pickle.dumps(data.rows))
    np.testing.assert_array_equal(again[np.arange(3)], first)


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.h5"])
def test_memory_does_not_grow_with_the_number_of_samples(name, monkeypatch):
    monkeypatch.setattr(stored, "IN_MEMORY", 2**16)
    monkeypatch.setattr(values, "CHUNK", 2**14)
    peaks = []
    for samples in (200, 2000):
        x = np.zeros((samples, 50, 8), np.float32)
        x[:] = np.random.default_rng(0).normal(size=(50, 8))
        write(name, x, np.arange(samples) % 2)
        size = x.nbytes
        del x
        learn(name)  # what is imported on the way is not counted
        tracemalloc.start()
        facts = learn(name)
        data = load(f"{name}:train", facts=facts)
        for first in range(0, len(data), 32):
            data.take(slice(first, first + 32))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert size > 3e6
    assert peaks[1] < 1e6 and peaks[1] < peaks[0] + 3e5  # positions and labels: 16 bytes a sample


def test_a_file_that_is_cut_while_it_is_read(monkeypatch):
    monkeypatch.setattr(stored, "IN_MEMORY", 100)
    write("a.npy")
    data = load("a.npy", facts=learn("a.npy"))
    data.take(slice(2))
    path = Path("a.npy")
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    with pytest.raises(FormatError, match="bytes a sample, got its end in sample 29"):
        data.take(slice(20, 40))


def test_a_stored_array_that_is_shorter_than_it_says(monkeypatch):
    monkeypatch.setattr(stored, "IN_MEMORY", 100)
    np.save("inputs.npy", X)
    content = Path("inputs.npy").read_bytes()
    with zipfile.ZipFile("a.npz", "w") as archive:
        archive.writestr("inputs.npy", content[:-50])
    with pytest.raises(FormatError, match=r"expected 5040 bytes for float32 of shape .* got 4990"):
        load("a.npz", unit=1.0)


def test_selecting_reads_nothing(monkeypatch):
    monkeypatch.setattr(stored, "IN_MEMORY", 100)
    write("a.npy")
    data = load("a.npy:train", facts=learn("a.npy"))

    def fail(*_):
        raise AssertionError("read")

    monkeypatch.setattr(stored.StoredRows, "_read", fail)
    part = data.select(np.arange(5)).trimmed()
    assert part.shape == (5, 7, 3) and len(part) == 5
    with pytest.raises(AssertionError, match="read"):
        part.take(slice(1))


def test_without_facts_large_whole_numbers_stay_and_others_are_in_units(monkeypatch):
    monkeypatch.setattr(stored, "IN_MEMORY", 100)
    spikes = (X > 2).astype(np.float32)
    write("a.npy", spikes)
    np.testing.assert_array_equal(load("a.npy", unit=0.25).inputs, spikes)
    write("a.npy", X)
    data = load("a.npy", unit=0.25)
    np.testing.assert_array_equal(data.inputs, np.rint(X.astype(np.float64) / 0.25))
    assert data.scale == 0.25 and data.scaling is None
