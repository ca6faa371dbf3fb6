"""How processes are connected: delays become synaptic delays, nodes of a cycle share neurons.

A `Delay` is no process: the synapses behind it take its steps. One that changes the unit of graded
spikes is the exception, as synapses cannot shift toward zero: it shifts as a neuron, and the
synapses behind it delay.

In a loop a message must be back in as many steps as the loop has delays, and every layer of
synapses takes one. So there a sum of synapses is formed in the neuron that it feeds, and so is what
acts on each channel: these nodes share a process.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neurossm_chip.cell import Cell, Variables
from neurossm_chip.cells import cell_of, program
from neurossm_chip.nssm import File, Node, together
from neurossm_chip.refusal import Refusal

MOST_PORTS = 8  # of a process


class Wire(NamedTuple):
    """An edge between nodes that work.

    `by` is the node by whose name the graph has the message: the sender, or the last delay of
    `steps` (C,) in all; `position` the place among the operands of the target.
    """

    source: str
    target: str
    position: int
    by: str
    steps: Any


class Wiring(NamedTuple):
    """Nodes that work, what leads from one to another, which share a process, which feed back."""

    nodes: dict[str, Node]
    wires: tuple[Wire, ...]
    units: dict[str, tuple[str, ...]]
    loops: dict[str, set[str]]

    def is_inside(self, wire: Wire) -> bool:
        """Tell whether a message stays in its process, and takes no step."""
        same = self.units[wire.source] == self.units[wire.target]
        return same and not wire.steps.any()

    def into(self, name: str) -> list[Wire]:
        """Return the wires into a node."""
        return [wire for wire in self.wires if wire.target == name]


def is_folded(node: Node, nodes: dict[str, Node]) -> bool:
    """Tell whether a node is a delay that synapses take over."""
    return node.type == "Delay" and node.message == nodes[node.sources[0]].message


def kind_of(node: Node) -> type[Cell]:
    """Return the cell that does the work of a node; of a delay, all but the waiting."""
    return cell_of(node.name, "Sum" if node.type == "Delay" else node.type)


def program_of(node: Node, senders: list[Node]) -> Variables:
    """Return its parameters."""
    return program(node._replace(type="Sum") if node.type == "Delay" else node, senders)[1]


def wire(file: File) -> Wiring:
    """Return the wiring of a graph; refuse a cycle of delays alone, which nothing enters."""
    for node in file.nodes:
        kind_of(node)  # a node that has no cell is refused before anything is looked at
    every = {node.name: node for node in file.nodes}
    nodes = {name: node for name, node in every.items() if not is_folded(node, every)}
    wires = tuple(
        _wire(every, node, position, source)
        for node in nodes.values() for position, source in enumerate(node.sources)
    )  # fmt: skip
    before: dict[str, set[str]] = {name: set() for name in nodes}
    for one in wires:
        before[one.target].add(one.source)
    loops = together(before)
    return Wiring(nodes, wires, _units(nodes, wires, loops), loops)


def _wire(nodes: dict[str, Node], target: Node, position: int, by: str) -> Wire:
    name, seen = by, set()
    steps = np.zeros(nodes[by].channels, np.int64)
    while nodes[name].type == "Delay":
        if name in seen:
            raise Refusal(f"node {by} (Delay): a cycle of delays alone, which nothing enters")
        seen.add(name)
        steps = steps + np.asarray(nodes[name].fields["steps"], np.int64)
        if not is_folded(nodes[name], nodes):
            break
        name = nodes[name].sources[0]
    return Wire(name, target.name, position, by, steps)


def _units(
    nodes: dict[str, Node], wires: tuple[Wire, ...], loops: dict[str, set[str]]
) -> dict[str, tuple[str, ...]]:
    """Return for each node the nodes of its process, in graph order."""
    kinds = {name: kind_of(node) for name, node in nodes.items()}
    summed = {name: kinds[name].weights(nodes[name]) is not None for name in nodes}
    units: dict[str, tuple[str, ...]] = {name: (name,) for name in nodes}
    at_once = [w for w in wires if w.source in loops[w.target] and not w.steps.any()]
    # sums of synapses first: a step more for each is what a loop can spare least
    for one in sorted(at_once, key=lambda w: not summed[w.source]):
        names = set(units[one.source]) | set(units[one.target])
        joined = tuple(name for name in nodes if name in names)
        tried = {**units, **dict.fromkeys(joined, joined)}
        inner = [w for w in at_once if w.target in names and w.source in names]
        ports = [w for name in joined for w in _ports(name, wires, kinds, inner)]
        if any(summed[w.target] for w in inner) or len(ports) > MOST_PORTS:
            continue
        if _acyclic(tried, at_once):
            units = tried
    return {name: _in_order(unit, at_once) for name, unit in units.items()}


def _in_order(names: tuple[str, ...], at_once: list[Wire]) -> tuple[str, ...]:
    """Return the nodes of a process, each behind those whose messages it needs in the same step."""
    done: list[str] = []
    while len(done) < len(names):
        needed = {
            w.target for w in at_once if w.source in names and w.source not in done
        }  # fmt: skip
        done.append(next(name for name in names if name not in done and name not in needed))
    return tuple(done)


def _ports(
    name: str, wires: tuple[Wire, ...], kinds: dict[str, type[Cell]], inner: list[Wire]
) -> list[int]:
    outer = [w.position for w in wires if w.target == name and w not in inner]
    return outer if kinds[name].ports > 1 else outer[:1]


def _acyclic(units: dict[str, tuple[str, ...]], at_once: list[Wire]) -> bool:
    """Tell whether no process waits for itself within a step."""
    before: dict[tuple[str, ...], set[tuple[str, ...]]] = {unit: set() for unit in units.values()}
    for one in at_once:
        if units[one.source] != units[one.target]:
            before[units[one.target]].add(units[one.source])
    waiting: list[tuple[str, ...]] = list(before)
    while waiting:
        left = [unit for unit in waiting if before[unit] & set(waiting)]
        if len(left) == len(waiting):
            return False
        waiting = left
    return True
