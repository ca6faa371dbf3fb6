"""Readers of a user's own copies, on tiny files in the genuine layouts, and on files that lie."""

import hashlib
import io
import pickle
import wave

import numpy as np
import pytest
import torch
from PIL import Image

from neurossm.errors import FormatError, InputError
from neurossm_models.data import load, registry
from neurossm_models.data.copies import lines
from neurossm_models.data.permutation import tenths, torch_permutation
from neurossm_models.data.sets import cifar, speech, wikitext

DIFFICULTY = "curv_contour_length_14"


def write(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def wav(samples, rate=16_000, channels=1):
    file = io.BytesIO()
    with wave.open(file, "wb") as clip:
        clip.setnchannels(channels)
        clip.setsampwidth(2)
        clip.setframerate(rate)
        clip.writeframes(np.asarray(samples, "<i2").tobytes())
    return file.getvalue()


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


def test_every_data_set_without_a_copy_is_listed_and_says_what_it_looks_for(tmp_path):
    entries = {entry.name: entry for entry in registry(tmp_path)}
    assert {name for name, entry in entries.items() if entry.found} == {"digits"}
    for name in entries.keys() - {"digits"}:
        with pytest.raises(InputError, match="no such file") as caught:
            load(f"{name}:train", tmp_path)
        assert "\n" not in str(caught.value) and "NEUROSSM_DATA" in str(caught.value)


def test_the_split_is_that_of_pytorch():
    for count in (1, 2, 7, 1000):
        theirs = torch.randperm(count, generator=torch.Generator().manual_seed(42))
        np.testing.assert_array_equal(torch_permutation(count), theirs)
    # S4's 54,000 of the 60,000 images of MNIST, as published.
    assert torch_permutation(60_000)[:5].tolist() == [37542, 43087, 2992, 25810, 39634]
    parts = torch.utils.data.random_split(
        range(25), [21, 2, 2], generator=torch.Generator().manual_seed(42)
    )
    for split, part in zip(("train", "valid", "test"), parts, strict=True):
        assert tenths(25, split).tolist() == list(part)


# CIFAR-10


@pytest.fixture
def small_cifar(tmp_path, monkeypatch):
    """Write six binary batches of 3 images; return their rows by name."""
    monkeypatch.setattr(cifar, "IMAGES", 3)
    rng, rows = np.random.default_rng(0), {}
    for name in (*cifar.FILES["train"], "test_batch"):
        rows[name] = rng.integers(0, 256, (3, 3073), np.uint8)
        rows[name][:, 0] %= 10
        write(tmp_path, {f"cifar-10-batches-bin/{name}.bin": rows[name].tobytes()})
    return rows


def test_cifar_is_the_gray_of_pillow_standardized(small_cifar, tmp_path):
    test, train = load("cifar10-gray:test", tmp_path), load("cifar10-gray:train", tmp_path)
    assert train.inputs.shape == (15, 1024, 1) and len(load("cifar10-gray:train:4", tmp_path)) == 4
    row = small_cifar["test_batch"][1]
    colors = Image.fromarray(np.ascontiguousarray(row[1:].reshape(3, 32, 32).transpose(1, 2, 0)))
    expected = np.asarray(colors.convert("L"), int).reshape(-1) - 123
    np.testing.assert_array_equal(test.inputs[1, :, 0], expected)
    np.testing.assert_array_equal(test.labels, small_cifar["test_batch"][:, 0])
    assert test.scale == 1 / 61 and test.labels.dtype == np.int64


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[:-1], "9219 bytes, 3 images of 3073, got 9218 bytes"),
        (lambda b: b + b"x", "at most 9219 bytes, got more"),
        (lambda b: b"\x0a" + b[1:], "labels 0 to 9, got"),
        (lambda b: b"", "got an empty one"),
    ],
)
def test_a_damaged_cifar_batch_is_refused(small_cifar, tmp_path, change, message):
    path = tmp_path / "cifar-10-batches-bin" / "test_batch.bin"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(FormatError, match=f"test_batch.bin: .*{message}"):
        load("cifar10-gray:test", tmp_path)


def pickled_cifar(root, monkeypatch, batches, protocol=4):
    for name, batch in batches.items():
        content = pickle.dumps(batch, protocol)
        write(root, {f"cifar-10-batches-py/{name}": content})
        monkeypatch.setitem(cifar.CHECKSUMS, name, hashlib.md5(content).hexdigest())


