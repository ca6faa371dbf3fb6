"""A small interpreter of NIR files, from NIR's documented equations alone; nothing of neurossm.

It knows the file through the `nir` library, and the nodes that docs/explanation/nir-proposal.md
proposes from that page, through h5py. A step lasts `dt` in the unit of the file's time
constants, inputs are held during it, everything is evaluated at its end. Integrators that feed each
other are solved together and exactly, by the exponential of the matrix of their equations.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from graphlib import TopologicalSorter
from pathlib import Path

import h5py
import networkx as nx
import nir
import numpy as np
from scipy.linalg import expm
from scipy.sparse import csr_array


def flat(node: nir.NIRNode) -> nir.NIRNode:
    """Return a node whose neurons or factors are in one row, in C order, as all signals are."""
    if isinstance(
        node, nir.LI | nir.LIF | nir.I | nir.IF | nir.CubaLIF | nir.Scale | nir.Threshold
    ):
        return replace(node, **{
            item.name: np.ravel(getattr(node, item.name)) for item in fields(node)
            if item.init and isinstance(getattr(node, item.name), np.ndarray)
        })  # fmt: skip
    return node


def windows(node: nir.NIRNode, image: np.ndarray) -> np.ndarray:
    """Return what a convolution or pooling makes of an image ``(C, H, W)``, or ``(C, N)``."""
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        weight, groups = np.asarray(node.weight, np.float64), int(node.groups)
        bias = np.asarray(node.bias, np.float64)
        dilation = np.broadcast_to(node.dilation, weight.ndim - 2)
    else:
        size, groups = np.ravel(node.kernel_size), len(image)
        share = 1 / np.prod(size) if isinstance(node, nir.AvgPool2d) else 1.0
        weight, bias = np.full((groups, 1, *size), share), np.zeros(groups)
        dilation = np.ones(2, int)
    space = weight.ndim - 2
    stride = np.broadcast_to(node.stride, space)
    if isinstance(node.padding, str) and node.padding == "same":
        total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
        pads = [(n // 2, n - n // 2) for n in total]
    else:
        given = 0 if isinstance(node.padding, str) else node.padding
        pads = [(n, n) for n in np.broadcast_to(given, space)]
    wide = np.pad(image, [(0, 0), *pads])
    reach = [d * (k - 1) + 1 for d, k in zip(dilation, weight.shape[2:], strict=True)]
    axes = tuple(range(1, 1 + space))
    view = np.lib.stride_tricks.sliding_window_view(wide, reach, axes)
    steps = tuple(slice(None, None, s) for s in stride)
    inner = tuple(slice(None, None, d) for d in dilation)
    view = view[(slice(None), *steps, *inner)]  # (C, positions, kernel)
    own, each = len(image) // groups, len(weight) // groups
    parts = [
        np.tensordot(weight[g * each : (g + 1) * each], view[g * own : (g + 1) * own],
                     ([1, *range(2, 2 + space)], [0, *range(1 + space, 1 + 2 * space)]))
        for g in range(groups)
    ]  # fmt: skip
    return np.concatenate(parts) + bias.reshape(-1, *[1] * space)


@dataclass
class StateSpace:
    """A proposed node: its fields, and the step of each mode as a pair of real numbers."""

    fields: dict[str, np.ndarray]
    step: np.ndarray  # (channels, modes, 2, 2 + 2): on a pair and what is held beside it
    state: np.ndarray  # (channels, modes, 2)

    def advance(self, u: np.ndarray) -> np.ndarray:
        f = self.fields
        held = np.stack([f["B_re"] * u[:, None] + f["drive_re"],
                         f["B_im"] * u[:, None] + f["drive_im"]], 2)  # fmt: skip
        both = np.concatenate([self.state, held], 2)
        self.state = (self.step @ both[..., None])[..., 0]
        sent = f["C_re"] * self.state[..., 0] - f["C_im"] * self.state[..., 1]
        return 2 * sent.sum(1) + f["D"] * u + f["bias"]


@dataclass
class Reset:
    """A proposed node: what a spike does."""

    kind: str
    fields: dict[str, np.ndarray]
    left: np.ndarray  # what a step leaves of an exponential one
    value: np.ndarray  # what it takes off the comparison now

    @property
    def fades(self) -> bool:
        return self.kind == "exponential"


def proposed(group: h5py.Group, dt: float) -> StateSpace | Reset:
    """Return a proposed node; `dt` is in the unit of the file's time constants."""
    stored = {name: value[()] for name, value in group.items() if name != "metadata"}
    words = {name: value.decode() for name, value in stored.items() if isinstance(value, bytes)}
    fields = {name: np.asarray(stored[name]) for name in stored.keys() - words}
    if words["type"] == "Reset":
        fields = {name: np.ravel(value) for name, value in fields.items()}
        size = fields["amplitude" if "amplitude" in fields else "amount"]
        with np.errstate(divide="ignore"):
            left = np.exp(-dt / fields["tau"]) if "tau" in fields else np.zeros_like(size)
        return Reset(words["kind"], fields, left, np.zeros_like(size))
    a, w, step = fields["A_re"], fields["A_im"], float(fields["dt"])
    turn = np.stack([np.stack([a, -w], 2), np.stack([w, a], 2)], 2)
    one = np.broadcast_to(np.eye(2), turn.shape)
    if words["discretization"] == "bilinear":
        rest = np.linalg.solve(one - step / 2 * turn, np.concatenate(
            [one + step / 2 * turn, step * one], 3))  # fmt: skip
    elif words["discretization"] == "dirac":
        rest = np.concatenate([expm(step * turn), step * one], 3)
    else:
        assert words["discretization"] == "zoh"
        whole = np.zeros((*a.shape, 4, 4))
        whole[..., :2, :2], whole[..., :2, 2:] = turn, one
        rest = expm(step * whole)[..., :2, :]
    return StateSpace(fields, rest, np.zeros((*a.shape, 2)))


def graph_in_file(path: Path, dt: float, type_check: bool) -> nir.NIRGraph:
    """Return the graph of a file; `nir` reads it where it has no proposed node."""
    kinds: set[bytes] = set()

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if name.endswith("/type"):
            kinds.add(item[()])

    with h5py.File(path) as file:
        file.visititems(note)
        if kinds & {b"StateSpace", b"Reset"}:
            return graph_in(file["node"], dt)
    return nir.read(path, type_check=type_check)


def graph_in(group: h5py.Group, dt: float) -> nir.NIRGraph:
    """Return a graph that may hold proposed nodes."""
    nodes = {}
    for name, part in group["nodes"].items():
        kind = part["type"][()].decode()
        if kind == "NIRGraph":
            nodes[name] = graph_in(part, dt)
        elif kind in ("StateSpace", "Reset"):
            nodes[name] = proposed(part, dt)
        else:
            nodes[name] = nir.dict2NIRNode(nir.serialization.hdf2dict(part))
    edges = [(a.decode(), b.decode()) for a, b in group["edges"][()]]
    return nir.NIRGraph(nodes, edges, type_check=False)


@dataclass
class Group:
    """Integrators of one cycle, or one alone: dx/dt = A x + G I + K, element by element."""

    names: list[str]
    step: np.ndarray  # (elements, members, 2 * members + 1), on (x, I, 1)
    state: np.ndarray  # (elements, members)


class Interpreter:
    """Runs a file: `run` takes (T, C) for the one Input, and returns (T, C) of the one Output."""

    def __init__(self, path: Path, dt: float, type_check: bool = True) -> None:
        self.nodes: dict[str, nir.NIRNode] = {}
        self.edges: list[tuple[str, str]] = []
        self._flatten(graph_in_file(path, dt, type_check), "")
        # resets act after the comparison of a step: no part of the order within it
        self.resets = {n: node for n, node in self.nodes.items() if isinstance(node, Reset)}
        self.acts = {a: b for a, b in self.edges if a in self.resets}
        self.edges = [edge for edge in self.edges if edge[0] not in self.resets]
        self.groups = self._groups(dt)
        grouped = {name: index for index, group in enumerate(self.groups) for name in group.names}
        # a group is one thing to sort, together with the Scale nodes that turn inside it
        inside = {name: grouped[cycle[0]] for cycle in self.cycles for name in cycle if cycle}
        self.place = {name: ("group", grouped.get(name, inside.get(name))) for name in
                      {*grouped, *inside}}  # fmt: skip
        before: dict[object, set[object]] = {}
        for name in self.nodes:
            before.setdefault(self.place.get(name, name), set())
        for a, b in self.edges:
            ends = self.place.get(a, a), self.place.get(b, b)
            if ends[0] != ends[1]:
                before[ends[1]].add(ends[0])
        self.order = list(TopologicalSorter(before).static_order())
        self.sources: dict[str, list[str]] = {name: [] for name in self.nodes}
        for a, b in self.edges:
            if b not in self.place or self.place.get(a) != self.place[b]:
                self.sources[b].append(a)
        self.shape = self._shapes()
        self.sparse = {
            name: csr_array(np.asarray(node.weight, np.float64))
            for name, node in self.nodes.items()
            if isinstance(node, nir.Linear | nir.Affine)
        }

    def run(self, given: np.ndarray) -> np.ndarray:
        for group in self.groups:
            group.state = np.zeros_like(group.state)
        for node in self.nodes.values():
            if isinstance(node, StateSpace):
                node.state = np.zeros_like(node.state)
            elif isinstance(node, Reset):
                node.value = np.zeros_like(node.value)
        return np.array([self._step(now) for now in given])

    def _step(self, now: np.ndarray) -> np.ndarray:
        sent: dict[str, np.ndarray] = {}
        for item in self.order:
            if isinstance(item, tuple):
                self._advance(self.groups[item[1]], sent)
            elif isinstance(node := self.nodes[item], nir.Input):
                sent[item] = now if "." not in item else self._arriving(item, sent)
            else:
                u = self._arriving(item, sent)
                sent[item] = self._algebra(item, node, u)
                if isinstance(node, nir.Output) and "." not in item:
                    out = sent[item]
        for name, reset in self.resets.items():
            self._reset(reset, self.acts[name], sent[name])
        return out

    def _reset(self, reset: Reset, target: str, spikes: np.ndarray) -> None:
        if reset.fades:
            reset.value = reset.left * reset.value + reset.fields["amplitude"] * spikes
            return
        if isinstance(states := self.nodes[target], StateSpace):  # the real part of one mode
            taken = reset.fields["amount"] * spikes
            assert reset.kind == "subtract" and states.state.shape[1] == 1
            states.state[:, 0, 0] -= taken
            return
        (group,) = [group for group in self.groups if target in group.names]
        state, amount = group.state[:, group.names.index(target)], reset.fields["amount"]
        jumped = state - amount if reset.kind == "subtract" else amount
        group.state[:, group.names.index(target)] = np.where(spikes > 0, jumped, state)

    def _algebra(self, name: str, node: nir.NIRNode, u: np.ndarray) -> np.ndarray:
        match node:
            case nir.Output() | nir.Flatten():
                return u
            case nir.Linear():
                return self.sparse[name] @ u
            case nir.Affine():
                return self.sparse[name] @ u + node.bias
            case nir.Conv1d() | nir.Conv2d() | nir.SumPool2d() | nir.AvgPool2d():
                return windows(node, u.reshape(self.shape[name])).ravel()
            case nir.Scale():
                return node.scale * u
            case nir.Threshold():
                taken = [
                    r.value for n, r in self.resets.items() if r.fades and self.acts[n] == name
                ]
                return (u - sum(taken) > node.threshold).astype(float)
            case StateSpace():
                return node.advance(u)
            case Reset():
                return u
        raise AssertionError(f"no equation for {type(node).__name__}")

    def _arriving(self, name: str, sent: dict[str, np.ndarray]) -> np.ndarray:
        return sum(sent[source] for source in self.sources[name])

    def _advance(self, group: Group, sent: dict[str, np.ndarray]) -> None:
        first, size = self.nodes[group.names[0]], len(group.state)
        if isinstance(first, nir.CubaLIF):  # the current is the second state
            u = [np.zeros(size), self._arriving(group.names[0], sent)]
        else:
            u = [self._arriving(name, sent) for name in group.names]
        held = np.stack([*group.state.T, *(np.broadcast_to(i, size) for i in u), np.ones(size)], 1)
        x = (group.step @ held[:, :, None])[:, :, 0]
        if isinstance(first, nir.LIF | nir.IF | nir.CubaLIF):
            fired = x[:, 0] > first.v_threshold
            x[:, 0] = np.where(fired, first.v_reset, x[:, 0])
            sent[group.names[0]] = fired.astype(float)
        else:
            for member, name in enumerate(group.names):
                sent[name] = x[:, member]
        group.state = x

    def _flatten(self, graph: nir.NIRGraph, prefix: str) -> None:
        def port(name: str, kind: type) -> str:
            node = graph.nodes[name]
            if not isinstance(node, nir.NIRGraph):
                return prefix + name
            (inner,) = [key for key, part in node.nodes.items() if isinstance(part, kind)]
            return f"{prefix}{name}.{inner}"

        for name, node in graph.nodes.items():
            if isinstance(node, nir.NIRGraph):
                self._flatten(node, f"{prefix}{name}.")
            else:
                self.nodes[prefix + name] = flat(node)
        self.edges += [(port(a, nir.Output), port(b, nir.Input)) for a, b in graph.edges]

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of what arrives at each node that looks at space."""
        found: dict[str, tuple[int, ...]] = {}
        sent: dict[str, tuple[int, ...]] = {}
        edges = [(self.place.get(a, a), self.place.get(b, b)) for a, b in self.edges]
        for item in self.order:
            before = [sent[a] for a, b in edges if b == item and a in sent]
            node = self.nodes.get(item) if isinstance(item, str) else None
            if isinstance(node, nir.Input):
                sent[item] = tuple(int(n) for n in np.asarray(node.input_type["input"]).ravel())
            elif isinstance(node, nir.Conv1d | nir.Conv2d | nir.SumPool2d | nir.AvgPool2d):
                found[item] = before[0]
                sent[item] = windows(node, np.zeros(before[0])).shape
            elif before and not isinstance(node, nir.Linear | nir.Affine | nir.Flatten):
                sent[item] = before[0]
        return found

    def _groups(self, dt: float) -> list[Group]:
        found = nx.strongly_connected_components(nx.DiGraph(self.edges))
        self.cycles = [sorted(cycle) for cycle in found if len(cycle) > 1]
        cyclic = {name for cycle in self.cycles for name in cycle}
        groups = [self._group([n for n in cycle if isinstance(self.nodes[n], nir.LI)], cycle, dt)
                  for cycle in self.cycles]  # fmt: skip
        alone = nir.LI | nir.LIF | nir.I | nir.IF | nir.CubaLIF
        for name, node in self.nodes.items():
            if name not in cyclic and isinstance(node, alone):
                groups.append(self._group([name], [name], dt))
        self.cycles = [
            [*(n for n in cycle if isinstance(self.nodes[n], nir.LI)), *cycle]
            for cycle in self.cycles
        ]
        return groups

    def _group(self, names: list[str], cycle: list[str], dt: float) -> Group:
        nodes = [self.nodes[name] for name in names]
        if isinstance(nodes[0], nir.CubaLIF):
            cuba = nodes[0]
            size, members = cuba.r.size, 2
            a, g, k = self._zeros(size, members)
            a[:, 0, 0], a[:, 0, 1] = -1 / cuba.tau_mem, cuba.r / cuba.tau_mem
            k[:, 0] = cuba.v_leak / cuba.tau_mem
            a[:, 1, 1], g[:, 1, 1] = -1 / cuba.tau_syn, cuba.w_in / cuba.tau_syn
        else:
            size, members = nodes[0].r.size, len(nodes)
            a, g, k = self._zeros(size, members)
            for row, node in enumerate(nodes):
                if isinstance(node, nir.I | nir.IF):
                    g[:, row, row] = node.r
                    continue
                a[:, row, row] = -1 / node.tau
                g[:, row, row] = node.r / node.tau
                k[:, row] = node.v_leak / node.tau
                for column, other in enumerate(names):
                    for turn in (n for n in cycle if isinstance(self.nodes[n], nir.Scale)):
                        if {(other, turn), (turn, names[row])} <= set(self.edges):
                            a[:, row, column] += node.r / node.tau * self.nodes[turn].scale
        whole = np.zeros((size, 2 * members + 1, 2 * members + 1))
        whole[:, :members] = np.concatenate([a, g, k[:, :, None]], axis=2)
        return Group(names, expm(whole * dt)[:, :members], np.zeros((size, members)))

    @staticmethod
    def _zeros(size: int, members: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        square = (size, members, members)
        return np.zeros(square), np.zeros(square), np.zeros((size, members))
