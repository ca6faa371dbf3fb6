"""The process that reads foreign HDF5 by h5py, with limits of memory.

It is started by its path and imports nothing of neurossm. Each line on its standard input is, in
JSON, the path of a file and the names at its root that are not wanted; each answer is the length of
a header, the header (JSON) and the bytes of the arrays that it names. Nothing is pickled. Sizes are
judged by what a file declares before its data are touched.
"""

from __future__ import annotations

import json
import math
import os
import sys
from contextlib import suppress
from typing import Any

import h5py
import numpy as np
from h5py import h5d
from numpy.typing import NDArray

Said = dict[str, Any]  # JSON

MAX_MEMORY = 4 * 2**30  # address space of this process
MAX_ARRAY_BYTES = 2**28  # at 8 bytes an element, as arrays are held in memory
MAX_TOTAL_BYTES = 2**30
MAX_MEMBERS = 50_000
MAX_NESTING = 24
MAX_RANK = 8
LAYOUTS = (h5d.CONTIGUOUS, h5d.CHUNKED, h5d.COMPACT)


class TooMuch(Exception):
    """A file leaves the limits: where, what was expected, what came."""


class Reader:
    """Reads one file into a tree of JSON values, and the arrays beside it."""

    def __init__(self, skip: list[str]) -> None:
        self.arrays: list[NDArray[Any]] = []
        self.used, self.members, self.skip = 0, 0, skip

    def group(self, group: h5py.Group, where: str = "", depth: int = 0) -> Said:
        """Return the members of a group by name."""
        if depth > MAX_NESTING:
            return {"other": f"groups nested more than {MAX_NESTING} deep"}
        found = {}
        for name in group:
            self.members += 1
            if self.members > MAX_MEMBERS:
                raise TooMuch(where or "/", f"at most {MAX_MEMBERS} members", "more")
            found[name] = self.member(group, name, f"{where}/{name}", depth)
        return {"group": found}

    def member(self, group: h5py.Group, name: str, where: str, depth: int) -> Said:
        """Return one member: a group, an array, texts, or why it is none of them."""
        if not depth and name in self.skip:
            return {"other": "not asked for"}
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return {"other": "a soft or external link"}
        member = group[name]
        if isinstance(member, h5py.Group):
            return self.group(member, where, depth + 1)
        if not isinstance(member, h5py.Dataset):
            return {"other": "a named type"}
        return self.dataset(member, where)

    def dataset(self, dataset: h5py.Dataset, where: str) -> Said:
        """Return the data of a dataset."""
        if dataset.shape is None:
            return {"other": "an empty data space"}
        plan = dataset.id.get_create_plist()
        if plan.get_external_count() or plan.get_layout() not in LAYOUTS:
            return {"other": "data in another file"}
        if len(dataset.shape) > MAX_RANK:
            raise TooMuch(where, f"at most {MAX_RANK} axes", len(dataset.shape))
        if self.unwritten(dataset, plan.get_layout()):
            return {"other": "data that were never written"}  # HDF5 would give zeros
        kind = dataset.dtype
        self.take(math.prod(dataset.shape) * max(8, kind.itemsize), where)
        if h5py.check_string_dtype(kind) is not None:
            return self.texts(dataset, where)
        if kind.kind not in "iufbc" or kind.itemsize > 16 or kind.subdtype is not None:
            return {"other": f"data of type {kind}"}
        array = np.asarray(dataset[()])
        array = np.ascontiguousarray(array, array.dtype.newbyteorder("=")).reshape(array.shape)
        self.arrays.append(array)
        return {"array": [array.dtype.str, list(array.shape)]}

    @staticmethod
    def unwritten(dataset: h5py.Dataset, layout: int) -> bool:
        """Return whether data are declared that the file does not hold."""
        if not math.prod(dataset.shape) or layout == h5d.COMPACT:
            return False
        if layout == h5d.CONTIGUOUS:
            return not dataset.id.get_storage_size()
        sizes = zip(dataset.shape, dataset.chunks, strict=True)
        count = math.prod(-(-size // part) for size, part in sizes)
        return bool(dataset.id.get_num_chunks() < count)

    def texts(self, dataset: h5py.Dataset, where: str) -> Said:
        """Return texts, in UTF-8."""
        values = np.asarray(dataset[()], dtype=object)
        found = [bytes(value) for value in values.ravel()]
        self.take(sum(map(len, found)), where)
        try:
            return {"texts": [text.decode() for text in found], "shape": list(values.shape)}
        except UnicodeDecodeError:
            return {"other": "text that is not UTF-8"}

    def take(self, size: int, where: str) -> None:
        """Take so many bytes of memory."""
        self.used += size
        if size > MAX_ARRAY_BYTES or self.used > MAX_TOTAL_BYTES:
            expected = f"at most {MAX_ARRAY_BYTES} bytes an array, {MAX_TOTAL_BYTES} in all"
            raise TooMuch(where, expected, f"{size}, {self.used} in all")


def answer(path: str, skip: list[str]) -> tuple[Said, list[NDArray[Any]]]:
    """Return the header and the arrays for one file."""
    reader = Reader(skip)
    try:
        # without locks: a reader needs none, and some disks have none
        with h5py.File(path, "r", locking=False) as file:
            return reader.group(file), reader.arrays
    except TooMuch as error:
        return {"limit": [str(part) for part in error.args]}, []
    except Exception as error:  # on damaged files HDF5 raises whatever it trips over
        is_hdf5 = os.path.isfile(path) and h5py.is_hdf5(path)
        return {"error": type(error).__name__, "hdf5": bool(is_hdf5)}, []


def limit_memory() -> None:
    """Bound the address space of this process; nothing where the system has no such bound."""
    try:
        import resource
    except ImportError:
        return
    hard = resource.getrlimit(resource.RLIMIT_AS)[1]
    most = MAX_MEMORY if hard == resource.RLIM_INFINITY else min(MAX_MEMORY, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def main() -> None:
    """Answer until nobody asks any more."""
    limit_memory()
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        header, arrays = answer(*json.loads(line))
        text = json.dumps(header).encode()
        out.write(len(text).to_bytes(8, "little") + text)
        for array in arrays:
            out.write(array.data if array.flags.c_contiguous and array.size else array.tobytes())
        out.flush()


if __name__ == "__main__":
    main()
