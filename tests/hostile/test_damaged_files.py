"""Files that were cut, altered or never were ours: each is refused by one named line."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from hostile.examples import around, example

from neurossm import store
from neurossm.errors import FormatError, InputError, NeurossmError

GRAPH = around(example("Threshold", integer=True))


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("whole") / "graph.nssm"
    store.save(path, GRAPH)
    return path.read_bytes()


@pytest.fixture(scope="module")
def whole_without_checksums(tmp_path_factory) -> bytes:
    """The same contents in HDF5's oldest layout, whose structures carry no checksums."""
    path = tmp_path_factory.mktemp("old") / "graph.nssm"
    store.save(path, GRAPH)
    old = path.with_name("old.nssm")
    with h5py.File(path) as source, h5py.File(old, "w") as target:
        copy(source["neurossm"], target.create_group("neurossm"))
    assert store.load(old) == GRAPH
    return old.read_bytes()


def copy(source: h5py.Group, target: h5py.Group) -> None:
    for name, attribute in source.attrs.items():
        target.attrs.create(name, attribute, dtype=source.attrs.get_id(name).dtype)
    for name, member in source.items():
        if isinstance(member, h5py.Group):
            copy(member, target.create_group(name))
        else:
            target.create_dataset(name, data=member[()], dtype=member.dtype)


def load_or_refuse(path: Path) -> str:
    """Return the refusal of a file, or nothing if it holds the graph; anything else is raised."""
    try:
        graph = store.load(path)
    except NeurossmError as error:
        assert "\n" not in str(error) and str(path) in str(error)
        return str(error)
    assert graph == GRAPH
    return ""


@pytest.mark.parametrize("share", [0.0, 0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
def test_a_truncated_file_is_refused(tmp_path, whole, share):
    path = tmp_path / "cut.nssm"
    path.write_bytes(whole[: int(len(whole) * share)])
    message = load_or_refuse(path)
    assert "it is not an HDF5 file" in message or "expected a whole HDF5 file" in message


@pytest.mark.parametrize("layout", ["whole", "whole_without_checksums"])
@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_is_refused_or_harmless(tmp_path, request, layout, seed):
    original = request.getfixturevalue(layout)
    rng = np.random.default_rng(seed)
    path = tmp_path / "flipped.nssm"
    refused = 0
    for _ in range(50):
        data = bytearray(original)
        data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        path.write_bytes(data)
        refused += bool(load_or_refuse(path))
    assert refused > 2  # the rest hit padding


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "it is not an HDF5 file"),
        (b"PK\x03\x04 a zip", "it is not an HDF5 file"),
        (b"\x89HDF\r\n\x1a\n", "HDF5 file"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 4096, "HDF5 file"),
        (b"\x89HDF\r\n\x1a\n" + b"\xff" * 4096, "HDF5 file"),
        (b"\x80\x04\x95 a pickle", "it is not an HDF5 file"),
    ],
)
def test_another_kind_of_file_is_refused(tmp_path, content, message):
    path = tmp_path / "other.nssm"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        store.load(path)
    with pytest.raises(FormatError, match=message):
        store.describe(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"none.nssm'?: expected a file, got No such file"):
        store.load(tmp_path / "none.nssm")


def test_a_directory_is_named(tmp_path):
    with pytest.raises(InputError, match="expected a file, got a directory"):
        store.load(tmp_path)


def test_a_pipe_does_not_make_it_wait(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="expected a file, got no regular file"):
        store.load(tmp_path / "pipe")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_permission_is_named(tmp_path, whole):
    path = tmp_path / "secret.nssm"
    path.write_bytes(whole)
    path.chmod(0)
    with pytest.raises(InputError, match="expected a file, got Permission denied"):
        store.load(path)


def test_an_impossible_name_is_an_error_of_ours():
    with pytest.raises(InputError, match="got an impossible name"):
        store.load("a\0b.nssm")


def test_an_hdf5_file_without_our_group_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["data"] = [1, 2]
    with pytest.raises(FormatError, match=r"\(the group /neurossm\), got an HDF5 file without"):
        store.load(tmp_path / "other.h5")


def test_a_nir_file_is_recognized(tmp_path):
    with h5py.File(tmp_path / "model.nir", "w") as file:
        file.create_group("node")["type"] = "NIRGraph"
    with pytest.raises(
        FormatError, match=r"got a NIR file without one; 'neurossm import .*nir -o NEW'"
    ):
        store.load(tmp_path / "model.nir")
