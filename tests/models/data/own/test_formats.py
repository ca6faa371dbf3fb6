"""Each format holds the same small set, written by hand, and is read as what was written."""

import gzip
import struct
import sys
import wave
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurossm.extras import MissingExtra
from neurossm_models.data import learn, load

# three sequences of two channels; the second is shorter
VALUES = np.array(
    [[[1.5, -2], [2, 3], [0.25, 4]], [[5, 6], [7.5, 8], [0, 0]], [[1, 1], [2, 2], [3, 3.5]]]
)
LENGTHS = np.array([3, 2, 3])
NAMES = np.array(["walk", "run", "walk"])
WHOLE = {"valid": 0.0, "test": 0.0}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def real(spec, **more):
    """The values that a file holds, to half a unit, with its labels by name and its lengths."""
    facts = learn(spec, bits=23, normalize="scale", **{**WHOLE, **more})
    data = load(spec, facts=facts)
    values = facts.scaling.to_values(data.inputs)
    labels = (
        [facts.class_names[label] for label in data.labels]
        if facts.class_names and data.labels.ndim == 1
        else data.labels
    )
    return values, labels, data.lengths, facts, data


def check(spec, channels=2, **more):
    values, labels, lengths, facts, data = real(spec, **more)
    wanted = VALUES[:, :, :channels]
    np.testing.assert_allclose(values, wanted, atol=1e-5)
    assert list(labels) == NAMES.tolist()
    np.testing.assert_array_equal(lengths, LENGTHS)
    assert facts.features == channels and facts.steps == 3
    return facts, data


ARRAYS = {
    "inputs": VALUES, "labels": NAMES, "lengths": LENGTHS, "groups": np.array([4, 5, 6]), "dt": 0.5,
    "channel_names": np.array(["x", "y"]), "class_names": np.array(["walk", "run", "rest"]),
}  # fmt: skip


def test_npz():
    np.savez("a.npz", **ARRAYS)
    facts, data = check("a.npz", by="none")
    assert facts.class_names == ("walk", "run", "rest") and facts.classes == 3
    assert facts.channel_names == data.channel_names == ("x", "y")
    assert facts.dt == data.dt == 0.5 and data.groups.tolist() == [4, 5, 6]
    np.savez_compressed("b.npz", **ARRAYS)
    check("b.npz", by="none")


@pytest.mark.parametrize("ending", [".h5", ".hdf5"])
def test_hdf5(ending):
    with h5py.File(f"a{ending}", "w") as file:
        for name, value in ARRAYS.items():
            texts = np.asarray(value).dtype.kind == "U"
            file[name] = np.asarray(value).astype(h5py.string_dtype()) if texts else value
        file["order"] = "bit-reversed"
    facts, data = check(f"a{ending}", by="none")
    assert facts.class_names == ("walk", "run", "rest") and facts.dt == 0.5
    assert data.order == facts.order == "bit-reversed"


@pytest.mark.parametrize("front", ["x_", "x.", ""])
def test_npy_with_files_beside_it(front):
    np.save("x.npy", VALUES)
    np.save(f"{front}labels.npy", NAMES)
    np.save(f"{front}lengths.npy", LENGTHS)
    check("x.npy")


def test_npy_takes_no_labels_that_may_be_of_another_file():
    np.save("x.npy", VALUES)
    np.save("z.npy", VALUES)
    np.save("labels.npy", NAMES)
    assert not load("x.npy", unit=1.0).labeled


def test_arrays_in_fortran_order():
    np.save("x.npy", np.asfortranarray(VALUES))
    np.save("x_labels.npy", NAMES)
    np.save("x_lengths.npy", LENGTHS)
    check("x.npy")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", ["label,t0,t1,t2\n", "t0,CLASS,t1,t2\n", "t0,t1,t2,y\n", ""])