def test_the_python_version_gives_the_same_as_the_binary_one(small_cifar, tmp_path, monkeypatch):
    expected = load("cifar10-gray:train", tmp_path)
    batches = {
        name: {b"data": rows[:, 1:], b"labels": rows[:, 0].tolist()}
        for name, rows in small_cifar.items()
    }
    pickled_cifar(tmp_path / "py", monkeypatch, batches)
    found = load("cifar10-gray:train", tmp_path / "py")
    np.testing.assert_array_equal(found.inputs, expected.inputs)
    np.testing.assert_array_equal(found.labels, expected.labels)
    assert "md5 verified" in found.provenance


class Attack:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_a_pickle_that_runs_code_never_does(small_cifar, tmp_path, monkeypatch):
    target, folder = tmp_path / "written", tmp_path / "py"
    batches = {name: Attack(target) for name in small_cifar}
    with monkeypatch.context() as patch:
        pickled_cifar(folder, patch, batches)
        # Even with the checksum of the genuine file, the unpickler builds arrays only.
        with pytest.raises(FormatError, match=r"expected arrays, got .*open"):
            load("cifar10-gray:test", folder)
    with pytest.raises(FormatError, match="test_batch: expected md5"):
        load("cifar10-gray:test", folder)
    assert not target.exists()


# ListOps

LISTOPS = "Source\tTarget\n( ( ( [MAX 2 ) 9 ) ] )\t9\n( ( ( [MIN 9 ) 9 ) ] )\t9\n7\t7\n"


def listops(root, train=LISTOPS, test="Source\tTarget\n( [MED 7 ] )\t7\n"):
    files = {"basic_train.tsv": train, "basic_val.tsv": LISTOPS, "basic_test.tsv": test}
    write(root, {f"lra_release/listops-1000/{name}": text for name, text in files.items()})


def test_listops_tokens_are_numbered_by_frequency(tmp_path):
    listops(tmp_path)
    train, test = load("listops:train", tmp_path), load("listops:test", tmp_path)
    # 9 three times, X twice, then once each: 2, 7, [MAX, [MIN in the order of their characters.
    assert train.inputs.shape == (3, 2048, 1) and train.vocabulary == 9
    assert train.inputs[0, :6, 0].tolist() == [7, 5, 3, 4, 2, 0]
    assert train.inputs[1, :6, 0].tolist() == [8, 3, 3, 4, 2, 0]
    assert train.lengths.tolist() == [5, 5, 2] and train.labels.tolist() == [9, 9, 7]
    names = ("<pad>", "<unk>", "<eos>", "9", "X", "2", "7", "[MAX", "[MIN")
    assert train.token_names == test.take(slice(1)).token_names == names
    # [MED was never seen: <unk> is 1, <eos> 2.
    assert test.inputs[0, :5, 0].tolist() == [1, 6, 4, 2, 0] and test.lengths.tolist() == [4]
    assert "3 (published: 96000)" in train.provenance
    assert len(load("listops:valid:2", tmp_path)) == 2
    with pytest.raises(InputError, match="at most 3, got 4"):
        load("listops:train:4", tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expressions, got none"),
        ("Source\tTarget\n", "expressions, got none"),
        ("a\tb\n1\t1\n", "the header Source, Target, got a"),
        ("Source\tTarget\n1 2\n", "line 2: .*a tab and a digit"),
        ("Source\tTarget\n1\t1\n1\t10\n", "line 3: .*a tab and a digit"),
        ("Source\tTarget\n1\t\n", "line 2: .*a tab and a digit"),
        (b"Source\tTarget\n\xff\t1\n", "line 2: expected UTF-8 text"),
        (b"Source\tTarget\n" + b"1 " * 60_000, "line 2: .*at most 100000 bytes"),
    ],
)
def test_a_damaged_listops_file_is_refused(tmp_path, text, message):
    listops(tmp_path, train=text)
    with pytest.raises(FormatError, match=message):
        load("listops:train", tmp_path)


def test_lines_are_those_between_newlines_whatever_ends_them(tmp_path):
    write(tmp_path, {"x": b"a\r\nb\x0bc\nd"})
    assert list(lines(tmp_path / "x", 3)) == [(1, "a"), (2, "b\x0bc"), (3, "d")]
    with pytest.raises(FormatError, match="line 2: expected lines of at most 2 bytes"):
        list(lines(tmp_path / "x", 2))


