"""Data of one's own: a NumPy ``.npz`` file wherever ``NAME:SPLIT`` goes.

The file holds arrays by name, as ``np.savez("mine.npz", inputs=x, labels=y)`` writes them:

==============  ================================================================================
``inputs``      integers ``(samples, steps, channels)`` in the unit of the network's input; spikes
                as bool and whole numbers as floats too
``labels``      optional: integers ``(samples,)``, -1 where none is known
``lengths``     optional: steps of each sequence that count, ``(samples,)``; the rest is padding
``dt``          optional: seconds of a step
``scale``       optional: the real value of one unit; by default what the network's input says
``vocabulary``  optional: number of tokens, where the inputs are tokens
``order``       optional: name of the order of the steps, where they were permuted
``provenance``  optional: where the data come from, in a line
==============  ================================================================================
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, InputError
from neurossm.fixed import whole_numbers
from neurossm_models.data.dataset import Dataset

SUFFIX = ".npz"
ARRAYS = ("inputs", "labels", "lengths")
NUMBERS = ("scale", "dt", "vocabulary")
TEXTS = ("order", "provenance")
IN_UNITS = (
    "divide by the unit of the network's input and round: numpy.rint(values / unit).astype(int)"
)
LARGEST = 2**33  # bytes of an array: a file of some kilobytes can say that it holds any number


def is_own(spec: str) -> bool:
    """Tell whether this names a file, not a data set: ``FILE.npz`` or ``FILE.npz:N``."""
    path, _, count = spec.rpartition(":")
    return spec.endswith(SUFFIX) or (path.endswith(SUFFIX) and bool(count))


def load_own(spec: str, scale: float = 1.0, vocabulary: int = 0) -> Dataset:
    """Return the data of ``FILE.npz`` or, the first N sequences only, of ``FILE.npz:N``.

    Parameters
    ----------
    spec
        Path and count.
    scale, vocabulary
        Of a file that does not say them: those of the network's input.

    Raises
    ------
    InputError
        If the count is wrong, or an array has another type, shape or range than `Dataset` wants.
    FormatError
        If it is no such file, is damaged, or holds a name that is not in the list above.
    """
    path, count = _parse(spec)
    found = _read(path)
    dataset = Dataset(
        name=path.name,
        split="",
        rows=whole_numbers(f"{path}: inputs", found["inputs"], IN_UNITS),
        scale=_number(path, found, "scale", scale),
        labels=found.get("labels"),  # type: ignore[arg-type]
        provenance=_text(path, found, "provenance") or str(path),
        vocabulary=int(_number(path, found, "vocabulary", vocabulary)),
        lengths=found.get("lengths"),
        order=_text(path, found, "order"),
        dt=_number(path, found, "dt", 0.0) if "dt" in found else None,
    )
    if count is None:
        return dataset
    if count > len(dataset):
        raise InputError(f"data {spec!r}", expected=f"at most {len(dataset)}", got=str(count))
    return dataset.take(slice(count))


def _parse(spec: str) -> tuple[Path, int | None]:
    if spec.endswith(SUFFIX):
        return Path(spec), None
    path, _, count = spec.rpartition(":")
    if not (count.isascii() and count.isdigit() and int(count) > 0):
        raise InputError(f"data {spec!r}", expected="a count of at least 1", got=repr(count))
    return Path(path), int(count)


def _read(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        got = "a folder" if path.is_dir() else "no such file"
        raise InputError(f"data {str(path)!r}", expected="a NumPy .npz file", got=got)
    known = (*ARRAYS, *NUMBERS, *TEXTS)
    try:
        with zipfile.ZipFile(path) as archive:
            largest = max((part.file_size for part in archive.infolist()), default=0)
        if largest > LARGEST:
            raise FormatError(str(path), expected=f"arrays of at most {LARGEST >> 30} GiB",
                              got=f"one of {largest / 2**30:.1f} GiB")  # fmt: skip
        with np.load(path, allow_pickle=False) as arrays:
            unknown = [name for name in arrays.files if name not in known]
            if unknown or "inputs" not in arrays.files:
                got = f"{unknown[0]!r}" if unknown else "no inputs"
                raise FormatError(str(path), expected=f"arrays named {', '.join(known)}", got=got)
            return {name: arrays[name] for name in arrays.files}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error,
            NotImplementedError, RuntimeError) as error:  # fmt: skip
        if isinstance(error, FormatError):
            raise
        raise FormatError(
            str(path), expected="a NumPy .npz file of plain arrays", got=str(error),
            remedy="write it with np.savez(file, inputs=..., labels=...)",
        ) from None  # fmt: skip


def _number(path: Path, found: Mapping[str, NDArray[Any]], name: str, default: float) -> float:
    if name not in found:
        return default
    value = found[name]
    if value.ndim or value.dtype.kind not in "iuf":
        got = f"{value.dtype} of shape {value.shape}"
        raise FormatError(f"{path}: {name}", expected="one number", got=got)
    return float(value)


def _text(path: Path, found: Mapping[str, NDArray[Any]], name: str) -> str:
    if name not in found:
        return ""
    value = found[name]
    if value.ndim or value.dtype.kind != "U":
        got = f"{value.dtype} of shape {value.shape}"
        raise FormatError(f"{path}: {name}", expected="one text", got=got)
    return str(value)