def test_a_wide_table(header, delimiter):
    column = header.lower().strip().split(",").index(
        next(name for name in ("label", "class", "y") if name in header.lower().split(",")
             or f"{name}\n" in header.lower())) if header else 0  # fmt: skip
    lines = []
    for row, length, name in zip(VALUES[:, :, 0], LENGTHS, NAMES, strict=True):
        cells = [str(value) for value in row[:length]] + [""] * (3 - length)
        cells.insert(column, name)
        lines.append(",".join(cells))
    text = (header + "\n".join(lines) + "\n").replace(",", delimiter)
    Path("a.csv").write_text(text)
    facts, _ = check("a.csv", channels=1)
    assert facts.class_names == ("run", "walk")


def test_a_wide_table_without_labels_and_with_groups():
    Path("a.csv").write_text("group,a,b\nanna,1,2\nbert,3,4.5\n")
    data = load("a.csv", unit=0.5)
    assert not data.labeled and data.groups.tolist() == ["anna", "bert"]
    assert data.inputs[:, :, 0].tolist() == [[2, 4], [6, 9]]


def test_a_long_table():
    lines = ["sample,time,x,y,label,group"]
    for index, (rows, length) in enumerate(zip(VALUES, LENGTHS, strict=True)):
        lines += [f"s{9 - index},{step * 0.02},{x},{y},{NAMES[index]},{index}"
                  for step, (x, y) in enumerate(rows[:length])]  # fmt: skip
    Path("a.csv").write_text("\n".join(lines))
    facts, data = check("a.csv", by="none")
    assert facts.dt == 0.02 and data.channel_names == ("x", "y")
    shuffled = [lines[0], *(lines[i] for i in (3, 1, 2, 5, 4, 8, 6, 7))]
    Path("a.csv").write_text("\n".join(shuffled))
    check("a.csv", by="none")  # the times order the steps


def test_y_is_a_channel_beside_x():
    Path("a.csv").write_text("sample,x,y\n0,1,2\n0,3,4\n")
    data = load("a.csv", unit=1.0)
    assert data.channel_names == ("x", "y") and not data.labeled
    Path("a.csv").write_text("sample,v,y\n0,1,2.5\n0,3,2.5\n1,3,4\n1,3,4\n")
    assert load("a.csv", unit=1.0).labels.tolist() == [[2.5], [4]]


def test_a_long_table_with_a_label_at_every_step():
    Path("a.csv").write_text(
        "sample,step,v,label\n0,0,1,up\n0,1,2,down\n0,2,3,down\n1,0,4,up\n1,1,5,\n"
    )
    values, _, lengths, facts, data = real("a.csv")
    assert facts.kind == "step-classification" and facts.class_names == ("down", "up")
    assert data.labels.tolist() == [[1, 0, 0], [1, -1, -1]]
    assert lengths.tolist() == [3, 2] and facts.dt is None
    np.testing.assert_array_equal(values[1, :, 0], [4, 5, 0])


def test_the_tsv_of_the_ucr_archive():
    Path("a.tsv").write_text("2\t1.5\t2.0\t0.25\n-1\t5\t7.5\tNaN\n2\t1\t2\t3\n")
    values, labels, lengths, facts, _ = real("a.tsv")
    np.testing.assert_allclose(values, VALUES[:, :, :1], atol=1e-5)
    assert facts.class_names == ("-1", "2") and list(labels) == ["2", "-1", "2"]
    assert lengths.tolist() == [3, 2, 3]


def test_a_pair_of_the_ucr_archive_is_two_parts():
    for part, first in (("TRAIN", 1.0), ("TEST", 9.0)):
        Path(f"Mine_{part}.tsv").write_text(f"1\t{first}\t2.5\n2\t3\t4\n1.0\t3\t4\n2\t3\t4\n")
    for spec in (".", "./Mine"):
        facts = learn(spec, **WHOLE)
        assert facts.class_names == ("1", "2")
        test = load(f"{spec}:test", facts=facts)
        assert test.labels.tolist() == [0, 1, 0, 1] and test.name.endswith("/")
        assert facts.scaling.to_values(test.take(slice(1)).inputs)[0, 0, 0] > 4


