"""Pathfinder and Path-X of the Long Range Arena: do two dots lie on one dashed path? 2 classes.

As in state-spaces/s4: the hard images only (``curv_contour_length_14``), files in the numeric order
of their metadata, gray levels / 255 row by row (1024 steps of ``pathfinder32``, 16384 of
``pathfinder128``), and a random split of 80, 10 and 10 % by PyTorch's generator of seed 42.

``metadata/<k>.npy`` is text in the LRA release, in spite of its name; the generator's own files are
NumPy arrays of strings. Both are read, neither by way of a pickle.
"""

from __future__ import annotations

import io
import re
import sys
import warnings
from functools import partial
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, TargetError
from neurossm_models.data.copies import bounded_content, sized
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.permutation import tenths
from neurossm_models.data.source import THREE_SPLITS, Copied
from neurossm_models.data.task import Task

PUBLISHED = 200_000
DIFFICULTY = "curv_contour_length_14"
SIDES = {"pathfinder": 32, "pathx": 128}
_PARENTS = ("", "pathfinder/", "lra_release/", "lra_release/lra_release/")
_LARGEST_METADATA = 10_000_000
_LARGEST_IMAGE = 200_000
_NUMPY_MAGIC = b"\x93NUMPY"
# NumPy has Python's parser read a header, which raises the last two where it is nested too deep.
_HEADER_ERRORS = (ValueError, TypeError, SyntaxError, TokenError, MemoryError, RecursionError)
_REMEDY = "unpack lra_release.gz of the Long Range Arena there"

Sample = tuple[Path, int]


def read(name: str, folder: Path, split: str, limit: int | None = None) -> Dataset:
    """Return a split of ``"pathfinder"`` or ``"pathx"``; `limit`: its first so many images only.

    Raises
    ------
    FormatError
        If a file is damaged.
    TargetError
        If Pillow is not installed.
    """
    side = SIDES[name]
    samples = _samples(folder)
    chosen = [samples[index] for index in tenths(len(samples), split)[:limit]]
    inputs = np.empty((len(chosen), side * side, 1), np.uint8)
    for row, (path, _) in zip(inputs, chosen, strict=True):
        row[:, 0] = _pixels(path, side)
    labels = np.array([label for _, label in chosen], np.int64)
    what = f"{'Pathfinder' if side == 32 else 'Path-X'} (Long Range Arena), hard images"
    return Dataset(name, split, inputs, 1 / 255, labels, sized(what, len(samples), PUBLISHED))


def copies(name: str) -> tuple[tuple[tuple[str, ...], tuple[str, ...]], ...]:
    """Return where a copy of ``"pathfinder"`` or ``"pathx"`` may lie, and what is in it."""
    folders = tuple(f"{parent}pathfinder{SIDES[name]}/{DIFFICULTY}" for parent in _PARENTS)
    return ((folders, ("metadata", "imgs")),)


def _samples(folder: Path) -> list[Sample]:
    files = [path for path in (folder / "metadata").glob("*.npy") if path.stem.isdecimal()]
    samples: list[Sample] = []
    for path in sorted(files, key=lambda path: int(path.stem)):
        for number, fields in enumerate(_fields(path), 1):
            where = f"{path} line {number}"
            if len(fields) < 4 or fields[3] not in ("0", "1"):
                raise FormatError(where, expected="imgs/K sample_I.png number label ...",
                                  got=" ".join(fields)[:60])  # fmt: skip
            # A name from a file never leaves the folder.
            if not re.fullmatch(r"imgs/\d+ sample_\d+\.png", f"{fields[0]} {fields[1]}"):
                expected = "an image imgs/K sample_I.png"
                raise FormatError(where, expected=expected, got=repr(" ".join(fields[:2])[:60]))
            samples.append((folder / fields[0] / fields[1], int(fields[3])))
    if len(samples) < 10:
        got = f"{len(samples)} in {len(files)} files"
        raise FormatError(str(folder / "metadata"), expected="at least 10 images", got=got)
    return samples


