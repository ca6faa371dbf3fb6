"""CIFAR-10 in gray as sequences: 1024 steps of one value, row by row.

LRA's task Image and the gray sequential CIFAR of S4 are this: luminance as PIL's mode ``L``, then
``(x / 255 - 122.6 / 255) / (61 / 255)`` (state-spaces/s4). The integers are ``x - 123`` and their
scale is 1/61: the mean is rounded by 0.4 levels (0.7 % of a standard deviation), which the bias of
the encoder takes up, so that the inputs stay integers.

The binary version is read as it is. A file of the Python version is a pickle, which runs code when
it is read: it is opened only if its checksum is that of the genuine file, and then by an unpickler
that builds arrays and nothing else.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm_models.data.copies import bounded_content
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.idx import check_md5
from neurossm_models.data.source import RESEARCH, Copied
from neurossm_models.data.task import Task

MEAN_LEVEL = 123
SCALE = 1 / 61
PIXELS = 32 * 32
IMAGES = 10_000
FOLDERS = ("cifar-10-batches-bin", "cifar/cifar-10-batches-bin", "cifar10/cifar-10-batches-bin")
PICKLED_FOLDERS = tuple(folder.replace("-bin", "-py") for folder in FOLDERS)
FILES = {"train": tuple(f"data_batch_{k}" for k in range(1, 6)), "test": ("test_batch",)}
# md5 of the genuine files of the Python version (torchvision lists them, too).
CHECKSUMS = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
_ALL = tuple(name for names in FILES.values() for name in names)
_BINARY = tuple(f"{name}.bin" for name in _ALL)
_LARGEST_PICKLE = 40_000_000
_REMEDY = "unpack the binary (or the Python) version of CIFAR-10 there"

Batch = tuple[NDArray[np.uint8], NDArray[np.int64]]


def read(folder: Path, split: str, limit: int | None = None) -> Dataset:
    """Return ``"train"`` (50,000) or ``"test"`` (10,000) as sequences of 1024 gray levels.

    Raises
    ------
    FormatError
        If a file is not what it should be.
    """
    pickled = not (folder / _BINARY[0]).exists()
    parts, count = [], 0
    for name in FILES[split]:
        parts.append(_unpickled(folder / name) if pickled else _binary(folder / f"{name}.bin"))
        count += IMAGES
        if limit is not None and count >= limit:
            break
    colors = np.concatenate([images for images, _ in parts])
    inputs = gray(colors).astype(np.int16) - MEAN_LEVEL
    labels = np.concatenate([labels for _, labels in parts])
    version = "Python version, md5 verified" if pickled else "binary version, sizes verified"
    provenance = f"CIFAR-10 (Krizhevsky), the user's copy, {version}; gray"
    return Dataset("cifar10-gray", split, inputs[..., None], SCALE, labels, provenance)


def gray(colors: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the luminance of images (n, 3, pixels), to the bit as PIL does (ITU-R 601-2)."""
    red, green, blue = (colors[:, k].astype(np.uint32) for k in range(3))
    return ((19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16).astype(np.uint8)


def _binary(path: Path) -> Batch:
    expected = IMAGES * (1 + 3 * PIXELS)
    content = bounded_content(path, expected)
    if len(content) != expected:
        what = f"{expected} bytes, {IMAGES} images of 3073"
        raise FormatError(str(path), expected=what, got=f"{len(content)} bytes")
    rows = np.frombuffer(content, np.uint8).reshape(IMAGES, 1 + 3 * PIXELS)
    labels = rows[:, 0].astype(np.int64)
    _check_labels(path, labels)
    return rows[:, 1:].reshape(IMAGES, 3, PIXELS), labels


def _unpickled(path: Path) -> Batch:
    content = bounded_content(path, _LARGEST_PICKLE)
    check_md5(str(path), content, CHECKSUMS[path.name])
    # The checksum already says that this is the genuine file; the unpickler trusts it no further.
    batch = _ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    labels = np.array(batch[b"labels"], np.int64)
    _check_labels(path, labels)
    return np.asarray(batch[b"data"], np.uint8).reshape(len(labels), 3, PIXELS), labels


class _ArrayUnpickler(pickle.Unpickler):
    """Builds arrays, numbers, texts and containers; refuses every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in {("numpy", "ndarray"), ("numpy", "dtype")}:
            return getattr(np, name)
        if module.startswith("numpy") and name == "_reconstruct":
            return np.ndarray.__reduce__(np.zeros(0))[0]
        raise FormatError("CIFAR-10 batch", expected="arrays", got=f"{module}.{name}")


def _check_labels(path: Path, labels: NDArray[np.int64]) -> None:
    if labels.min() < 0 or labels.max() > 9:
        got = f"{labels.min()} to {labels.max()}"
        raise FormatError(str(path), expected="labels 0 to 9", got=got)


SOURCE = Copied(
    name="cifar10-gray",
    about="32x32 gray images as 1024 steps, 10 classes (LRA Image, sequential CIFAR)",
    size="50000 train, 10000 test",
    training=50000,
    provenance="CIFAR-10, Krizhevsky",
    license=RESEARCH,
    task=Task(PIXELS, SCALE, 10),
    copies=((FOLDERS, _BINARY), (PICKLED_FOLDERS, _ALL)),
    remedy=_REMEDY,
    read=read,
    valid=5000,
)