# IMDB


def test_imdb_is_characters_that_are_common_in_the_training_part(tmp_path):
    reviews = {
        "train/neg/0_1.txt": "b" * 20,
        "train/pos/0_9.txt": "a" * 15 + "é" * 14 + "\u2028" * 15,
        "test/neg/0_2.txt": "abé",
        "test/pos/1_8.txt": "x" * 5000,
        "test/pos/0_8.txt": "ab",
    }
    write(tmp_path, {f"aclImdb/{name}": text for name, text in reviews.items()})
    test = load("imdb:test", tmp_path)
    # <pad>, <unk>, <eos>, then b (20), a (15), the line separator (15); é is too rare.
    assert test.vocabulary == 6 and test.inputs.dtype == np.uint8
    assert test.inputs[0, :5, 0].tolist() == [4, 3, 1, 2, 0]
    assert test.inputs[1, :4, 0].tolist() == [4, 3, 2, 0]
    assert test.lengths.tolist() == [4, 3, 4096] and test.labels.tolist() == [0, 1, 1]
    assert test.inputs[2, 4094:, 0].tolist() == [1, 2]
    assert load("imdb:test:2", tmp_path).labels.tolist() == [0, 1]
    write(tmp_path, {"aclImdb/test/neg/1_1.txt": b"\xe9"})
    with pytest.raises(FormatError, match=r"1_1\.txt: expected UTF-8 text"):
        load("imdb:test", tmp_path)


def test_imdb_without_reviews_is_refused(tmp_path):
    for part in ("train/neg", "train/pos", "test/neg", "test/pos"):
        (tmp_path / "aclImdb" / part).mkdir(parents=True)
    with pytest.raises(FormatError, match=r"reviews, ID_RATING\.txt, got none"):
        load("imdb:train", tmp_path)


# AAN


def aan(root, **parts):
    line = '1.0\tP1\tP2\taab"\tb\n'
    for part in ("train", "eval", "test"):
        write(root, {f"tsv_data/new_aan_pairs.{part}.tsv": parts.get(part, line)})


def test_aan_pairs_are_two_channels(tmp_path):
    aan(tmp_path, test="0.0\tx\ty\tb" + "a" * 5000 + "\t?\n1.0\tx\ty\t\ta\n")
    test = load("aan:test", tmp_path)
    # a and b twice each, the quotation mark once: 3, 4, 5.
    assert test.inputs.shape == (2, 4000, 2) and test.vocabulary == 6 and test.pairs
    assert test.inputs[0, :3, 0].tolist() == [4, 3, 3] and test.inputs[0, 3999, 0] == 2
    assert test.inputs[0, :3, 1].tolist() == [1, 2, 0]
    assert test.lengths.tolist() == [[4000, 2], [1, 2]] and test.labels.tolist() == [0, 1]
    train = load("aan:train", tmp_path)
    assert train.inputs[0, :5, 0].tolist() == [3, 3, 4, 5, 2]
    assert load("aan:valid", tmp_path).lengths.tolist() == [[5, 2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "pairs, got none"),
        ("1.0\ta\tb\tc\n", "line 1: .* got 4 fields"),
        ("2.0\ta\tb\tc\td\n", "got 5 fields, the first '2.0'"),
        (b"1.0\ta\tb\t\xff\td\n", "line 1: expected UTF-8"),
    ],
)
def test_a_damaged_aan_file_is_refused(tmp_path, text, message):
    aan(tmp_path, eval=text)
    with pytest.raises(FormatError, match=message):
        load("aan:valid", tmp_path)


# Pathfinder and Path-X


def metadata(count, folder=0):
    rows = [f"imgs/{folder} sample_{i}.png {i} {i % 2} 1.0 14 4 2 0.5 1 2" for i in range(count)]
    return "\n".join(rows) + "\n"


def pathfinder(root, side=32, text=True):
    """Write 12 images in metadata files 2 and 10; image i of file k is all gray 16 k + i."""
    base = f"pathfinder{side}/{DIFFICULTY}"
    for k, count in ((10, 4), (2, 8)):
        rows = metadata(count, k)
        if not text:
            file = io.BytesIO()
            np.save(file, np.array([row.split() for row in rows.splitlines()], "<U32"))
            rows = file.getvalue()
        write(root, {f"{base}/metadata/{k}.npy": rows})
        for i in range(count):
            image = np.full((side, side), 16 * k + i, np.uint8)
            write(root, {f"{base}/imgs/{k}/sample_{i}.png": png(image)})
    return root / base


