"""Folders of IDX files, as of MNIST: ``train-images-idx3-ubyte``, ``t10k-...``, gzipped or not.

A picture is the sequence of its pixels, row by row, in one channel.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neurossm.errors import FormatError
from neurossm_models.data.idx import read_idx
from neurossm_models.data.own.source import WHOLE, OwnSource, Part
from neurossm_models.data.own.spec import TEST, TRAIN, VALID

_FRONTS = {"train": TRAIN, "valid": VALID, "val": VALID, "test": TEST, "t10k": TEST, "": WHOLE}
_IMAGES = "images-idx3-ubyte"


def images_in(folder: Path) -> dict[str, Path]:
    """Return the files of pictures in a folder, by part."""
    found: dict[str, Path] = {}
    for front, part in _FRONTS.items():
        for ending in ("", ".gz"):
            path = folder / f"{front}{'-' if front else ''}{_IMAGES}{ending}"
            if path.is_file():
                found.setdefault(part, path)
    return found


def read(folder: Path, name: str) -> OwnSource:
    """Return the source of a folder of IDX files.

    Raises
    ------
    FormatError
        For a file that is damaged, and labels that are not there or another number.
    """
    parts = {}
    for part, path in images_in(folder).items():
        pictures = read_idx(path, 3)
        labels = path.with_name(path.name.replace(_IMAGES, "labels-idx1-ubyte"))
        other = labels.with_name(labels.name.removesuffix(".gz")) if labels.suffix else (
            labels.with_name(f"{labels.name}.gz"))  # fmt: skip
        there = labels if labels.is_file() else other
        if not there.is_file():
            raise FormatError(str(labels), expected="the labels of the pictures", got="no file")
        classes = read_idx(there, 1).astype(np.int64)
        parts[part] = Part(pictures.reshape(len(pictures), -1, 1), classes)
    return OwnSource(name, str(folder), parts, provenance=str(folder))
