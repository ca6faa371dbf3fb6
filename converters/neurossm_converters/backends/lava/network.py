"""Builds the Lava network of a graph by its layout, and connects the processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from neurossm_chip.cells import cell_of, program
from neurossm_chip.nssm import File, Node
from neurossm_chip.synapses import synapses
from neurossm_converters.backends.lava.node import Program
from neurossm_converters.backends.lava.orders import Edge, Orders
from neurossm_converters.backends.lava.processes.stages import Stage
from neurossm_converters.backends.lava.record import Frame
from neurossm_converters.backends.lava.stage import Member, Outlet, StagePlan, Wire

# an edge, two groups, or a node whose message goes into several synapses
Key = Edge | tuple[int, int] | str


class Network:
    """The processes of a job.

    Parameters
    ----------
    file
        The graph, in the order of the orders.
    orders
        What to run, when each node works, and in which process.
    folder
        Where the processes write.

    Attributes
    ----------
    processes
        Those of the nodes, in graph order of their first node; synapses hang on them.
    """

    def __init__(self, file: File, orders: Orders, folder: Path) -> None:
        self.orders, self.folder = orders, folder
        self.nodes = {node.name: node for node in file.nodes}
        self.processes: list[Any] = []
        self._into: dict[Key, Any] = {}
        self._out: dict[Key, Any] = {}
        for position in range(len(orders.layout.groups)):
            self._add_stage(position)
        for edge, carrier in orders.layout.synapses.items():
            source, target = (self.nodes[name] for name in edge)
            weights = cell_of(target.name, target.type).weights(target)
            if carrier == "dense" and not isinstance(weights, np.ndarray):
                weights = weights.toarray()
            between = synapses(source, target, weights, sparse=carrier == "sparse")
            self._out[edge[0]].connect(between.s_in)
            between.a_out.connect(self._into[edge])
        for pair in orders.layout.bundles:
            self._out[pair].connect(self._into[pair])

    def _add_stage(self, position: int) -> None:
        layout = self.orders.layout
        group, bundles = layout.groups[position], layout.bundles
        incoming: dict[Key, int] = {}  # to how many integers arrive
        for pair in bundles:
            if pair[1] == position:
                incoming[pair] = self._channels(bundles[pair])
        for edge in layout.synapses:
            if edge[1] in group:
                incoming[edge] = self.nodes[edge[1]].channels
        outgoing: dict[Key, tuple[str, ...]] = {
            pair: names for pair, names in bundles.items() if pair[0] == position
        }
        outgoing |= {s: (s,) for s, _ in layout.synapses if s in group}
        ports = {key: index for index, key in enumerate(incoming)}
        plan = StagePlan(
            members=tuple(self._member(name, position, ports) for name in group),
            arriving=tuple(self._shape(channels) for channels in incoming.values()),
            leaving=tuple(
                Outlet(tuple(map(group.index, names)), self._shape(self._channels(names)))
                for names in outgoing.values()
            ),
            batch=self.orders.options.batch,
        )
        process = Stage(plan)
        self.processes.append(process)
        self._into |= {key: getattr(process, f"in_{index}") for key, index in ports.items()}
        self._out |= {key: getattr(process, f"out_{i}") for i, key in enumerate(outgoing)}

    def _member(self, name: str, position: int, ports: dict[Key, int]) -> Member:
        layout, wires = self.orders.layout, []
        group = layout.groups[position]
        for source in self.nodes[name].sources:
            if (source, name) in ports:
                wires.append(Wire(port=True, index=ports[source, name]))
            elif source in group:
                wires.append(Wire(port=False, index=group.index(source)))
            else:
                pair, names = next(
                    (pair, names)
                    for pair, names in layout.bundles.items()
                    if pair[1] == position and source in names
                )
                first = self._channels(names[: names.index(source)])
                stop = first + self._channels((source,))
                wires.append(Wire(port=True, index=ports[pair], first=first, stop=stop))
        node = self.nodes[name]
        return Member(self._frame(node), self._program(node), tuple(wires))

    def _channels(self, names: tuple[str, ...]) -> int:
        return sum(self.nodes[name].channels for name in names)

    def _shape(self, channels: int) -> tuple[int, ...]:
        """Return the shape of a port: ``(C,)``, or ``(S, C)`` with samples side by side."""
        batch = self.orders.options.batch
        return (channels,) if batch == 1 else (batch, channels)

    def _program(self, node: Node) -> Program:
        kind, values = program(node, [self.nodes[source] for source in node.sources])
        carried = any((source, node.name) in self.orders.layout.synapses for source in node.sources)
        weights = None if carried else kind.weights(node)
        return Program(kind, values, weights, plays=not node.sources, kept=kind.kept(node))

    def _frame(self, node: Node) -> Frame:
        """Return the place of a node in the run."""
        orders, name = self.orders, node.name
        # Lava's synapses deliver a step late by themselves; ours wait
        own = cell_of(name, node.type).synapses
        edges = [(source, name) for source in node.sources]
        late = [int(own and edge not in orders.layout.synapses) for edge in edges]
        return Frame(
            folder=str(self.folder),
            index=orders.order.index(name),
            node=name,
            channels=node.channels,
            latency=orders.plan.latencies[name],
            delays=tuple(orders.plan.delays[e] + more for e, more in zip(edges, late, strict=True)),
            samples=orders.samples,
            steps=orders.steps,
            batch=orders.options.batch,
            recorded=name in orders.recorded,
            lengths=orders.lengths,
        )