TS = """#comment
@problemName Mine
@timeStamps false
@univariate false
@dimensions 2
@equalLength false
@classLabel true walk run
@data
1.5,2,0.25:-2,3,4:walk
5,7.5:6,8:run
1,2,3:1,2,3.5:walk
"""


def test_the_ts_of_aeon_and_sktime():
    Path("a.ts").write_text(TS)
    facts, _ = check("a.ts")
    assert facts.class_names == ("walk", "run")


def test_the_ts_of_a_regression():
    Path("a.ts").write_text("@univariate true\n@targetLabel true\n@data\n1,2:0.5\n3,4:2\n")
    values, labels, *_, facts, _ = real("a.ts")
    assert facts.kind == "regression" and labels.tolist() == [[0.5], [2]]
    np.testing.assert_array_equal(values[:, :, 0], [[1, 2], [3, 4]])


def test_the_arff_of_the_archives_with_one_and_with_more_channels():
    pytest.importorskip("scipy")
    Path("a.arff").write_text("@relation m\n@attribute a numeric\n@attribute b numeric\n"
                              "@attribute c {x,y}\n@data\n1,2.5,y\n3,?,x\n")  # fmt: skip
    values, labels, lengths, facts, _ = real("a.arff")
    np.testing.assert_allclose(values[:, :, 0], [[1, 2.5], [3, 0]], atol=1e-6)
    assert list(labels) == ["y", "x"] and facts.class_names == ("x", "y")
    assert lengths.tolist() == [2, 1]
    Path("b.arff").write_text("@relation m\n@attribute r relational\n@attribute a numeric\n"
                              "@attribute b numeric\n@attribute d numeric\n@end r\n"
                              "@attribute c {x,y}\n@data\n"
                              "'1,2,3\\n4,5,6',x\n'7,8,9\\n1,1,1',y\n")  # fmt: skip
    values, *_ = real("b.arff")
    assert values.tolist() == [[[1, 4], [2, 5], [3, 6]], [[7, 1], [8, 1], [9, 1]]]


def test_arff_without_scipy_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(
        MissingExtra, match=r"package scipy, got none; pip install 'neurossm\[data\]'"
    ):
        learn("a.arff")


