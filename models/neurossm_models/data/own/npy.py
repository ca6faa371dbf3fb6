"""NumPy's ``.npy``: inputs in one file, labels and lengths in further files.

``x.npy`` goes with ``x_labels.npy`` or ``x.labels.npy``, and ``x_lengths.npy``, ``x_groups.npy``
likewise. Where there is none of that name, ``labels.npy`` of the same folder is it, as long as
``x.npy`` is the only file of inputs there. Large inputs are read sample by sample.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neurossm.errors import InputError
from neurossm_models.data.own.fields import ARRAYS, NAMES, assembled
from neurossm_models.data.own.source import OwnSource, require_file
from neurossm_models.data.own.stored import stored_array

_BESIDE = (*ARRAYS[1:], *NAMES)


def read(path: Path) -> OwnSource:
    """Return the source of a ``.npy`` file and those beside it.

    Raises
    ------
    InputError
        If there is no such file, it holds something else than inputs, or two files give the same.
    FormatError
        If one is no such file, is damaged or holds objects.
    """
    require_file(path, "a NumPy .npy file")
    if _is_beside(path):
        raise InputError(f"data {str(path)!r}", expected="the file of the inputs",
                         got="that of its labels or the like")  # fmt: skip
    found: dict[str, Any] = {"inputs": _array(path, lazy=True)}
    for field in _BESIDE:
        other = _beside(path, field)
        if other is not None:
            found[field] = _array(other, lazy=False)
    return assembled(path.name, str(path), found)


def _array(path: Path, *, lazy: bool) -> Any:
    return stored_array(path, 0, path.stat().st_size, str(path), lazy=lazy)


def _beside(path: Path, field: str) -> Path | None:
    names = (f"{path.stem}_{field}.npy", f"{path.stem}.{field}.npy")
    found = [path.with_name(name) for name in names if path.with_name(name).is_file()]
    if len(found) == 2:
        raise InputError(f"data {str(path)!r}", expected=f"one file of {field}",
                         got=f"{names[0]} and {names[1]}")  # fmt: skip
    plain = path.with_name(f"{field}.npy")
    if found or not plain.is_file():
        return found[0] if found else None
    others = [file for file in path.parent.glob("*.npy") if not _is_beside(file)]
    return plain if others == [path] else None


def _is_beside(path: Path) -> bool:
    return any(path.stem == field or path.stem.endswith((f"_{field}", f".{field}"))
               for field in _BESIDE)  # fmt: skip
