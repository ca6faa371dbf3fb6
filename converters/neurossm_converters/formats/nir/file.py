"""Reads a NIR file as a `Part`, and trusts nothing in it.

The file is read by h5py in a process with limits (`neurossm_converters.formats.hdf5`), and not by
the `nir` library, which refuses files of its own older versions and adds an Input or Output where
it thinks one is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurossm.errors import FormatError
from neurossm.store.elsewhere import remedy_for
from neurossm_converters.formats.hdf5 import Group, Member, Other, Texts, read_tree
from neurossm_converters.formats.nir.document import MAX_NESTING, Field, Part
from neurossm_converters.formats.nir.net import MAX_EDGES

KIND, OWN = "a NIR file", "neurossm"
MAX_PARTS = 10_000
MAX_MEMBERS = 64  # fields of one node, entries of metadata
MAX_NAME = 200
MAX_TEXT = 2**22  # the structure that neurossm leaves grows with the graph


class _Reader:
    def __init__(self, path: Path) -> None:
        self._path, self._parts = path, 0

    def part(self, group: Group, where: str, depth: int = 0) -> Part:
        """Return a node and all below it."""
        self._parts += 1
        self._require(self._parts <= MAX_PARTS, where, f"at most {MAX_PARTS} nodes", "more")
        self._require(depth <= MAX_NESTING, where, f"at most {MAX_NESTING} graphs nested", "more")
        if "type" not in group:
            got = "none; the file is unfinished, or a name with '/' broke it"
            raise self._error(where, "a node with a type", got)
        kind = self._text(self._member(group, "type", where), where, MAX_NAME)
        found = self._member(group, "metadata", where) if "metadata" in group else None
        metadata = self._metadata(found, where) if isinstance(found, Mapping) else {}
        if kind != "NIRGraph":
            return Part(kind, self._fields(group, where), metadata=metadata)
        nodes = self._member(group, "nodes", where)
        if not isinstance(nodes, Mapping):
            raise self._error(where, "a group 'nodes'", "none")
        self._require(len(nodes) <= MAX_PARTS, where, f"at most {MAX_PARTS} nodes", len(nodes))
        parts = {}
        for name in nodes:
            self._require(0 < len(name) <= MAX_NAME, where, f"names of {MAX_NAME}", len(name))
            here = f"node {name!r}" if not depth else f"{where} node {name!r}"
            member = self._member(nodes, name, here)
            if not isinstance(member, Mapping):
                raise self._error(here, "a group", "a dataset")
            parts[name] = self.part(member, here, depth + 1)
        return Part(kind, {}, parts, self._edges(group, where), metadata)

    def version(self, root: Group) -> str:
        """Return which `nir` wrote the file; an empty string where it does not say."""
        if "version" not in root:
            return ""
        return self._text(self._member(root, "version", "/version"), "/version", MAX_NAME)

    def _fields(self, group: Group, where: str) -> dict[str, Field]:
        self._require(len(group) <= MAX_MEMBERS, where, f"at most {MAX_MEMBERS} fields", len(group))
        found: dict[str, Field] = {}
        for name in group:
            if name in ("type", "metadata"):
                continue
            here = f"{where}.{name[:MAX_NAME]}"
            member = self._member(group, name, here)
            if isinstance(member, Mapping):
                got = f"a group {name!r}; '/' in a name breaks a NIR file"
                raise self._error(where, "a field", got)
            found[name] = (
                self._text(member, here, MAX_NAME) if isinstance(member, Texts) else member
            )
        return found

    def _edges(self, group: Group, where: str) -> tuple[tuple[str, str], ...]:
        found, here = self._member(group, "edges", where), f"{where} edges"
        if isinstance(found, Mapping):
            raise self._error(here, "a list", "a group")
        if not isinstance(found, Texts):
            # an empty list is stored as an empty array of numbers
            self._require(found.size == 0, here, "text", found.dtype)
            return ()
        pairs = len(found.shape) == 2 and found.shape[1] == 2
        self._require(pairs or not found.values, here, "pairs of names", found.shape)
        count = len(found.values) // 2
        self._require(count <= MAX_EDGES, here, f"at most {MAX_EDGES}", count)
        longest = max(map(len, found.values), default=0)
        self._require(longest <= MAX_NAME, here, f"text of at most {MAX_NAME} bytes", longest)
        return tuple(zip(found.values[::2], found.values[1::2], strict=True))

    def _metadata(self, group: Group, where: str) -> dict[str, Any]:
        """Return entries of a kind that has a meaning; the rest has none for us."""
        found: dict[str, Any] = {}
        for name in list(group)[:MAX_MEMBERS]:
            member, here = group[name], f"{where} metadata {name[:MAX_NAME]!r}"
            if isinstance(member, Texts) and member.shape == ():
                found[name] = self._text(member, here, MAX_TEXT)
            elif not isinstance(member, Mapping | Texts | Other):
                found[name] = member[()] if member.shape == () else member
        return found

    def _member(self, group: Group, name: str, where: str) -> Any:
        member: Member | None = group.get(name)
        if member is None or isinstance(member, Other):
            got = "none" if member is None else member.what
            raise self._error(where, f"a member {name!r} of this file", got)
        return member

    def _text(self, found: object, where: str, longest: int) -> str:
        if not isinstance(found, Texts) or found.shape != ():
            raise self._error(where, "one text", "another value")
        (text,) = found.values
        size = len(text.encode())
        self._require(size <= longest, where, f"text of at most {longest} bytes", size)
        return text

    def _require(self, holds: bool, where: str, expected: str, got: object) -> None:
        if not holds:
            raise self._error(where, expected, got)

    def _error(self, where: str, expected: str, got: object) -> FormatError:
        return FormatError(f"{self._path}: {where}", expected=expected, got=str(got))


@dataclass(frozen=True)
class Document:
    """The graph of a NIR file, the version of `nir` that wrote it, and what else is in it.

    `beside_own` is True where a neurossm graph of its own lies in the same file.
    """

    root: Part
    version: str
    beside_own: bool


def read_document(path: Path) -> Document:
    """Return what a NIR file says.

    Raises
    ------
    InputError
        If there is no such file.
    FormatError
        If it is no NIR file, is damaged, or holds more than the bounds above.
    """
    file, reader = read_tree(path, KIND, skip=(OWN,)), _Reader(path)
    if "node" not in file:
        got, remedy = "another", remedy_for(path, file)
        if OWN in file:
            got = "a graph of neurossm"
        elif "nodes" in file:
            got = "NIRData, recordings without a network"
        elif "layer" in file:
            got = "layers, as in a file of netx"
            remedy = "import it with --from netx (neurossm_converters.formats.netx.read)"
        raise FormatError(str(path), expected="a NIR file (with /node)", got=got, remedy=remedy)
    node = file["node"]
    if not isinstance(node, Mapping):
        raise FormatError(str(path), expected=KIND, got="/node that is no group")
    root, version = reader.part(node, "NIR graph"), reader.version(file)
    if root.kind != "NIRGraph":
        raise FormatError(str(path), expected="a NIR graph", got=f"a single {root.kind[:80]}")
    return Document(root, version, OWN in file)