def write_wav(path: Path, samples, rate=8000, width=2):
    """Samples (steps, channels) as whole numbers of that many bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = np.atleast_2d(np.asarray(samples).T).T
    with wave.open(str(path), "wb") as clip:
        clip.setnchannels(samples.shape[1])
        clip.setsampwidth(width)
        clip.setframerate(rate)
        sign = width > 1
        clip.writeframes(
            b"".join(int(v).to_bytes(width, "little", signed=sign) for v in samples.flat)
        )


def test_recordings_by_class():
    write_wav(Path("w/yes/1.wav"), [16384, -32768, 0])
    write_wav(Path("w/no/b.wav"), [-16384, 8192])
    write_wav(Path("w/no/a.WAV"), [192, 64], width=1)  # no sign: 128 is silence
    write_wav(Path("w/yes/2.wav"), [2**22, -(2**23)], width=3)
    write_wav(Path("w/yes/3.wav"), [2**30, -(2**31)], width=4)
    values, labels, lengths, facts, data = real("w")
    assert list(labels) == ["no", "no", "yes", "yes", "yes"] and facts.dt == data.dt == 1 / 8000
    assert lengths.tolist() == [2, 2, 3, 2, 2] and data.name == "w/"
    wanted = [[0.5, -0.5, 0], [-0.5, 0.25, 0], [0.5, -1, 0], [0.5, -1, 0], [0.5, -1, 0]]
    np.testing.assert_allclose(values[:, :, 0], wanted, atol=1e-6)


def test_recordings_in_stereo_and_in_parts():
    for part in ("train", "test"):
        for index in range(4):
            write_wav(Path(f"w/{part}/{'ab'[index % 2]}/{index}.wav"), [[16384, -16384]] * 2)
    facts = learn("w", normalize="scale", valid=0.5)
    assert facts.features == 2 and facts.split == "valid=0.5,test=0.0,seed=0,by=label"
    assert len(load("w:test", facts=facts)) == 4 and len(load("w:valid", facts=facts)) == 2
    values = facts.scaling.to_values(load("w:test", facts=facts).inputs)
    np.testing.assert_allclose(values, np.tile([0.5, -0.5], (4, 2, 1)))


def test_idx_files():
    pictures = np.arange(24, dtype=np.uint8).reshape(4, 2, 3)
    head = struct.pack(">4I", 0x803, 4, 2, 3)
    labels = struct.pack(">2I", 0x801, 4) + bytes([1, 0, 1, 0])
    Path("train-images-idx3-ubyte").write_bytes(head + pictures.tobytes())
    Path("train-labels-idx1-ubyte").write_bytes(labels)
    with gzip.open("t10k-images-idx3-ubyte.gz", "wb") as file:
        file.write(head + pictures[::-1].tobytes())
    with gzip.open("t10k-labels-idx1-ubyte.gz", "wb") as file:
        file.write(labels)
    facts = learn(".", valid=0.0)
    data = load(".:train", facts=facts)
    np.testing.assert_array_equal(data.inputs, pictures.reshape(4, 6, 1))
    assert data.labels.tolist() == [1, 0, 1, 0]
    assert load(".:test", facts=facts).inputs[0, 0, 0] == 18


def test_a_text_is_bytes_in_segments():
    Path("a.txt").write_bytes(b"ab\xc3\xa4" * 200)  # 800 bytes
    facts = learn("a.txt", **WHOLE)
    assert facts.kind == "next-step" and facts.vocabulary == facts.classes == 256
    data = load("a.txt", facts=facts).take(slice(None))
    names = [data.token_names[token] for token in data.inputs[0, :4, 0]]
    assert names == [
        "a",
        "b",
        "\\xc3",
        "\\xa4",
    ]
    assert data.shape == (2, 512, 1) and data.lengths.tolist() == [512, 288]
    assert data.inputs[0, :5, 0].tolist() == [97, 98, 0xC3, 0xA4, 97]
    assert data.labels[0, :4].tolist() == [98, 0xC3, 0xA4, 97]
    assert data.labels[1, 286:289].tolist() == [0xA4, -1, -1]


def test_texts_by_class():
    for name, text in (("ham/1.txt", "hello"), ("spam/1.txt", "buy"), ("spam/2.txt", "x" * 5000)):
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(text)
    facts = learn(".", **WHOLE)
    data = load(".", facts=facts)
    assert facts.class_names == ("ham", "spam") and facts.vocabulary == 256
    assert data.lengths.tolist() == [5, 3, 4096] and data.labels.tolist() == [0, 1, 1]


def test_files_of_parts_in_a_folder():
    for part, count in (("train", 6), ("test", 4)):
        np.savez(f"{part}.npz", inputs=np.ones((count, 3)), labels=np.arange(count) % 2)
    facts = learn(".", valid=1 / 3)
    sizes = [len(load(f".:{part}", facts=facts)) for part in ("train", "valid", "test", "all")]
    assert sizes == [4, 2, 4, 10]


def test_parts_of_unlike_lengths_are_joined():
    np.savez("a.npz", train_inputs=np.ones((2, 3), int), test_inputs=np.full((1, 5), 2))
    data = load("a.npz:all")
    assert data.inputs[:, :, 0].tolist() == [[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [2, 2, 2, 2, 2]]
    assert data.lengths.tolist() == [3, 3, 5]
