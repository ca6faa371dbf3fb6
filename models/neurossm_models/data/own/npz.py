"""NumPy's ``.npz``: arrays by name, as ``np.savez("mine.npz", inputs=x, labels=y)`` writes them.

Arrays that were stored as they are (`numpy.savez`) are read sample by sample where they are large;
packed ones (`numpy.savez_compressed`) cannot be, and are read at once.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from neurossm.errors import FormatError, InputError
from neurossm_models.data.own import stored
from neurossm_models.data.own.fields import assembled, check_keys, split_key
from neurossm_models.data.own.source import OwnSource, require_file

# bytes of a packed array: a file of some kilobytes can say that it holds any number
LARGEST = 2**33
_ENDING = ".npy"


def read(path: Path) -> OwnSource:
    """Return the source of a ``.npz`` file.

    Raises
    ------
    InputError
        If there is no such file, or an array has another shape.
    FormatError
        If it is no such file, is damaged, or holds a name that is not known.
    """
    require_file(path, "a NumPy .npz file")
    try:
        with zipfile.ZipFile(path) as archive:
            members = {_key(info.filename): info for info in archive.infolist()}
            check_keys(str(path), list(members))
            found = {key: _array(path, archive, info) for key, info in members.items()}
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error, struct.error,
            NotImplementedError, RuntimeError) as error:  # fmt: skip
        if isinstance(error, FormatError | InputError):
            raise
        raise FormatError(
            str(path), expected="a NumPy .npz file of plain arrays", got=str(error),
            remedy="write it with np.savez(file, inputs=..., labels=...)",
        ) from None  # fmt: skip
    return assembled(path.name, str(path), found)


def _key(name: str) -> str:
    return name.removesuffix(_ENDING)


def _array(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
    key = _key(info.filename)
    where, lazy = f"{path}: {key}", split_key(key)[1] == "inputs"
    if info.compress_type == zipfile.ZIP_STORED and info.file_size > stored.IN_MEMORY:
        return stored.stored_array(path, _begin(path, info), info.file_size, where, lazy=lazy)
    if info.file_size > LARGEST:
        raise FormatError(
            where, expected=f"packed arrays of at most {LARGEST >> 30} GiB",
            got=f"one of {info.file_size / 2**30:.1f} GiB",
            remedy="save it as it is with np.savez, or as .npy or .h5: these are read in pieces",
        )  # fmt: skip
    return stored.unpacked_array(archive.read(info), where)


def _begin(path: Path, info: zipfile.ZipInfo) -> int:
    """Return where the bytes of a member begin: behind its own header, whose names may differ."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(30)
        name, extra = struct.unpack("<HH", header[26:30])
    return info.header_offset + 30 + int(name) + int(extra)