def _fields(path: Path) -> list[list[str]]:
    content = bounded_content(path, _LARGEST_METADATA)
    if content.startswith(_NUMPY_MAGIC):
        return [[str(field) for field in row] for row in _array_of_strings(path, content)]
    try:
        return [line.split() for line in content.decode("utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise FormatError(str(path), expected="UTF-8 text", got=error.reason) from None


def _array_of_strings(path: Path, content: bytes) -> NDArray[np.str_]:
    file, expected = io.BytesIO(content), "a two-dimensional NumPy array of strings"
    shape, fortran, dtype = _array_header(path, file, expected)
    # Only strings: an array of objects would be a pickle.
    if dtype.kind not in "US" or not dtype.itemsize or len(shape) != 2 or fortran:
        raise FormatError(str(path), expected=expected, got=f"{dtype} of shape {shape}")
    declared, there = dtype.itemsize * shape[0] * shape[1], len(content) - file.tell()
    if declared != there:
        expected = f"{declared} bytes for the declared shape {shape}"
        raise FormatError(str(path), expected=expected, got=f"{there} bytes")
    characters = "u1" if dtype.kind == "S" else dtype.byteorder.replace("|", "=") + "u4"
    limit = 0x80 if dtype.kind == "S" else sys.maxunicode + 1
    if np.any(np.frombuffer(content, characters, offset=file.tell()) >= limit):
        raise FormatError(str(path), expected=expected, got="other bytes than characters")
    array = np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)
    return array.astype(np.str_)


def _array_header(
    path: Path, file: io.BytesIO, expected: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    try:
        version = np.lib.format.read_magic(file)  # type: ignore[no-untyped-call]
        if version == (1, 0):
            # a header that Python 2 wrote is as good, NumPy warns only of the time it takes
            with warnings.catch_warnings(action="ignore", category=UserWarning):
                header: tuple[tuple[int, ...], bool, np.dtype[Any]]
                header = np.lib.format.read_array_header_1_0(file)  # type: ignore[no-untyped-call]
            return header
        got = "version {}.{}".format(*version)
    except _HEADER_ERRORS as error:
        got = str(error) or "another header"
    raise FormatError(str(path), expected=f"{expected}, version 1.0", got=got)


def _pixels(path: Path, side: int) -> NDArray[np.uint8]:
    try:
        from PIL import Image
    except ImportError:
        remedy = "pip install pillow"
        raise TargetError("PNG images", expected="Pillow", got="none", remedy=remedy) from None
    content = bounded_content(path, _LARGEST_IMAGE)
    try:
        # what Pillow only warns of (animations, sizes, transparency) is in no genuine image
        with (
            warnings.catch_warnings(action="error"),
            Image.open(io.BytesIO(content), formats=("PNG",)) as image,
        ):
            if image.size != (side, side):
                got = "x".join(map(str, image.size))
                raise FormatError(str(path), expected=f"{side}x{side} pixels", got=got)
            return np.asarray(image.convert("L"), np.uint8).reshape(-1)
    except FormatError:
        raise
    except Exception as error:  # on damaged files Pillow raises whatever it happens to trip over
        raise FormatError(str(path), expected="a PNG image", got=str(error)) from None


SOURCE = Copied(
    name="pathfinder",
    about="32x32 dashed paths as 1024 steps, 2 classes (LRA Pathfinder)",
    size="160000 train, 20000 valid, 20000 test",
    training=160000,
    provenance="Linsley et al., Long Range Arena release",
    license="Apache-2.0 (the repository of Long Range Arena)",
    splits=THREE_SPLITS,
    task=Task(32 * 32, 1 / 255, 2),
    copies=copies("pathfinder"),
    remedy=_REMEDY,
    read=partial(read, "pathfinder"),
)
