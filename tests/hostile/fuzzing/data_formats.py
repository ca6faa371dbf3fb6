"""Users' copies of data sets: IDX, CIFAR, text, NumPy, PNG and WAV files in the genuine layouts."""

from __future__ import annotations

import gzip
import io
import struct
import wave
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
from hostile.fuzzing.bytewise import Seeds
from hostile.fuzzing.formats import Format
from hostile.fuzzing.outcomes import Read, Unsound

WORDS = ("bed", "yes")
SPEECH = "SpeechCommands"
LRA = "pathfinder32/curv_contour_length_14"


def _load(root: Path, name: str, split: str) -> object:
    """Load a data set and hold it against what every data set promises."""
    from neurossm_models.data.registry import load

    found = load(f"{name}:{split}", root)
    if found.vocabulary and not 0 <= found.inputs.min() <= found.inputs.max() < found.vocabulary:
        raise Unsound(f"tokens to {found.inputs.max()} of a vocabulary of {found.vocabulary}")
    if len(found.inputs) != len(found.labels) or not found.inputs.size:
        raise Unsound(f"{found.inputs.shape} inputs, {found.labels.shape} labels")
    return found


def _write(root: Path, **files: str | bytes) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def _idx() -> tuple[bytes, ...]:
    images = struct.pack(">4I", 0x803, 3, 4, 4) + bytes(range(48))
    return images, struct.pack(">4I", 0x803, 1, 28, 28) + bytes(784)


def _zipped() -> tuple[bytes, ...]:
    return (*(gzip.compress(one, mtime=0) for one in _idx()), gzip.compress(bytes(2**20), mtime=0))


@cache
def _zeros() -> bytes:
    return gzip.compress(bytes(300 * 2**20), 1, mtime=0)


def _bomb(rng: object, content: bytes, seeds: Seeds) -> bytes:
    """Return a gzip file of about a megabyte that is 300 MB of zeros."""
    return _zeros()


def _read_idx(path: Path) -> object:
    from neurossm_models.data.idx import read_idx

    return read_idx(path, 3)


@contextmanager
def _small_cifar() -> Iterator[None]:
    from neurossm_models.data.sets import cifar

    with mock.patch.object(cifar, "IMAGES", 2):
        yield


def _cifar() -> tuple[bytes, ...]:
    rows = np.random.default_rng(0).integers(0, 10, (2, 3073), np.uint8)
    return (rows.tobytes(),)


def _beside_cifar(root: Path) -> None:
    folder = root / "cifar-10-batches-bin"
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        (folder / f"{name}.bin").write_bytes(_cifar()[0])


def _pickled() -> tuple[bytes, ...]:
    import pickle

    return (pickle.dumps({b"data": np.zeros((2, 3072), np.uint8), b"labels": [1, 2]}, 2),)


def _beside_pickled(root: Path) -> None:
    folder = root / "cifar-10-batches-py"
    for name in (*(f"data_batch_{k}" for k in range(1, 6)), "test_batch"):
        (folder / name).write_bytes(_pickled()[0])


def _listops() -> tuple[bytes, ...]:
    plain = b"Source\tTarget\n( ( [MAX 1 ) 2 ] )\t2\n[SM 9 9 [MIN 3 4 ] ]\t1\n"
    return plain, b"Source\tTarget\n7\t7\n", b"Source\tTarget\n<pad> <eos> 1\t1\n"


def _beside_listops(root: Path) -> None:
    for part in ("val", "test"):
        _write(root, **{f"listops/basic_{part}.tsv": _listops()[0]})


def _aan() -> tuple[bytes, ...]:
    return (b'1.0\tP1\tP2\taab"\tb\n0.0\tP1\tP2\t\xc3\xa9\t\n', b"1\tx\ty\ta\ta\n")


def _beside_aan(root: Path) -> None:
    for part in ("eval", "test"):
        _write(root, **{f"aan/new_aan_pairs.{part}.tsv": _aan()[0]})


