"""What is wrong with a file is said in one line that names the place."""

import re
import wave
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurossm.errors import FormatError, InputError, NeurossmError
from neurossm_models.data import learn, load

X = np.random.default_rng(0).normal(size=(6, 4, 2))
Y = np.arange(6) % 2
FORMAT, INPUT = FormatError, InputError
TS = "@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(spec, error, said):
    for attempt in (learn, lambda name: load(name, unit=1.0)):
        with pytest.raises(error) as caught:
            attempt(spec)
        assert said in str(caught.value) and "\n" not in str(caught.value)
        assert isinstance(caught.value, NeurossmError) and caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("name", "text", "error", "said"),
    [
        ("a.csv", "label,a,b\n1,2,3\n0,4,x\n", FORMAT, "line 3, column 3: expected a number, got"),
        ("a.csv", "label,a,b\n1,2,3\n0,4\n", FORMAT, "line 3: expected 3 cells, got 2"),
        ("a.csv", "label,a,b\n1,,3\n0,4,5\n", FORMAT, "line 2, column 2: expected a number, got"),
        ("a.csv", "label,a,b\n1,2,nan\n0,,\n", FORMAT, "line 3: expected values, got none"),
        ("a.csv", "\n\n", FORMAT, "expected rows, got an empty file"),
        ("a.csv", "label,label,b\n1,2,3\n", FORMAT, "line 1: expected one column label, got 2"),
        ("a.csv", "a,1,2,b\nc,3,4,d\n", INPUT, "in the first and the last column; add a first"),
        ("a.csv", "label\n1\n", FORMAT, "expected columns of values"),
        ("a.csv", "sample,time,v\n0,0,1\n0,0,2\n", FORMAT, "time of a sample once, got 0 twice"),
        ("a.csv", "sample,time,v\n0,0,1\n0,1,2\n0,5,2\n", INPUT, "distances of time, got 1 to 4"),
        ("a.csv", "sample,v\n0,1\n0,?\n", FORMAT, "line 3, column 2: expected a finite number"),
        ("a.csv", "sample,v,w\n0,1,2\n0,1,z\n", FORMAT, "line 3, column 3: expected a number"),
        ("a.csv", "sample,v,group\n0,1,a\n0,2,b\n", FORMAT, "sample 0: expected one group"),
        ("a.tsv", "1\t2\tx\n", FORMAT, "line 1, column 3: expected a number, got 'x'"),
        ("a.tsv", "1\t2\n7\n", FORMAT, "line 2: expected a class, a tab, and values"),
        ("a.tsv", "1\t2\n7\tNaN\n", FORMAT, "sample 1: expected steps, got none"),
        ("a.tsv", "1\t2\tNaN\t3\n", FORMAT, "sample 0, step 1, channel 0 (from 0)"),
        ("a.tsv", "", FORMAT, "expected samples, got none"),
        ("a.ts", TS + "1,2:3:a\n", FORMAT, "channels of one length, got 1 and 2 steps"),
        ("a.ts", TS + "1,2:a\n", FORMAT, "line 5: expected 2 channels, then the class, got 1"),
        ("a.ts", TS + "1,2:3,y:a\n", FORMAT, "channel 1 (from 0), column 2: expected a number"),
        ("a.ts", TS + "1,2:3,4:z\n", FORMAT, "line 5: class: expected one of a, b, got 'z'"),
        ("a.ts", "@timeStamps true\n@data\n", FORMAT, "without time stamps, got true; save them"),
        ("a.ts", "@univariate true\n1,2:a\n", FORMAT, "line 2: expected a header of @ lines"),
        ("a.ts", "@univariate true\n", FORMAT, "expected a line @data"),
        ("a.ts", "@dimensions many\n", FORMAT, "@dimensions: expected a whole number, got 'many'"),
        ("a.ts", "@univariate true\n@seriesLength 3\n@data\n1,2\n", FORMAT, "3 steps as @series"),
        ("a.arff", "@relation m\n@attribute a numeric\n@data\nx\n", FORMAT, "an .arff file"),
        ("a.arff", "@relation m\n@attribute a date 'yyyy'\n@data\n1999\n", FORMAT, "numeric"),
        ("a.txt", "a", FORMAT, "a text of at least 2 bytes"),
    ],
)  # fmt: skip
def test_a_text_that_is_wrong(name, text, error, said):
    Path(name).write_text(text)
    refused(name, error, said)


def test_a_text_in_another_encoding():
    Path("a.csv").write_bytes("label,ä\n1,2\n".encode("latin-1"))
    refused("a.csv", FORMAT, "a .csv file in UTF-8, got byte 0xe4")


