"""MNIST as sequences of pixels: 784 steps of one 8-bit value, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurossm.errors import FormatError, InputError
from neurossm_models.data.dataset import Dataset, data_root
from neurossm_models.data.idx import read_idx
from neurossm_models.data.source import Root, Source
from neurossm_models.data.task import Task

# md5 of the un-gzipped files of the genuine set (LeCun, Cortes, Burges).
CHECKSUMS = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_PREFIXES = {"train": "train", "test": "t10k"}


class Mnist(Source):
    """Four files, plain or gzipped, with the checksums of the genuine ones."""

    def find(self, root: Root = None) -> Path | None:
        """Return the folder of the copy if all four files are there, else None."""
        files = [find(name, root) for name in CHECKSUMS]
        return files[0].parent if files[0] and all(files) else None

    def load(self, split: str, root: Root = None, limit: int | None = None) -> Dataset:
        """Return ``"train"`` (60,000) or ``"test"`` (10,000) as sequences of 784 pixels 0..255.

        Raises
        ------
        InputError
            If the files are not under `root` (see `data_root`).
        FormatError
            If a file is not what it should be.
        """
        prefix = _PREFIXES[split]
        images_path = _file(f"{prefix}-images-idx3-ubyte", root)
        labels_path = _file(f"{prefix}-labels-idx1-ubyte", root)
        images = read_idx(images_path, 3, CHECKSUMS[f"{prefix}-images-idx3-ubyte"])
        labels = read_idx(labels_path, 1, CHECKSUMS[f"{prefix}-labels-idx1-ubyte"])
        if len(images) != len(labels):
            got = f"{len(images)} images and {len(labels)} labels"
            raise FormatError(str(images_path), expected="as many labels as images", got=got)
        provenance = "MNIST (LeCun, Cortes, Burges), genuine files, md5 verified"
        inputs = images.reshape(len(images), -1, 1)
        return Dataset("mnist", split, inputs, 1 / 255, labels.astype(np.int64), provenance)


def find(name: str, root: str | Path | None = None) -> Path | None:
    """Return the path of one of the four files, plain before gzipped, or None."""
    base = data_root(root)
    folders = (base, base / "raw", base / "MNIST" / "raw")
    candidates = (folder / (name + end) for folder in folders for end in ("", ".gz"))
    return next((path for path in candidates if path.is_file()), None)


def _file(name: str, root: str | Path | None) -> Path:
    path = find(name, root)
    if path is None:
        where, expected = f"mnist under {data_root(root)}", f"{name} or {name}.gz"
        remedy = "run `neurossm data fetch mnist`, or point NEUROSSM_DATA at your copy"
        raise InputError(where, expected=expected, got="no such file", remedy=remedy)
    return path


SOURCE = Mnist(
    name="mnist",
    about="28x28 digits as 784 steps, 10 classes",
    size="60000 train, 10000 test",
    training=60000,
    provenance="LeCun, Cortes, Burges",
    license="often cited as CC BY-SA 3.0 (LeCun, Cortes, Burges)",
    task=Task(28 * 28, 1 / 255, 10),
    valid=5000,
    fetched_as="mnist",
)
