"""Reads a NIR file, and trusts nothing: sizes are judged before data are touched.

The `nir` library is not used for that. It reads whatever size a file declares, refuses files of its
own older versions, and adds an Input or Output where it thinks one is missing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, NeurossmError
from neurossm.store import check_is_file
from neurossm_converters.formats.nir.chunks import Budget, read_numbers
from neurossm_converters.formats.nir.document import MAX_NESTING, Field, Part
from neurossm_converters.formats.nir.net import MAX_EDGES
from neurossm_converters.formats.nir.texts import Texts

MAX_PARTS = 10_000
MAX_MEMBERS = 64  # fields of one node, entries of metadata
MAX_NAME = 200
MAX_TEXT = 2**22  # the structure that neurossm leaves grows with the graph


class _Reader:
    def __init__(self, path: Path, texts: Texts, budget: Budget) -> None:
        self._path, self._texts, self._budget, self._parts = path, texts, budget, 0

    def part(self, group: h5py.Group, where: str, depth: int = 0) -> Part:
        """Return a node and all below it."""
        self._parts += 1
        self._require(self._parts <= MAX_PARTS, where, f"at most {MAX_PARTS} nodes", "more")
        self._require(depth <= MAX_NESTING, where, f"at most {MAX_NESTING} graphs nested", "more")
        if "type" not in group:
            got = "none; the file is unfinished, or a name with '/' broke it"
            raise self._error(where, "a node with a type", got)
        kind = self._text(self._member(group, "type", where), where, MAX_NAME)
        found = self._member(group, "metadata", where) if "metadata" in group else None
        metadata = self._metadata(found, where) if isinstance(found, h5py.Group) else {}
        if kind != "NIRGraph":
            return Part(kind, self._fields(group, where), metadata=metadata)
        nodes = self._member(group, "nodes", where)
        if not isinstance(nodes, h5py.Group):
            raise self._error(where, "a group 'nodes'", "none")
        parts = {}
        self._require(len(nodes) <= MAX_PARTS, where, f"at most {MAX_PARTS} nodes", len(nodes))
        for name in nodes:
            self._require(0 < len(name) <= MAX_NAME, where, f"names of {MAX_NAME}", len(name))
            here = f"node {name!r}" if not depth else f"{where} node {name!r}"
            member = self._member(nodes, name, here)
            if not isinstance(member, h5py.Group):
                raise self._error(here, "a group", "a dataset")
            parts[name] = self.part(member, here, depth + 1)
        return Part(kind, {}, parts, self._edges(group, where), metadata)

    def version(self, file: h5py.File) -> str:
        """Return which `nir` wrote the file; an empty string where it does not say."""
        if "version" not in file:
            return ""
        return self._text(self._member(file, "version", "/version"), "/version", MAX_NAME)

    def _fields(self, group: h5py.Group, where: str) -> dict[str, Field]:
        self._require(len(group) <= MAX_MEMBERS, where, f"at most {MAX_MEMBERS} fields", len(group))
        found: dict[str, Field] = {}
        for name in group:
            if name in ("type", "metadata"):
                continue
            here = f"{where}.{name[:MAX_NAME]}"
            member = self._member(group, name, here)
            if isinstance(member, h5py.Group):
                raise self._error(
                    where, "a field", f"a group {name!r}; '/' in a name breaks a NIR file"
                )
            if member.dtype.kind in "SO":
                found[name] = self._text(member, here, MAX_NAME)
            else:
                found[name] = self._numbers(member, here)
        return found

    def _edges(self, group: h5py.Group, where: str) -> tuple[tuple[str, str], ...]:
        found = self._member(group, "edges", where)
        here = f"{where} edges"
        if not isinstance(found, h5py.Dataset):
            raise self._error(here, "a list", "a group")
        if found.size == 0:  # an empty list is stored as an empty array of numbers
            return ()
        self._require(
            found.ndim == 2 and found.shape[1] == 2, here, "pairs of names", str(found.shape)
        )
        count = int(found.shape[0])
        self._require(count <= MAX_EDGES, here, f"at most {MAX_EDGES}", count)
        names = self._texts.read(found, MAX_NAME, f"{self._path}: {here}")
        return tuple(zip(names[::2], names[1::2], strict=True))

    def _metadata(self, group: h5py.Group, where: str) -> dict[str, Any]:
        """Return entries of a kind that has a meaning; the rest has none for us."""
        found: dict[str, Any] = {}
        for name in list(group)[:MAX_MEMBERS]:
            here = f"{where} metadata {name[:MAX_NAME]!r}"
            member = self._member(group, name, here)
            if not isinstance(member, h5py.Dataset) or member.shape is None:
                continue
            if member.dtype.kind in "SO" and member.shape == ():
                found[name] = self._text(member, here, MAX_TEXT)
            elif member.dtype.kind in "fiub":
                array = self._numbers(member, here)
                found[name] = array[()] if array.shape == () else array
        return found

    def _numbers(self, found: h5py.Dataset, where: str) -> NDArray[np.generic]:
        return read_numbers(found, self._budget, f"{self._path}: {where}", self._texts.bytes_at)

    def _member(self, group: h5py.Group, name: str, where: str) -> Any:
        link = group.get(name, getlink=True)
        if not isinstance(link, h5py.HardLink):
            got = "none" if link is None else "a soft or external link"
            raise self._error(where, f"a member {name!r} of this file", got)
        return group[name]

    def _text(self, found: Any, where: str, longest: int) -> str:
        if not isinstance(found, h5py.Dataset) or found.shape != ():
            raise self._error(where, "one text", "another value")
        return self._texts.read(found, longest, f"{self._path}: {where}")[0]

    def _require(self, holds: bool, where: str, expected: str, got: object) -> None:
        if not holds:
            raise self._error(where, expected, got)

    def _error(self, where: str, expected: str, got: object) -> FormatError:
        return FormatError(f"{self._path}: {where}", expected=expected, got=str(got))


def read_document(path: Path) -> tuple[Part, str]:
    """Return the graph of a NIR file, and the version of the library that wrote it.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it is no NIR file, is damaged, or holds more than the bounds above.
    """
    check_is_file(path)
    budget = Budget()
    with _opened(path) as file, Texts(path, budget) as texts:
        reader = _Reader(path, texts, budget)
        if "node" not in file:
            got, remedy = "another", ""
            if "nodes" in file:
                got = "NIRData, recordings without a network"
            elif "layer" in file:
                got = "layers, as in a file of netx"
                remedy = "import it with --from netx (neurossm_converters.formats.netx.read)"
            raise FormatError(str(path), expected="a NIR file (with /node)", got=got, remedy=remedy)
        node = file["node"] if isinstance(file.get("node", getlink=True), h5py.HardLink) else None
        if not isinstance(node, h5py.Group):
            raise FormatError(str(path), expected="a NIR file", got="/node that is no group")
        root = reader.part(node, "NIR graph")
        version = reader.version(file)
    if root.kind != "NIRGraph":
        raise FormatError(str(path), expected="a NIR graph", got=f"a single {root.kind[:80]}")
    return root, version


def holds_neurossm(path: Path) -> bool:
    """Return whether a file holds a neurossm graph of its own beside the NIR graph."""
    with _opened(path) as file:
        return "neurossm" in file


@contextmanager
def _opened(path: Path) -> Iterator[h5py.File]:
    try:
        # without locks: a reader needs none, and some disks have none
        with h5py.File(path, "r", locking=False) as file:
            yield file
    except NeurossmError:
        raise
    except Exception as error:  # h5py raises whatever it trips over in a damaged file
        raise FormatError(
            str(path), expected="a NIR file", got=f"another ({type(error).__name__})"
        ) from None
