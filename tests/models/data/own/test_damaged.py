"""Files with bytes that somebody changed are read or refused in a line: nothing else happens."""

import warnings
import wave
from pathlib import Path

import h5py
import numpy as np
import pytest

from neurossm.errors import NeurossmError
from neurossm_models.data import learn, load

X = np.random.default_rng(0).normal(size=(6, 4, 2)).round(2)
Y = np.arange(6) % 2
TEXTS = {
    "a.csv": "label,a,b\n"
    + "".join(f"{y},{x[0, 0]},{x[1, 1]}\n" for x, y in zip(X, Y, strict=True)),
    "b.csv": "sample,time,v,label\n"
    + "".join(f"{i // 3},{i % 3},{i / 7},{i // 3}\n" for i in range(9)),
    "a.tsv": "".join(f"{y}\t{x[0, 0]}\t{x[1, 1]}\tNaN\n" for x, y in zip(X, Y, strict=True)),
    "a.ts": "@univariate false\n@dimensions 2\n@classLabel true 0 1\n@data\n"
    + "".join(f"{x[0, 0]},{x[1, 0]}:{x[0, 1]},{x[1, 1]}:{y}\n" for x, y in zip(X, Y, strict=True)),
    "a.arff": "@relation m\n@attribute a numeric\n@attribute b numeric\n@attribute c {0,1}\n@data\n"
    + "".join(f"{x[0, 0]},{x[1, 1]},{y}\n" for x, y in zip(X, Y, strict=True)),
}  # fmt: skip


def whole(name: str) -> bytes:
    if name == "a.npz":
        np.savez(name, inputs=X, labels=Y)
    elif name == "a.npy":
        np.save(name, X)
    elif name == "a.h5":
        with h5py.File(name, "w") as file:
            file.create_dataset("inputs", data=X, chunks=(2, 4, 2), compression="gzip")
            file["labels"] = Y
            file["class_names"] = np.array(["a", "b"]).astype(h5py.string_dtype())
    elif name.endswith("wav"):
        Path(name).parent.mkdir(parents=True)
        with wave.open(name, "wb") as clip:
            clip.setnchannels(1)
            clip.setsampwidth(2)
            clip.setframerate(8000)
            clip.writeframes(bytes(range(40)))
    else:
        Path(name).write_text(TEXTS[name])
    return Path(name).read_bytes()


@pytest.mark.parametrize("name", ["a.npz", "a.npy", "a.h5", "w/train/a/1.wav", *TEXTS])
def test_changed_bytes(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if name == "a.arff":
        pytest.importorskip("scipy")
    content = whole(name)
    spec = "w:train" if name.endswith("wav") else name
    generator = np.random.default_rng(len(name))
    refused = 0
    for _ in range(150):
        changed = bytearray(content)
        for place in generator.integers(0, len(changed), generator.integers(1, 4)):
            changed[place] = generator.integers(0, 256)
        if generator.random() < 0.3:
            changed = changed[: generator.integers(0, len(changed))]
        Path(name).write_bytes(changed)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                load(spec, unit=1.0).take(slice(None))
                learn(spec, valid=0.0, test=0.0)
        except NeurossmError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused
