"""Reads an integer graph and its golden vectors from ``graph.nssm``, by FORMAT.md alone."""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Dict, NamedTuple

import h5py
import numpy as np

from neurossm_chip.refusal import Refusal

Arrays = Dict[str, Any]


class Fixed(NamedTuple):
    """Format of a message: width, bits of fraction, graded, binary or ternary."""

    bits: int
    frac: Any
    kind: str


class Node(NamedTuple):
    """A node with its fields as read, and the names that feed it in the order of the edges."""

    name: str
    type: str
    fields: dict[str, Any]
    sources: tuple[str, ...]

    @property
    def out(self) -> Fixed:
        """Format of its messages."""
        out = self.fields["out"]
        return Fixed(out["bits"], out["frac"], out["kind"])

    @property
    def message(self) -> Fixed:
        """Format of its messages; bits of fraction by channel where rows or filters differ."""
        frac = self.fields["bias"]["frac"] if self.type in ("Affine", "Conv2d") else 0
        if not np.ndim(frac):
            return self.out
        each = self.channels // len(np.asarray(frac))  # of a filter, all its positions
        return self.out._replace(frac=np.repeat(np.asarray(frac), each))

    @property
    def is_late(self) -> bool:
        """Whether it sends before anything arrives, so that a loop may lead through it."""
        return self.type == "Delay"

    @property
    def channels(self) -> int:
        """How many messages it sends at a step."""
        if "channels" in self.fields:
            return int(self.fields["channels"])
        if self.type == "Conv2d":
            from neurossm_chip.windows import out_size

            rows, columns = out_size(self)
            return len(self.values("bias")) * rows * columns
        parameters = [f for f in self.fields.values() if isinstance(f, dict) and "values" in f]
        shapes = [np.shape(parameter["values"]) for parameter in parameters]
        one_each = [shape for shape in shapes if len(shape) == 1]
        parts = 2 if self.type == "ComplexDiagonal" else 1  # of each state, real and imaginary
        return parts * int((one_each or shapes)[0][-1])  # a table alone has a row for each token

    def values(self, name: str) -> Any:
        """Return the integers of a parameter, int64; of a sparse one with its zeros."""
        group = self.fields[name]
        stored = np.asarray(group["values"], np.int64)
        if "starts" not in group:
            return stored
        fan_in = np.diff(np.asarray(group["starts"], np.int64))
        whole = np.zeros((len(fan_in), group["width"]), np.int64)
        whole[np.repeat(np.arange(len(fan_in)), fan_in), group["columns"]] = stored
        return whole

    @property
    def is_sparse(self) -> bool:
        """Whether synapses keep only the weights that are not 0."""
        return bool(self.fields.get("sparse", 0))

    def bits(self, name: str) -> int:
        """Return the width of a parameter."""
        return int(self.fields[name]["bits"])

    def frac(self, name: str) -> Any:
        """Return the bits of fraction of a parameter: for each index of its first axis."""
        frac = np.asarray(self.fields[name]["frac"], np.int64)
        return np.broadcast_to(frac, self.values(name).shape[:1])

    def one_frac(self, name: str) -> int:
        """Return the bits of fraction that the whole parameter shares."""
        return int(self.frac(name)[0])


class Golden(NamedTuple):
    """One golden vector: inputs and values (T, C) by node, states after the last step."""

    inputs: Arrays
    values: Arrays
    states: Arrays

    @property
    def steps(self) -> int:
        """T."""
        return len(next(iter(self.inputs.values())))


class File(NamedTuple):
    """The nodes in graph order, the golden vectors, the hash of the file, what it says of it."""

    nodes: tuple[Node, ...]
    golden: tuple[Golden, ...]
    sha256: str
    meta: dict[str, Any] = {}  # noqa: RUF012  # nobody writes into it
    graph_sha256: str = ""

    def targets(self, name: str) -> list[Node]:
        """Return the nodes that a node feeds."""
        return [node for node in self.nodes if name in node.sources]


def read(path: str) -> File:
    """Return what the file holds, as `read_graph`; refuse one without golden vectors."""
    file = read_graph(path)
    if not file.golden:
        raise Refusal(f"{path}: expected golden vectors, got none")
    return file


def read_graph(path: str) -> File:
    """Return what the file holds, after its schema, version and hash have been checked."""
    try:
        with h5py.File(path, "r") as file:
            tree = _tree(file["neurossm"])
    except (OSError, KeyError) as error:
        raise Refusal(f"{path} cannot be read: {error}") from error
    found = tree.pop("sha256", "")
    if tree.get("schema") != "neurossm.graph" or tree.get("schema_version") != 1:
        raise Refusal(f"{path}: expected a neurossm.graph of version 1")
    if _digest(tree).hex() != found:
        raise Refusal(f"{path}: its contents do not have the hash that it states; copy it again")
    golden = tree.get("golden", {})
    vectors = tuple(Golden(**golden[str(n)]) for n in range(len(golden)))
    meta = tree["graph"].get("meta", {})
    return File(
        _in_order(_nodes(tree["graph"])), vectors, found, meta, _digest(tree["graph"]).hex()
    )


def _tree(group: Any) -> dict[str, Any]:
    entries = {name: _scalar(value) for name, value in group.attrs.items()}
    for name, member in group.items():
        entries[name] = _tree(member) if isinstance(member, h5py.Group) else member[()]
    return entries


def _scalar(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, str):
        return value
    return float(value) if isinstance(value, np.floating) else int(value)


def _digest(entry: Any) -> bytes:
    if isinstance(entry, dict):
        parts = [b"group\n"]
        for name in sorted(key.encode() for key in entry):
            parts += [len(name).to_bytes(4, "little"), name, _digest(entry[name.decode()])]
        return hashlib.sha256(b"".join(parts)).digest()
    if isinstance(entry, np.ndarray):
        axes = ",".join(str(length) for length in entry.shape)
        head = f"array\n{entry.dtype.kind}{entry.dtype.itemsize}\n{axes}\n"
        return hashlib.sha256(head.encode() + entry.tobytes(order="C")).digest()
    if isinstance(entry, float):
        return hashlib.sha256(b"float\n" + np.array(entry, "<f8").tobytes()).digest()
    kind = "string" if isinstance(entry, str) else "int"
    return hashlib.sha256((f"{kind}\n{entry}").encode()).digest()


def _nodes(graph: dict[str, Any]) -> list[Node]:
    fields = sorted(graph["nodes"].items(), key=lambda item: int(item[1]["index"]))
    names = [name for name, _ in fields]
    sources: dict[str, list[str]] = {name: [] for name in names}
    for source, target in graph["edges"].tolist():
        sources[names[target]].append(names[source])
    return [Node(name, f["type"], f, tuple(sources[name])) for name, f in fields]


def _in_order(nodes: list[Node]) -> tuple[Node, ...]:
    """Return graph order; nodes that feed each other are one place in it."""
    loops = together({node.name: set(node.sources) for node in nodes})
    outside = {n.name: set(n.sources) - loops[n.name] for n in nodes}
    found: list[Node] = []
    for first in _sorted(nodes, lambda n: loops[n.name], outside):
        loop = [n for n in nodes if n.name in loops[first.name]]
        inside = {n.name: set(n.sources) & loops[n.name] if not n.is_late else set() for n in loop}
        found += _sorted(loop, lambda n: {n.name}, inside)
    return tuple(found)


def together(sources: dict[str, set[str]]) -> dict[str, set[str]]:
    """Return for each node itself and those that it feeds and that feed it, from what feeds each.

    One that is in no loop stands alone.
    """
    before = {name: set(names) for name, names in sources.items()}
    for through in before:
        for names in before.values():
            if through in names:
                names |= before[through]
    return {
        name: {name} | {other for other in names if name in before[other]}
        for name, names in before.items()
    }


def _sorted(
    nodes: list[Node], together: Callable[[Node], set[str]], before: dict[str, set[str]]
) -> list[Node]:
    """Return one node for each set, behind all that must come before; lowest index first."""
    done: set[str] = set()
    found: list[Node] = []
    while len(done) < len(nodes):
        ready = next(
            (n for n in nodes if n.name not in done
             and all(before[name] <= done for name in together(n))), None
        )  # fmt: skip
        if ready is None:
            left = ", ".join(n.name for n in nodes if n.name not in done)
            raise Refusal(f"cycle {left}: expected a Delay in it, got none")
        found.append(ready)
        done |= together(ready)
    return found
