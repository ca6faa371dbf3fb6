"""Reads HDF5 as lava-dl writes it into plain values, and trusts nothing: sizes before data.

The limits on arrays are those of FORMAT.md. Only plain data are read: no links, no filters, no data
elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
from h5py import h5d, h5g, h5l, h5o, h5s, h5t
from numpy.typing import NDArray

from neurossm.errors import FormatError, NeurossmError
from neurossm.store import check_is_file
from neurossm.store.tree import (
    MAX_ARRAY_BYTES,
    MAX_STRING_BYTES,
    MAX_TOTAL_BYTES,
    plain,
    shown,
    size_in_memory,
)
from neurossm_converters.formats.netx.text import DamagedText, linked_text

Array = NDArray[np.int64] | NDArray[np.float64]
Value = str | Array | Mapping[str, "Value"]

MAX_RANK = 5  # weights of a convolution
MAX_DEPTH = 3
MAX_MEMBERS = 1000
MAX_ITEM_BYTES = 8
LINKED_TEXT_BYTES = 16  # in the file: length, address and index of a text of variable length
# bool is an enumeration in HDF5
NUMBERS = (h5t.TypeIntegerID, h5t.TypeFloatID, h5t.TypeEnumID)
PLAIN_LAYOUTS = (h5d.CONTIGUOUS, h5d.COMPACT)


@contextmanager
def open_root(path: Path) -> Iterator[h5g.GroupID]:
    """Open a file for reading; raise `InputError` or `FormatError` where it is none of netx."""
    check_is_file(path)
    try:
        with h5py.File(path, "r", locking=False) as file:
            sizes = file.id.get_create_plist().get_sizes()
            if file.userblock_size or sizes != (8, 8):
                raise FormatError(
                    str(path),
                    expected="HDF5 as h5py writes it",
                    got="a user block or short addresses",
                )
            yield h5o.open(file.id, b"/")
    except NeurossmError:
        raise
    except Exception as error:
        # as in neurossm.store.opening: on damaged files HDF5 raises whatever it trips over
        kind = "a damaged one" if h5py.is_hdf5(path) else "another kind of file, or a part of one"
        raise FormatError(
            str(path), expected="a netx file (HDF5)", got=f"{kind} ({type(error).__name__})"
        ) from None


class Reader:
    """Reads groups of one file, and keeps count of what it has met."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = 0
        self._seen: set[tuple[int, int]] = set()

    def members(self, group: h5g.GroupID, where: str) -> dict[str, h5g.GroupID | h5d.DatasetID]:
        """Return the objects in a group by name, unread."""
        count = group.get_num_objs()
        self._require(count <= MAX_MEMBERS, where, f"at most {MAX_MEMBERS} members", count)
        found: dict[str, h5g.GroupID | h5d.DatasetID] = {}
        for raw in list(group):
            name = bytes(raw).decode("utf-8", "replace")
            here = f"{where}/{plain(name)}"
            link = group.links.get_info(raw).type
            self._require(link == h5l.TYPE_HARD, here, "data of this file", "a link elsewhere")
            member = h5o.open(group, raw)
            info = h5o.get_info(member)
            self._require(
                (info.fileno, info.addr) not in self._seen, here, "each object once", "it twice"
            )
            self._seen.add((info.fileno, info.addr))
            found[name] = member
        return found

    def group(self, group: object, where: str, depth: int = 0) -> dict[str, Value]:
        """Return a group and all below it."""
        self._require(isinstance(group, h5g.GroupID), where, "a group", "none")
        self._require(depth <= MAX_DEPTH, where, f"at most {MAX_DEPTH} levels of groups", "more")
        found: dict[str, Value] = {}
        for name, member in self.members(group, where).items():
            here = f"{where}/{plain(name)}"
            if isinstance(member, h5g.GroupID):
                found[name] = self.group(member, here, depth + 1)
            else:
                self._require(isinstance(member, h5d.DatasetID), here, "data", "another object")
                found[name] = self._dataset(member, here)
        return found

    def _dataset(self, dataset: h5d.DatasetID, where: str) -> Value:
        space, kind = dataset.get_space(), dataset.get_type()
        extent = space.get_simple_extent_type()
        self._require(extent in (h5s.SIMPLE, h5s.SCALAR), where, "data", "an empty data space")
        shape = tuple(int(size) for size in space.get_simple_extent_dims())
        self._require(len(shape) <= MAX_RANK, where, f"at most {MAX_RANK} axes", len(shape))
        size = size_in_memory(shape)
        self._bytes += size
        self._require(size <= MAX_ARRAY_BYTES, where, f"at most {MAX_ARRAY_BYTES} bytes", size)
        self._require(
            self._bytes <= MAX_TOTAL_BYTES, where, f"{MAX_TOTAL_BYTES} bytes in all", self._bytes
        )
        plan, is_text = dataset.get_create_plist(), isinstance(kind, h5t.TypeStringID)
        item = LINKED_TEXT_BYTES if is_text and kind.is_variable_str() else kind.get_size()
        is_plain = plan.get_layout() in PLAIN_LAYOUTS and not plan.get_external_count()
        self._require(
            is_plain, where, "plain data, as h5py writes it by default", "chunked or foreign data"
        )
        declared, stored = math.prod(shape) * item, dataset.get_storage_size()
        self._require(stored == declared, where, f"{declared} bytes of data", stored)
        if is_text:
            self._require(math.prod(shape) == 1, where, "one text", shape)
            self._require(item <= MAX_STRING_BYTES, where, f"{MAX_STRING_BYTES} bytes", item)
            return self._text(dataset, kind, where)
        is_number = isinstance(kind, NUMBERS) and item <= MAX_ITEM_BYTES
        self._require(is_number, where, "numbers or text", "another type")
        return self._numbers(np.asarray(h5py.Dataset(dataset)[()]), where)

    def _numbers(self, data: NDArray[np.generic], where: str) -> Array:
        if data.dtype.kind == "f":
            with np.errstate(invalid="ignore"):  # nan of some patterns; refused in the next line
                real = data.astype(np.float64)
            self._require(bool(np.all(np.isfinite(real))), where, "finite numbers", "nan or inf")
            # beyond 2**53 there is no telling whole numbers from others
            self._require(not real.size or np.abs(real).max() < 2**53, where, "below 2**53", "more")
            return real
        self._require(data.dtype.kind in "iub", where, "numbers", str(data.dtype))
        whole = data.astype(np.int64)
        self._require(np.array_equal(whole, data), where, "64-bit integers", "larger ones")
        return whole

    def _text(self, dataset: h5d.DatasetID, kind: h5t.TypeStringID, where: str) -> str:
        if kind.is_variable_str():
            offset = dataset.get_offset()
            self._require(offset is not None, where, "contiguous data", "another layout")
            try:
                data = linked_text(self._path, offset, MAX_STRING_BYTES)
            except DamagedText as error:
                raise self._error(
                    where, f"text of at most {MAX_STRING_BYTES} bytes", str(error)
                ) from None
        else:
            data = bytes(np.asarray(h5py.Dataset(dataset)[()]).item())
        self._require(data.isascii(), where, "text in ASCII", "other bytes")
        return data.decode("ascii")

    def _require(self, holds: bool, where: str, expected: str, got: object) -> None:
        if not holds:
            raise self._error(where, expected, got)

    def _error(self, where: str, expected: str, got: object) -> FormatError:
        said = plain(got) if isinstance(got, str) else shown(got)
        return FormatError(f"{self._path}: {plain(where, 200)}", expected=expected, got=said)