@pytest.mark.parametrize("text", [True, False])
def test_pathfinder_is_split_in_the_numeric_order_of_its_metadata(tmp_path, text):
    pathfinder(tmp_path, text=text)
    level = [16 * 2 + i for i in range(8)] + [16 * 10 + i for i in range(4)]
    order = torch.randperm(12, generator=torch.Generator().manual_seed(42)).tolist()
    parts = [load(f"pathfinder:{split}", tmp_path) for split in ("train", "valid", "test")]
    assert [len(part) for part in parts] == [10, 1, 1]
    inputs = np.concatenate([part.inputs for part in parts])
    assert inputs.shape == (12, 1024, 1) and (inputs == inputs[:, :1]).all()
    assert inputs[:, 0, 0].tolist() == [level[k] for k in order]
    labels = np.concatenate([part.labels for part in parts])
    assert labels.tolist() == [level[k] % 2 for k in order]
    assert parts[0].scale == 1 / 255


def test_path_x_is_the_same_at_128(tmp_path):
    pathfinder(tmp_path / "lra_release", side=128)
    assert load("pathx:train:3", tmp_path).inputs.shape == (3, 16384, 1)


def npy(shape, data=b"", dtype="<U32"):
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return file.getvalue() + data


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got an empty one"),
        (metadata(9), "at least 10 images, got 9"),
        ("imgs/0 sample_0.png 0\n", "line 1: expected imgs/K"),
        ("imgs/0 sample_0.png 0 2\n", "line 1: expected imgs/K"),
        ("imgs/../../secret sample_0.png 0 1\n", "expected an image imgs/K"),
        ("imgs/0 /etc/x.png 0 1\n", "expected an image imgs/K"),
        (b"\xff\xfe", "UTF-8 text"),
        (npy((10**9, 10**6)), "for the declared shape .*, got 0 bytes"),
        (npy((4, 4), pickle.dumps([1]), "|O"), "array of strings, got object"),
        (npy((2, 2), bytes(32), "<f8"), "array of strings, got float64"),
        (b"\x93NUMPY\x01\x00\xff\xff{", "array of strings"),
        (b"\x93NUMPY\x03\x00", "version 1.0, got version 3.0"),
    ],
)
def test_damaged_pathfinder_metadata_is_refused(tmp_path, content, message):
    folder = pathfinder(tmp_path)
    (folder / "metadata" / "10.npy").unlink()
    write(folder / "metadata", {"2.npy": content})
    with pytest.raises(FormatError, match=message):
        load("pathfinder:train", tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got an empty one"),
        (b"GIF89a" + bytes(50), "expected a PNG image"),
        (png(np.zeros((32, 31), np.uint8)), "32x32 pixels, got 31x32"),
        (png(np.arange(1024, dtype=np.uint8).reshape(32, 32))[:60], "expected a PNG image"),
        (bytes(200_001), "at most 200000 bytes"),
    ],
)
def test_a_damaged_image_is_refused(tmp_path, content, message):
    folder = pathfinder(tmp_path)
    for path in folder.glob("imgs/*/*.png"):
        path.write_bytes(content)
    with pytest.raises(FormatError, match=message):
        load("pathfinder:train:1", tmp_path)


# WikiText-103


@pytest.fixture
def wiki(tmp_path, monkeypatch):
    monkeypatch.setattr(wikitext, "STEPS", 4)
    parts = {"train": " \n the cat the dog \n", "valid": " dog \n", "test": " cat the \n cat \n"}
    write(tmp_path, {f"wikitext-103/wiki.{split}.tokens": text for split, text in parts.items()})
    return tmp_path


def test_wikitext_predicts_the_next_word_in_segments(wiki):
    # <eos> 0, the 1, cat 2, dog 3; train: <eos> the cat the dog <eos>.
    train = load("wikitext103:train", wiki)
    assert train.inputs[..., 0].tolist() == [[0, 1, 2, 1], [3, 0, 0, 0]]
    assert train.labels.tolist() == [[1, 2, 1, 3], [0, -1, -1, -1]]
    assert train.lengths.tolist() == [4, 1] and train.vocabulary == 4
    test = load("wikitext103:test", wiki)
    assert test.inputs[..., 0].tolist() == [[2, 1, 0, 2]] and test.labels.tolist() == [[1, 0, 2, 0]]
    assert "5 (published: 245569)" in test.provenance
    assert len(load("wikitext103:train:1", wiki)) == 1