@pytest.mark.parametrize(
    ("arrays", "error", "said"),
    [
        ({"inputs": X, "label": Y}, FORMAT, "got 'label'"),
        ({"train_inputs": X, "inputs": X}, FORMAT, "got inputs and train_inputs"),
        ({"train_inputs": X, "test_labels": Y}, FORMAT, "expected test_inputs beside test_labels"),
        ({"inputs": X, "train_labels": Y}, FORMAT, "expected train_inputs beside train_labels"),
        ({"inputs": X, "labels": Y[:5]}, INPUT, "labels: expected shape (6, ...), one a sample"),
        ({"inputs": X, "labels": Y, "lengths": np.full(6, 2.5)}, FORMAT, "expected integers"),
        ({"inputs": X, "labels": Y, "lengths": np.full(6, 9)}, INPUT, "1 to 4 steps"),
        ({"inputs": X, "labels": Y, "lengths": np.full(6, 0)}, INPUT, "1 to 4 steps"),
        ({"inputs": X, "labels": Y, "groups": Y[:3]}, INPUT, "groups: expected shape (6, ...)"),
        ({"inputs": X.astype(str), "labels": Y}, FORMAT, "a plain array of numbers"),
        ({"inputs": X.astype(complex), "labels": Y}, FORMAT, "of numbers, got complex"),
        ({"inputs": X[:0], "labels": Y[:0]}, INPUT, "none of them 0"),
        ({"inputs": np.zeros((6, 5, 2, 4, 3), np.uint8)}, INPUT,
         "(6, 5, 2, 4, 3); put all behind the steps into one axis: inputs.reshape(6, 5, 24)"),
        ({"inputs": X, "labels": Y, "channel_names": ["a"]}, FORMAT, "expected 2 names"),
        ({"inputs": X, "labels": Y, "class_names": ["a", "a"]}, FORMAT, "expected each name once"),
        ({"inputs": X, "labels": Y, "class_names": 3}, FORMAT, "class_names: expected texts"),
        ({"inputs": X, "labels": Y, "vocabulary": 2.5}, FORMAT, "a number of tokens, got 2.5"),
        ({"train_inputs": X, "test_inputs": X[:, :, :1]}, FORMAT, "of channels in all parts"),
    ],
)  # fmt: skip
def test_arrays_that_are_wrong(arrays, error, said):
    np.savez("a.npz", **arrays)
    spec = "a.npz" if "inputs" in arrays else "a.npz:train"
    refused(spec, error, said)
    with h5py.File("a.h5", "w") as file:
        for name, value in arrays.items():
            value = np.asarray(value)
            file[name] = value.astype(h5py.string_dtype()) if value.dtype.kind == "U" else value
    refused(spec.replace("npz", "h5"), error, said)


def test_labels_beyond_the_names_of_the_classes():
    np.savez("a.npz", inputs=X, labels=Y + 1, class_names=["a", "b"])
    with pytest.raises(InputError, match=r"label of sample .*: expected 0 to 1, got 2"):
        learn("a.npz")


def test_ragged_arrays_are_refused_and_the_remedy_works():
    ragged = np.empty(6, object)
    ragged[:] = [x[: 1 + index % 4] for index, x in enumerate(X)]
    lengths = 1 + np.arange(6) % 4
    np.savez("a.npz", inputs=ragged, labels=Y)
    np.save("x.npy", ragged)
    with h5py.File("a.h5", "w") as file:
        file.create_dataset("inputs", 6, h5py.vlen_dtype(float))
    for spec in ("a.npz", "x.npy", "a.h5"):
        refused(spec, FormatError, "padded to one length, (samples, longest, channels)")
    np.savez("a.npz", inputs=X, lengths=lengths, labels=Y)
    assert load("a.npz", facts=learn("a.npz")).lengths.tolist() == lengths.tolist()


@pytest.mark.parametrize(
    "name", ["a.npz", "a.npy", "a.h5", "a.csv", "a.tsv", "a.ts", "a.arff", "a.txt"]
)
def test_a_file_that_is_not_there(name):
    refused(name, InputError, "got no such file")
    Path(name).mkdir()
    refused(name, InputError, "a folder")


@pytest.mark.parametrize("ending", ["npz", "npy", "h5"])
@pytest.mark.parametrize("kept", [0, 20, 200, -8])
def test_a_file_that_was_cut_short(ending, kept):
    if ending == "npz":
        np.savez("a.npz", inputs=X, labels=Y)
    elif ending == "npy":
        np.save("a.npy", X)
    else:
        with h5py.File("a.h5", "w") as file:
            file["inputs"] = X
    path = Path(f"a.{ending}")
    path.write_bytes(path.read_bytes()[:kept])
    refused(path.name, FormatError, f"a.{ending}: expected")


def test_what_is_no_such_file():
    for name in ("a.npz", "a.npy", "a.h5", "a.arff"):
        Path(name).write_bytes(b"something else entirely" * 9)
        refused(name, FormatError, f"{name}: expected")
    with h5py.File("g.h5", "w") as file:
        file.create_group("inputs")
    refused("g.h5", FormatError, "inputs: expected a data set, got a group")


def test_more_than_a_file_can_hold():
    with h5py.File("a.h5", "w") as file:
        file.create_dataset("inputs", (10**9, 10), float, chunks=(100, 10))
    refused("a.h5", FormatError, "bytes in this file, got float64 of shape (1000000000, 10)")


