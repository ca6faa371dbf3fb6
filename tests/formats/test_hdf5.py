"""Foreign HDF5 is read in a process with limits, which end what would not end by itself."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import zlib
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurossm.errors import FormatError, InputError
from neurossm_converters.formats.hdf5 import Other, Texts, read_tree, reading

KIND = "a file of numbers"
PACKED = {
    "as they are": {},
    "gzip": dict(compression="gzip"),
    "lzf": dict(compression="lzf", shuffle=True),
    "checksum": dict(fletcher32=True),
    "scale and offset": dict(scaleoffset=0),
    "chunks": dict(chunks=(3, 5)),
}


@pytest.fixture
def child(monkeypatch, tmp_path):
    """Return a function that puts another program in the place of the child."""
    others = []

    def replaced(source: str) -> None:
        path = tmp_path / "other_child.py"
        path.write_text(source)
        monkeypatch.setattr(reading, "CHILD", path)
        monkeypatch.setattr(reading, "_READER", reading._Reader())
        others.append(reading._READER)

    yield replaced
    for other in others:
        other.close()


def written(path: Path, **members: object) -> Path:
    with h5py.File(path, "w") as file:
        for name, value in members.items():
            file[name] = value
    return path


@pytest.mark.parametrize("how", PACKED)
def test_numbers_come_as_they_were_written(tmp_path, how):
    for kind in ("<i2", ">i4", "u8", ">f4", "f2", "f8", "?"):
        values = np.random.default_rng(0).integers(0, 9, (7, 11)).astype(kind)
        if how == "scale and offset" and values.dtype.kind not in "iu":
            continue
        with h5py.File(tmp_path / "x.h5", "w") as file:
            file.create_dataset("a", data=values, **PACKED[how])
        found = read_tree(tmp_path / "x.h5", KIND)["a"]
        assert found.dtype == values.dtype.newbyteorder("=")
        np.testing.assert_array_equal(found, values)


def test_groups_texts_and_shapes(tmp_path):
    path = written(tmp_path / "x.h5", **{
        "g/h/one": 3, "g/none": np.zeros((0, 2)), "text": "Größe", "fixed": np.bytes_(b"abc"),
        "list": np.array([["a", "b"], ["c", ""]], dtype=object), "complex": 1 + 2j,
    })  # fmt: skip
    found = read_tree(path, KIND)
    assert found["g"]["h"]["one"] == 3 and found["g"]["h"]["one"].shape == ()
    assert found["g"]["none"].shape == (0, 2)
    assert found["text"] == Texts(("Größe",), ()) and found["fixed"] == Texts(("abc",), ())
    assert found["list"] == Texts(("a", "b", "c", ""), (2, 2))
    assert found["complex"] == 1 + 2j


def test_what_is_not_in_the_file_or_no_plain_data_is_named_and_not_read(tmp_path):
    path = written(tmp_path / "x.h5", pairs=np.zeros(2, "i4,f4"), latin=np.bytes_(b"\xe9"))
    with h5py.File(path, "r+") as file:
        file["soft"], file["else"] = h5py.SoftLink("/pairs"), h5py.ExternalLink("/etc/passwd", "/")
        file["empty"] = h5py.Empty("f4")
        file.create_dataset("external", (2,), "f4", external="secret.bin")
        file.create_dataset("never", (2**10,), "f4")
        file.create_dataset("half", (4,), "f4", chunks=(2,))[:2] = 1
        file["type"] = np.dtype("f4")
    found = read_tree(path, KIND)
    assert {name: member.what for name, member in found.items()} == {
        "pairs": "data of type [('f0', '<i4'), ('f1', '<f4')]", "latin": "text that is not UTF-8",
        "soft": "a soft or external link", "else": "a soft or external link",
        "empty": "an empty data space", "external": "data in another file",
        "never": "data that were never written", "half": "data that were never written",
        "type": "a named type",
    }  # fmt: skip


def test_what_is_not_asked_for_is_not_read(tmp_path):
    found = read_tree(written(tmp_path / "x.h5", a=1, b=2), KIND, skip=("b",))
    assert found["a"] == 1 and isinstance(found["b"], Other)


def test_declared_sizes_are_judged_before_the_data_are_touched(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("big", (2**26,), "u1", chunks=(2**20,), compression="gzip")[...] = 0
    with pytest.raises(FormatError, match=r"x.h5: /big: expected at most 268435456 bytes an array"):
        read_tree(tmp_path / "x.h5", KIND)


def test_groups_that_hold_themselves_end(tmp_path):
    path = written(tmp_path / "x.h5", **{"g/a": 1})
    with h5py.File(path, "r+") as file:
        file["g/g"] = file["g"]
    found, depth = read_tree(path, KIND), 0
    while isinstance(found, dict):
        found, depth = found["g"], depth + 1
    assert found == Other("groups nested more than 24 deep") and depth == 25


@pytest.mark.parametrize(
    ("data", "got"),
    [(b"", "another kind of file"), (b"text\n" * 100, "another kind of file"), (None, "damaged")],
)
def test_what_is_no_hdf5_is_refused_and_the_next_file_is_read(tmp_path, data, got):
    good, bad = written(tmp_path / "good.h5", a=1), tmp_path / "bad.h5"
    bad.write_bytes(good.read_bytes()[:600] if data is None else data)
    with pytest.raises(FormatError, match=rf"bad.h5: expected {KIND}, got .*{got}") as caught:
        read_tree(bad, KIND)
    assert "\n" not in str(caught.value)
    assert read_tree(good, KIND)["a"] == 1
    with pytest.raises(InputError, match="No such file"):
        read_tree(tmp_path / "none.h5", KIND)


def test_a_chunk_that_unpacks_to_more_than_there_is_memory(tmp_path, child):
    source = Path(reading.CHILD).parent
    child(f"import sys; sys.path.insert(0, {str(source)!r})\nimport child\n"
          "child.MAX_MEMORY = 600 * 2**20\nchild.main()\n")  # fmt: skip
    path = tmp_path / "bomb.h5"
    with h5py.File(path, "w") as file:
        data = file.create_dataset("a", (10,), "f8", chunks=(10,), compression="gzip")
        data.id.write_direct_chunk((0,), zlib.compress(bytes(2**29), 1))
    assert path.stat().st_size < 2**22
    with pytest.raises(FormatError, match=r"bomb.h5: expected a file of numbers, got a damaged"):
        read_tree(path, KIND)
    assert read_tree(written(tmp_path / "good.h5", a=1), KIND)["a"] == 1


def test_a_file_that_takes_for_ever_is_given_up_and_the_process_ended(tmp_path, child, monkeypatch):
    child("import time; time.sleep(600)")
    monkeypatch.setattr(reading, "SECONDS", 0.3)
    start = time.monotonic()
    with pytest.raises(FormatError, match="takes more than 0 s to read"):
        read_tree(written(tmp_path / "x.h5", a=1), KIND)
    assert time.monotonic() - start < 30
    assert reading._READER._process is None


def test_a_byte_that_changed_under_a_checksum_is_found(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("a", data=np.arange(1240.0), chunks=(1240,), fletcher32=True)
    with h5py.File(path) as file:
        info = file["a"].id.get_chunk_info(0)
    data = bytearray(path.read_bytes())
    data[info.byte_offset + info.size // 2] ^= 0x55
    path.write_bytes(data)
    with pytest.raises(FormatError, match=r"expected a file of numbers, got a damaged one"):
        read_tree(path, KIND)


@pytest.mark.parametrize("source", ["import os; os.abort()", "print('no answer', flush=True)"])
def test_a_process_that_dies_or_talks_nonsense_is_a_named_error(tmp_path, child, source):
    child(source)
    with pytest.raises(FormatError, match="expected a file of numbers, got a damaged one"):
        read_tree(written(tmp_path / "x.h5", a=1), KIND)


def test_a_process_that_dies_before_it_is_asked():
    reader = reading._Reader()
    process = reader.running()
    process.kill()
    process.wait()
    process.stdin.write(b"half a question")
    reader.close()
    assert process.stdin.closed and process.stdout.closed and reader._process is None


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks into /proc")
def test_the_child_ends_with_its_parent(tmp_path):
    path = written(tmp_path / "x.h5", a=1)
    code = (
        "from pathlib import Path; import os, signal\n"
        "from neurossm_converters.formats.hdf5 import read_tree, reading\n"
        f"read_tree(Path({str(path)!r}), 'a file')\n"
        "print(reading._READER._process.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    child = int(done.stdout)
    for _ in range(100):
        if not os.path.exists(f"/proc/{child}") or "Z" in _state(child):
            return
        time.sleep(0.1)
    pytest.fail("the reading process outlived its parent")


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


@pytest.mark.parametrize("path", sorted((Path(__file__).parents[1] / "fixtures/nir").glob("*.nir")))
def test_a_fixture_holds_what_h5py_reads_here(path):
    found = read_tree(path, KIND)

    def same(group: h5py.Group, tree: dict) -> None:
        assert set(group) == set(tree)
        for name, member in group.items():
            if isinstance(member, h5py.Group):
                same(member, tree[name])
            elif h5py.check_string_dtype(member.dtype):
                texts = np.asarray(member.asstr()[()], object).ravel().tolist()
                assert list(tree[name].values) == texts
            else:
                np.testing.assert_array_equal(tree[name], member[()])

    with h5py.File(path) as file:
        same(file, found)