def test_wikitext_is_found_under_the_names_of_transformer_xl(wiki):
    expected = load("wikitext103:test", wiki)
    folder = wiki / "wikitext-103"
    for split in ("train", "valid", "test"):
        (folder / f"wiki.{split}.tokens").rename(folder / f"{split}.txt")
    np.testing.assert_array_equal(load("wikitext103:test", wiki).inputs, expected.inputs)


def test_wikitext_with_an_unseen_word_or_nothing_is_refused(wiki):
    write(
        wiki, {"wikitext-103/wiki.test.tokens": "cat\nbird\n", "wikitext-103/wiki.valid.tokens": ""}
    )
    with pytest.raises(
        FormatError, match="line 2: expected words of the training part, got 'bird'"
    ):
        load("wikitext103:test", wiki)
    with pytest.raises(FormatError, match="at least 2 tokens, got 0"):
        load("wikitext103:valid", wiki)


# Speech Commands


@pytest.fixture
def commands(tmp_path):
    base = "SpeechCommands/speech_commands_v0.02"
    write(tmp_path, {
        f"{base}/yes/a_nohash_0.wav": wav([1, -32768, 32767]),
        f"{base}/yes/b_nohash_0.wav": wav([5] * 16_000),
        f"{base}/bed/a_nohash_0.wav": wav([7]),
        f"{base}/zero/a_nohash_1.wav": wav([9]),
        f"{base}/_background_noise_/hum.wav": wav([1] * 40_000),
        f"{base}/validation_list.txt": "bed/a_nohash_0.wav\n",
        f"{base}/testing_list.txt": "yes/b_nohash_0.wav\n",
    })  # fmt: skip
    return tmp_path / base


def test_speech_commands_are_split_by_their_lists_and_padded(commands, tmp_path):
    train = load("speech-commands:train", tmp_path)
    assert train.inputs.shape == (2, 16_000, 1) and train.inputs.dtype == np.int16
    assert train.inputs[0, :4, 0].tolist() == [1, -32768, 32767, 0]
    assert train.labels.tolist() == [speech.WORDS.index("yes"), 34] and train.lengths is None
    assert (load("speech-commands:test", tmp_path).inputs == 5).all()
    assert load("speech-commands:valid", tmp_path).labels.tolist() == [1]
    assert len(speech.WORDS) == 35 and list(speech.WORDS) == sorted(speech.WORDS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "got an empty one"),
        (b"RIFF", "expected a WAV file"),
        (wav([1, 2])[:-2], "1 to 16000 samples, got 2 declared, 2 bytes there"),
        (wav([1] * 16_001), "1 to 16000 samples, got 16001 declared"),
        (wav([]), "1 to 16000 samples, got 0 declared"),
        (wav([1], rate=8000), "16000 Hz, got 1 channels of 2 bytes at 8000 Hz"),
        (wav([1, 2], channels=2), "got 2 channels"),
        (bytes(100_001), "at most 100000 bytes"),
    ],
)
def test_a_damaged_clip_is_refused(commands, tmp_path, content, message):
    (commands / "bed" / "a_nohash_0.wav").write_bytes(content)
    with pytest.raises(FormatError, match=message):
        load("speech-commands:valid", tmp_path)


def test_a_list_that_does_not_fit_its_clips_is_refused(commands, tmp_path):
    write(commands, {"testing_list.txt": "yes/../../../etc.wav\n"})
    with pytest.raises(FormatError, match="names of clips that are there, got no 'yes/"):
        load("speech-commands:train", tmp_path)
    write(commands, {"testing_list.txt": "", "hello/a.wav": wav([1])})
    with pytest.raises(FormatError, match=r"a word of version 0\.02, got 'hello'"):
        load("speech-commands:train", tmp_path)
    (commands / "hello" / "a.wav").unlink()
    (commands / "hello").rmdir()
    with pytest.raises(FormatError, match="clips of the test part, got none"):
        load("speech-commands:test", tmp_path)