def _imdb() -> tuple[bytes, ...]:
    return ("aaaaaaaaaaaaaaaaaaaa béééééééééééééééé".encode(), b"<br />" * 20)


def _beside_imdb(root: Path) -> None:
    for name in ("train/neg/1_1", "train/pos/1_9", "test/neg/1_1", "test/pos/1_9"):
        _write(root, **{f"aclImdb/{name}.txt": _imdb()[0]})


def _wikitext() -> tuple[bytes, ...]:
    return (b" \n the a cat the dog \n", "é <eos> the <unk> a\n\n".encode())


def _beside_wikitext(root: Path) -> None:
    _write(root, **{f"wt103/wiki.{part}.tokens": b" the \n a \n" for part in ("valid", "test")})


def _metadata() -> tuple[bytes, ...]:
    rows = [f"imgs/0 sample_{i}.png {i} {i % 2} 1.0 14 4 2 0.5 1 2" for i in range(10)]
    files = [io.BytesIO() for _ in "US"]
    for file, kind in zip(files, ("<U24", "S24"), strict=True):
        np.save(file, np.array([row.split() for row in rows], kind))
    return ("\n".join(rows).encode() + b"\n", *(file.getvalue() for file in files))


def _numpy_header(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Return a NumPy file with another header: types and shapes, hidden sizes, nesting."""
    kinds = ("<U24", "S24", "<U0", "S0", "O", "<f8", "<U2147483647", "[('a','<U4')]", "V8",
             "<M8[s]", "<U1" * 50)  # fmt: skip
    shapes = ("(10, 11)", "(10,)", "()", "(0, 11)", "(-1, 11)", "(2**40, 11)", "(10**12, 0)",
              "(10, 11, 1)", "'x'", "(1.5, 2)", "(" * 90 + ")" * 90, "(10, 11" + ", 1" * 3000 + ")",
              "(" + "-" * 9000 + "1, 2)")  # fmt: skip
    keys = ("'shape'", "'shape'", "'shape'", "'shap'", "b'shape'", "1")
    order = rng.choice(("False", "True", "0"))
    text = (f"{{'descr': {rng.choice(kinds)!r}, 'fortran_order': {order}, "
            f"{rng.choice(keys)}: {rng.choice(shapes)}, }}")  # fmt: skip
    head = text.encode() + b" " * rng.choice((0, 1, 64)) + b"\n"
    magic = b"\x93NUMPY" + rng.choice(
        (b"\x01\x00", b"\x01\x00", b"\x02\x00", b"\x03\x00", b"\xff\xff")
    )
    body = rng.choice(
        (b"", bytes(10 * 11 * 96), b"\xff" * (10 * 11 * 96), b"\xff" * (10 * 11 * 24))
    )
    return magic + struct.pack("<H", len(head) % 2**16) + head + body


def _image(side: int = 32) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(np.full((side, side), 7, np.uint8)).save(file, "PNG")
    return file.getvalue()


def _images() -> tuple[bytes, ...]:
    from PIL import Image

    found = [_image(), _image(64)]
    for mode in ("P", "RGBA", "1", "LA", "I;16"):
        file = io.BytesIO()
        Image.new(mode, (32, 32)).save(file, "PNG")
        found.append(file.getvalue())
    return tuple(found)


@cache
def _text() -> bytes:
    return zlib.compress(bytes(10**7), 1)


def _chunks(rng: Random, content: bytes, seeds: Seeds) -> bytes:
    """Return a PNG file with a chunk more, less, twice or with other bytes, its checksums right."""
    place, found = 8, []
    while place + 8 <= len(content):
        size = struct.unpack(">I", content[place : place + 4])[0]
        found.append((content[place + 4 : place + 8], content[place + 8 : place + 8 + size]))
        place += 12 + size
    kinds = (b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"PLTE", b"tRNS", b"gAMA", b"pHYs", b"acTL",
             b"fcTL", b"fdAT", b"IHDR", b"IDAT", b"IEND", b"eXIf", b"cHRM", b"sRGB")  # fmt: skip
    bodies = (b"", b"\0", b"a\0\0" + _text(), rng.randbytes(13), bytes(26),
              struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 0, 0, 0, 0),
              struct.pack(">IIBBBBB", 32, 32, *rng.choices(range(17), k=2), 0, 0, 1))  # fmt: skip
    for _ in range(rng.choice((1, 2))):
        what, where = rng.randrange(3), rng.randrange(len(found) + 1)
        if what == 0 and found:
            del found[where - 1]
        elif what == 1 or not found:
            found.insert(where, (rng.choice(kinds), rng.choice(bodies)))
        else:
            kind, body = found[where - 1]
            found[where - 1] = (kind, rng.choice((body[:-1], body[::-1], rng.choice(bodies))))
    parts = [struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
             for kind, body in found]  # fmt: skip
    return content[:8] + b"".join(parts)


def _beside_pathfinder(root: Path) -> None:
    _write(root, **{f"{LRA}/metadata/0.npy": _metadata()[0]})
    _write(root, **{f"{LRA}/imgs/0/sample_{i}.png": _image() for i in range(10)})


def _wav(samples: int = 100, rate: int = 16_000, channels: int = 1) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as clip:
        clip.setparams((channels, 2, rate, 0, "NONE", ""))
        clip.writeframes(bytes(2 * samples * channels))
    return file.getvalue()


def _beside_speech(root: Path) -> None:
    _write(root, **{f"{SPEECH}/{word}/{k}.wav": _wav() for word in WORDS for k in range(3)})
    _write(root, **{f"{SPEECH}/validation_list.txt": "bed/1.wav\n"})
    _write(root, **{f"{SPEECH}/testing_list.txt": "yes/2.wav\n"})


def _read_below(name: str, split: str, levels: int) -> Read:
    """Return a reader of a data set whose mutated file lies so many folders below the root."""

    return lambda path: _load(path.parents[levels], name, split)


FORMATS = (
    Format("idx", "images-idx3-ubyte", _idx, _read_idx),
    Format("idx.gz", "images-idx3-ubyte.gz", _zipped, _read_idx, (_bomb,), damage=0.99),
    Format("cifar", "cifar-10-batches-bin/test_batch.bin", _cifar,
           _read_below("cifar10-gray", "test", 1), (), _beside_cifar, _small_cifar),
    Format("cifar pickle", "cifar-10-batches-py/test_batch", _pickled,
           _read_below("cifar10-gray", "test", 1), (), _beside_pickled, seeds_are_refused=True),
    Format("listops", "listops/basic_train.tsv", _listops, _read_below("listops", "train", 1), (),
           _beside_listops),
    Format("aan", "aan/new_aan_pairs.train.tsv", _aan, _read_below("aan", "train", 1), (),
           _beside_aan),
    Format("imdb", "aclImdb/train/pos/2_9.txt", _imdb, _read_below("imdb", "train", 3), (),
           _beside_imdb),
    Format("wikitext", "wt103/wiki.train.tokens", _wikitext, _read_below("wikitext103", "test", 1),
           (), _beside_wikitext),
    Format("pathfinder", f"{LRA}/metadata/1.npy", _metadata, _read_below("pathfinder", "valid", 3),
           (_numpy_header,), _beside_pathfinder),
    Format("png", f"{LRA}/imgs/0/sample_3.png", _images, _read_below("pathfinder", "valid", 4),
           (_chunks,), _beside_pathfinder),
    Format("wav", f"{SPEECH}/bed/1.wav", lambda: (_wav(), _wav(4, 8000), _wav(4, channels=2)),
           _read_below("speech-commands", "valid", 2), (), _beside_speech),
    Format("speech list", f"{SPEECH}/validation_list.txt",
           lambda: (b"bed/1.wav\nbed/2.wav\n", b""), _read_below("speech-commands", "valid", 1), (),
           _beside_speech),
)  # fmt: skip