def test_a_packed_array_that_is_too_large_is_refused_and_the_remedy_works(monkeypatch):
    from neurossm_models.data.own import npz, stored

    monkeypatch.setattr(npz, "LARGEST", 100)
    np.savez_compressed("a.npz", inputs=X, labels=Y)
    refused("a.npz", FormatError, "save it as it is with np.savez, or as .npy or .h5")
    monkeypatch.setattr(stored, "IN_MEMORY", 100)
    np.savez("a.npz", inputs=X, labels=Y)
    assert learn("a.npz").features == 2


def test_two_files_beside_a_npy_that_say_the_same():
    np.save("x.npy", X)
    np.save("x_labels.npy", Y)
    refused("x_labels.npy", InputError, "expected the file of the inputs")
    np.save("x.labels.npy", Y)
    refused("x.npy", InputError, "one file of labels, got x_labels.npy and x.labels.npy")


def recording(path: str, rate: int = 8000, channels: int = 1, steps: int = 5) -> None:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    with wave.open(path, "wb") as clip:
        clip.setnchannels(channels)
        clip.setsampwidth(2)
        clip.setframerate(rate)
        clip.writeframes(b"\1\2" * steps * channels)


def test_folders_of_recordings_that_do_not_go_together():
    recording("w/a/1.wav")
    recording("w/b/1.wav", rate=16000)
    refused(
        "w", FormatError, "one rate, got 8000 Hz (w/a/1.wav) and 16000 Hz (w/b/1.wav); resample"
    )
    recording("w/b/1.wav", channels=2)
    refused("w", FormatError, "one number of channels, got 1 (w/a/1.wav) and 2 (w/b/1.wav)")
    recording("w/b/1.wav", steps=0)
    refused("w", FormatError, "w/b/1.wav: expected a recording, got no samples")
    Path("w/b/1.wav").write_bytes(Path("w/a/1.wav").read_bytes()[:-3])
    refused("w", FormatError, "w/b/1.wav: expected 5 samples as it says, got 7 bytes")
    Path("w/b/1.wav").write_bytes(b"RIFF")
    refused("w", FormatError, "w/b/1.wav: expected a WAV file")
    Path("w/b/1.wav").unlink()
    refused(
        "w", FormatError, "w/b: expected files of this class (*.wav), got none; remove the folder"
    )
    Path("w/b").rmdir()
    Path("w/train/a").mkdir(parents=True)
    recording("w/train/a/1.wav")
    refused("w:all", FormatError, "folders of parts, or of classes, got train beside 'a'")


def test_a_folder_of_nothing_and_one_of_several_sets():
    Path("f").mkdir()
    refused("f", InputError, "a folder without them; name the file itself")
    for name in ("One", "Two"):
        Path(f"f/{name}_TRAIN.tsv").write_text("1\t2\t3\n2\t3\t4\n" * 4)
    refused("f", InputError, "one data set, got several: One, Two; name one: f/One")
    assert learn("f/One").classes == 2


def test_parts_that_say_different_things():
    np.savez("train.npz", inputs=X, labels=Y, dt=0.1)
    np.savez("test.npz", inputs=X, labels=Y, dt=0.2)
    refused(".:train", FormatError, "one dt in all parts, got 0.")
    np.savez("test.npz", inputs=X[:, :, :1], labels=Y)
    refused(".:train", FormatError, "one number of channels in all parts, got 1 and 2")
    np.savez("test.npz", train_inputs=X)
    refused(".:train", FormatError, "the test part alone, got train in test.npz")


def test_idx_files_without_labels():
    Path("train-images-idx3-ubyte").write_bytes(bytes([0, 0, 8, 3] + [0, 0, 0, 1] * 3 + [7]))
    refused(".:train", FormatError, "train-labels-idx1-ubyte: expected the labels of the pictures")


def test_a_set_that_does_not_fit_what_was_learned():
    np.savez("a.npz", inputs=X, labels=Y)
    facts = learn("a.npz")
    np.savez("b.npz", inputs=X[:, :, :1], labels=Y)
    with pytest.raises(InputError, match=re.escape("expected 2 channels, as in training, got 1")):
        load("b.npz", facts=facts)
    np.savez("b.npz", inputs=X.astype(int), labels=Y, vocabulary=300)
    with pytest.raises(InputError, match="a vocabulary of 0, as in training, got 300"):
        load("b.npz", facts=facts)
    np.savez("b.npz", inputs=np.full((6, 4), 7), labels=Y, vocabulary=7)
    with pytest.raises(FormatError, match="inputs: expected tokens 0 to 6, got 7 to 7"):
        learn("b.npz")


def test_only_a_test_part_teaches_nothing_but_is_loaded():
    np.savez("a.npz", test_inputs=X, test_labels=Y)
    with pytest.raises(InputError, match="expected a training part, got only test"):
        learn("a.npz")
    assert len(load("a.npz:test", unit=0.5)) == 6
