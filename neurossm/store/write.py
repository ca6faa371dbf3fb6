"""Writes a tree into HDF5, atomically."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Mapping
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm.files import replace_file, replacing, rewrite
from neurossm.store.tree import (
    MAX_ARRAY_BYTES,
    MAX_CHUNK_BYTES,
    MAX_ENTRIES,
    MAX_NAME_BYTES,
    MAX_OBJECTS,
    MAX_RANK,
    MAX_STRING_BYTES,
    MAX_TOTAL_BYTES,
    Scalar,
    Tree,
    digest,
    shown,
    size_in_memory,
)

ROOT = "neurossm"
COMPRESS_FROM_BYTES = 512  # below, HDF5's bookkeeping of chunks costs more than it saves


def write_tree(path: Path, tree: Tree, before: Callable[[Path], None] | None = None) -> None:
    """Write a tree and its hash as ``/neurossm``, replacing `path` in one step.

    Parameters
    ----------
    path
        The file; an existing one is replaced only when the new one is complete.
    tree
        What to write, without ``sha256``.
    before
        Called first, with the path of the unfinished file, to write what else the file shall hold
        (a NIR graph: its library truncates what it writes to).

    Raises
    ------
    InputError
        If the file cannot be written, or a value is beyond the bounds of the format.
    """
    _check(tree, str(path))
    if before is None:
        replace_file(path, _content(tree))
        return
    with replacing(path) as unfinished:
        try:
            before(unfinished)
        except InputError as error:
            if error.where != str(unfinished):
                raise
            got, remedy = error.got, error.remedy
            raise InputError(
                str(path), expected=error.expected, got=got, problem=error.problem, remedy=remedy
            ) from None
        rewrite(unfinished, _content(tree, unfinished.read_bytes()))


def chunk_shape(shape: tuple[int, ...], itemsize: int) -> tuple[int, ...]:
    """Return the chunk of an array: whole trailing axes, as many rows as fit the bound.

    Examples
    --------
    >>> chunk_shape((1000, 1000), 8), chunk_shape((2, 10, 100_000), 8)
    ((32, 1000), (1, 1, 32768))
    """
    room = MAX_CHUNK_BYTES // itemsize
    chunk: list[int] = []
    for size in reversed(shape):
        chunk.append(max(1, min(size, room)))
        room //= chunk[-1]
    return tuple(reversed(chunk))


def _content(tree: Tree, first: bytes = b"") -> bytes:
    """Return the file; made in memory, as the HDF5 library crashes on a full disk (measured)."""
    content = io.BytesIO(first)
    with h5py.File(content, "a" if first else "w", libver=("v110", "v110")) as file:
        _write(file.create_group(ROOT), {**tree, "sha256": digest(tree).hex()})
    return content.getvalue()


def _write(group: h5py.Group, tree: Tree) -> None:
    for name, value in tree.items():
        if isinstance(value, np.ndarray):
            _write_array(group, name, value)
        elif isinstance(value, Mapping):
            _write(group.create_group(name), value)
        elif isinstance(value, str):
            text = value.encode()
            # fixed length: HDF5 keeps variable ones on a heap that can be made to point anywhere
            dtype = h5py.string_dtype("utf-8", max(1, len(text)))
            group.attrs.create(name, text, shape=(), dtype=dtype)
        else:
            group.attrs.create(
                name, value, shape=(), dtype="<i8" if isinstance(value, int) else "<f8"
            )


def _write_array(group: h5py.Group, name: str, array: NDArray[np.generic]) -> None:
    if array.nbytes < COMPRESS_FROM_BYTES:
        group.create_dataset(name, data=array)
    else:
        chunks = chunk_shape(array.shape, array.itemsize)
        group.create_dataset(name, data=array, chunks=chunks, compression="gzip", shuffle=True)


def _check(tree: Tree, where: str) -> None:
    """Hold a tree against the bounds that a reader will hold it against."""
    size, objects = _check_entries(tree, where)
    for what, found, limit in (("bytes", size, MAX_TOTAL_BYTES), ("objects", objects, MAX_OBJECTS)):
        if found > limit:
            raise InputError(where, expected=f"at most {limit} {what} in all", got=str(found))


def _check_entries(tree: Tree, where: str) -> tuple[int, int]:
    size, objects = 0, 1
    if len(tree) > MAX_ENTRIES:
        raise InputError(where, expected=f"at most {MAX_ENTRIES} entries", got=str(len(tree)))
    for name, value in tree.items():
        here = f"{where}: {shown(name)}"
        _check_name(name, here)
        if isinstance(value, Mapping):
            more_size, more_objects = _check_entries(value, here)
            size, objects = size + more_size, objects + more_objects
        elif isinstance(value, np.ndarray):
            size, objects = size + _checked_size(value, here), objects + 1
        else:
            _check_scalar(value, here)
    return size, objects


def _checked_size(array: NDArray[np.generic], where: str) -> int:
    size = size_in_memory(array.shape)
    if size > MAX_ARRAY_BYTES:
        raise InputError(
            where,
            expected=f"at most {MAX_ARRAY_BYTES} bytes an array",
            got=str(size),
            remedy="split it, or record fewer samples",
        )
    if array.ndim > MAX_RANK:
        raise InputError(where, expected=f"at most {MAX_RANK} axes", got=str(array.ndim))
    return size


def _check_scalar(value: Scalar, where: str) -> None:
    if isinstance(value, str):
        _check_string(value, where)
    elif isinstance(value, float) and not math.isfinite(value):
        raise InputError(where, expected="a finite number", got=str(value))
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise InputError(where, expected="an integer of 64 bits", got=shown(value))


def _check_name(name: str, where: str) -> None:
    # "." is HDF5's name for the group itself, "/" separates names
    if not name or name == "." or "/" in name:
        raise InputError(where, expected="a name other than '.', without '/'", got=shown(name))
    _check_string(name, where, MAX_NAME_BYTES)


def _check_string(text: str, where: str, limit: int = MAX_STRING_BYTES) -> None:
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InputError(where, expected="text that UTF-8 can hold", got=shown(text)) from None
    if size > limit or "\0" in text:
        raise InputError(
            where, expected=f"at most {limit} bytes without NUL", got=f"{size} bytes {shown(text)}"
        )
