"""Reads HDF5 into a tree and trusts nothing: each object is judged before its data are touched."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from h5py import h5a, h5d, h5g, h5l, h5o, h5s, h5t, h5z
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm.store.tree import (
    MAX_ARRAY_BYTES,
    MAX_CHUNK_BYTES,
    MAX_CHUNKS,
    MAX_DEPTH,
    MAX_ENTRIES,
    MAX_NAME_BYTES,
    MAX_OBJECTS,
    MAX_RANK,
    MAX_STRING_BYTES,
    MAX_TOTAL_BYTES,
    Scalar,
    Value,
    plain,
    shown,
    size_in_memory,
    smallest_type,
)

ARRAY_TYPES = {"<i1": h5t.STD_I8LE, "<i2": h5t.STD_I16LE, "<i4": h5t.STD_I32LE,
               "<i8": h5t.STD_I64LE, "<f8": h5t.IEEE_F64LE}  # fmt: skip
FILTERS = {h5z.FILTER_DEFLATE: "gzip", h5z.FILTER_SHUFFLE: "shuffle"}
# deflate may make incompressible data a little longer
CHUNK_OVERHEAD_BYTES = 1024


class TreeReader:
    """Reads groups of one file, and keeps count of what it has met.

    Parameters
    ----------
    path
        The file, for messages.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._bytes = 0
        self._seen: set[tuple[int, int]] = set()

    def attributes(self, group: h5g.GroupID, where: str) -> dict[str, Scalar]:
        """Return the attributes of a group: integers, floats and strings."""
        count = h5a.get_num_attrs(group)
        self._require(count <= MAX_ENTRIES, where, f"at most {MAX_ENTRIES} attributes", count)
        found: dict[str, Scalar] = {}
        for index in range(count):
            attribute = h5a.open(group, index=index)
            name = self._name(attribute.name, where)
            found[name] = self._scalar(attribute, f"{where} {name}")
        return found

    def tree(self, group: h5g.GroupID, where: str, depth: int = 0) -> dict[str, Value]:
        """Return a group and all below it."""
        self._require(depth <= MAX_DEPTH, where, f"at most {MAX_DEPTH} levels of groups", "more")
        self._visit(group, where)
        found: dict[str, Value] = dict(self.attributes(group, where))
        count = group.get_num_objs()
        self._require(count <= MAX_ENTRIES, where, f"at most {MAX_ENTRIES} members", count)
        for raw in list(group):
            name = self._name(raw, where)
            here = f"{where}/{name}"
            self._require(name not in found, here, "each name once", "it twice")
            link = group.links.get_info(raw)
            self._require(
                link.type == h5l.TYPE_HARD, here, "a member of this file", "a soft or external link"
            )
            member = h5o.open(group, raw)
            if isinstance(member, h5g.GroupID):
                found[name] = self.tree(member, here, depth + 1)
            elif isinstance(member, h5d.DatasetID):
                self._visit(member, here)
                found[name] = self._array(member, here)
            else:
                raise self._error(here, "a group or a dataset", type(member).__name__)
        return found

    def _visit(self, item: h5g.GroupID | h5d.DatasetID, where: str) -> None:
        info = h5o.get_info(item)
        key = (info.fileno, info.addr)
        self._require(
            key not in self._seen, where, "each object at one place", "a second link to one"
        )
        self._seen.add(key)
        self._require(
            len(self._seen) <= MAX_OBJECTS, where, f"at most {MAX_OBJECTS} objects", "more"
        )

    def _scalar(self, attribute: h5a.AttrID, where: str) -> Scalar:
        kind, shape = attribute.get_type(), attribute.get_space().get_simple_extent_type()
        self._require(shape == h5s.SCALAR, where, "one value", "none or several")
        if isinstance(kind, h5t.TypeStringID):
            self._require(not kind.is_variable_str(), where, "a string of fixed length", "another")
            size = kind.get_size()
            self._require(
                size <= MAX_STRING_BYTES, where, f"at most {MAX_STRING_BYTES} bytes of text", size
            )
            return self._text(attribute, size, where)
        for name in ("<i8", "<f8"):
            if kind.equal(ARRAY_TYPES[name]):
                value = np.zeros((), name)
                attribute.read(value)
                number: int | float = value.item()
                self._require(math.isfinite(number), where, "a finite number", number)
                return number
        raise self._error(where, "a 64-bit integer, a 64-bit float or a string", "another type")

    def _text(self, attribute: h5a.AttrID, size: int, where: str) -> str:
        raw = np.zeros((), f"S{size}")
        attribute.read(raw, mtype=attribute.get_type())
        try:
            text = bytes(raw.item()).decode()
        except UnicodeDecodeError:
            raise self._error(where, "text in UTF-8", "other bytes") from None
        self._require("\0" not in text, where, "text without NUL", shown(text))
        return text

    def _array(self, dataset: h5d.DatasetID, where: str) -> NDArray[np.generic]:
        self._require(h5a.get_num_attrs(dataset) == 0, where, "no attributes at a dataset", "some")
        space, kind = dataset.get_space(), dataset.get_type()
        extent = space.get_simple_extent_type()
        self._require(extent in (h5s.SIMPLE, h5s.SCALAR), where, "an array", "an empty data space")
        shape = tuple(int(size) for size in space.get_simple_extent_dims())
        self._require(len(shape) <= MAX_RANK, where, f"at most {MAX_RANK} axes", len(shape))
        size = size_in_memory(shape)
        self._bytes += size
        self._require(size <= MAX_ARRAY_BYTES, where, f"at most {MAX_ARRAY_BYTES} bytes", size)
        self._require(
            self._bytes <= MAX_TOTAL_BYTES,
            where,
            f"at most {MAX_TOTAL_BYTES} bytes in all",
            self._bytes,
        )
        names = [name for name, allowed in ARRAY_TYPES.items() if kind.equal(allowed)]
        self._require(
            bool(names), where, f"numbers of type {', '.join(ARRAY_TYPES)}", "another type"
        )
        self._check_storage(dataset, shape, np.dtype(names[0]).itemsize, where)
        array: NDArray[np.generic] = np.zeros(shape, names[0])
        if array.size:
            dataset.read(h5s.ALL, h5s.ALL, array)
        if names[0] != "<f8":
            smallest = smallest_type(array)  # type: ignore[arg-type]
            self._require(names[0] == smallest, where, f"{smallest}, the smallest type", names[0])
        return array

    def _check_storage(
        self, dataset: h5d.DatasetID, shape: tuple[int, ...], itemsize: int, where: str
    ) -> None:
        plan = dataset.get_create_plist()
        layout = plan.get_layout()
        self._require(layout != h5d.VIRTUAL, where, "data in this file", "a virtual dataset")
        self._require(
            plan.get_external_count() == 0, where, "data in this file", "external storage"
        )
        filters = [plan.get_filter(index)[0] for index in range(plan.get_nfilters())]
        foreign = [code for code in filters if code not in FILTERS]
        self._require(
            not foreign and len(filters) <= 2, where, "only the filters gzip and shuffle", filters
        )
        if layout != h5d.CHUNKED:
            stored, declared = dataset.get_storage_size(), math.prod(shape) * itemsize
            self._require(stored == declared, where, f"{declared} bytes of data", stored)
            return
        chunk = plan.get_chunk()
        room = math.prod(chunk) * itemsize
        self._require(room <= MAX_CHUNK_BYTES, where, f"chunks of {MAX_CHUNK_BYTES} bytes", room)
        count = math.prod(-(-size // part) for size, part in zip(shape, chunk, strict=True))
        self._require(count <= MAX_CHUNKS, where, f"at most {MAX_CHUNKS} chunks", count)
        stored = dataset.get_num_chunks()
        self._require(stored == count, where, f"{count} chunks of data", stored)
        for index in range(stored):
            packed = dataset.get_chunk_info(index).size
            self._require(
                packed <= room + CHUNK_OVERHEAD_BYTES,
                where,
                f"at most {room} bytes in a chunk",
                packed,
            )

    def _name(self, raw: bytes | str, where: str) -> str:
        data = raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogateescape")
        self._require(
            len(data) <= MAX_NAME_BYTES, where, f"names of {MAX_NAME_BYTES} bytes", len(data)
        )
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise self._error(where, "names in UTF-8", shown(data)) from None

    def _require(self, holds: bool, where: str, expected: str, got: object) -> None:
        if not holds:
            raise self._error(where, expected, got)

    def _error(self, where: str, expected: str, got: object) -> FormatError:
        place = plain(where, 200)
        return FormatError(f"{self._path}: {place}", expected=expected, got=str(got))
