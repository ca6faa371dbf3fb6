"""Opens a file and finds ``/neurossm``, or says in one line why there is none."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
from h5py import h5g, h5l, h5o

from neurossm.errors import FormatError, InputError, NeurossmError, one_line
from neurossm.store.elsewhere import ARRAYS, FOREIGN, remedy_for

DAMAGED = "export it again, or fetch a whole copy"


@contextmanager
def open_root(path: Path) -> Iterator[h5g.GroupID]:
    """Open the group ``/neurossm`` of a file for reading.

    Raises
    ------
    InputError
        If there is no such file, or it is none that can be read.
    FormatError
        If it is not HDF5, is damaged, or holds no ``/neurossm``.
    """
    check_is_file(path)
    try:
        # without locks: a reader needs none, as files are replaced whole, and some disks have none
        with h5py.File(path, "r", locking=False) as file:
            yield _root(file.id, path)
    except NeurossmError:
        raise
    except Exception as error:
        # On damaged files the HDF5 library raises whatever it happens to trip over, from OSError
        # to RecursionError; its texts mean nothing to a reader. Only `read_tree` runs in here.
        if not h5py.is_hdf5(path):
            raise FormatError(
                str(path),
                problem="it is not an HDF5 file (.nssm), or an incomplete one",
                remedy=remedy_for(path),
            ) from None
        raise FormatError(
            str(path),
            expected="a whole HDF5 file",
            got=f"a damaged one ({type(error).__name__})",
            remedy=DAMAGED,
        ) from None


def check_is_file(path: Path) -> None:
    """Check that `path` names a regular file that can be read."""
    try:
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode):  # opening a pipe would wait for ever
            kind = "a directory" if stat.S_ISDIR(mode) else "no regular file"
            raise InputError(str(path), expected="a file", got=kind, remedy=remedy_for(path))
        with open(path, "rb"):
            pass
    except (OSError, ValueError) as error:
        if isinstance(error, NeurossmError):
            raise
        reason = getattr(error, "strerror", None) or "an impossible name"
        raise InputError(one_line(str(path), 400), expected="a file", got=reason) from None


def _root(file: h5g.GroupID, path: Path) -> h5g.GroupID:
    root = h5o.open(file, b"/")
    if b"neurossm" not in root:
        found = [name for name in (*FOREIGN, *ARRAYS) if name.encode() in root]
        raise FormatError(
            str(path),
            expected="a neurossm graph (the group /neurossm)",
            got="a NIR file without one" if "node" in found else "an HDF5 file without one",
            remedy=remedy_for(path, found),
        )
    if root.links.get_info(b"neurossm").type != h5l.TYPE_HARD:
        raise FormatError(
            f"{path}: /neurossm", expected="a group of this file", got="a soft or external link"
        )
    group = h5o.open(root, b"neurossm")
    if not isinstance(group, h5g.GroupID):
        raise FormatError(f"{path}: /neurossm", expected="a group", got="a dataset")
    return group
