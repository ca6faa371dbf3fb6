"""Builds the Lava network of a graph after its layout, and connects the processes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lava.proc.dense.process import Dense
from lava.proc.sparse.process import Sparse
from lava.utils.weightutils import SignMode

from neurossm.fixed import Fixed
from neurossm.graph import Edge
from neurossm.nodes import Affine, format_of, message_frac, quantized
from neurossm_converters.backends.lava.job import Job
from neurossm_converters.backends.lava.kinds import PROCESSES, cell_of
from neurossm_converters.backends.lava.layout import Carrier, Layout, lay_out
from neurossm_converters.backends.lava.plan import Plan
from neurossm_converters.backends.lava.processes.neurons import Synapses
from neurossm_converters.backends.lava.processes.stages import Stage
from neurossm_converters.backends.lava.record import Frame
from neurossm_converters.backends.lava.stage import Member, Outlet, StagePlan, Wire
from neurossm_converters.backends.lava.variables import variables_of

# an edge, two groups, or a node whose message goes into several synapses
Key = Edge | tuple[int, int] | str


class Network:
    """The processes of a job.

    Parameters
    ----------
    job, plan
        What to run, and when each node works.
    folder
        Where the processes write.

    Attributes
    ----------
    processes
        Those of the nodes, in graph order of their first node; synapses hang on them.
    """

    def __init__(self, job: Job, plan: Plan, folder: Path) -> None:
        self.job, self.plan, self.folder = job, plan, folder
        self.layout: Layout = lay_out(job.graph, plan, job.options)
        self.processes: list[Any] = []
        self._into: dict[Key, Any] = {}
        self._out: dict[Key, Any] = {}
        for position, group in enumerate(self.layout.groups):
            if self.layout.fused:
                self._add_stage(position)
            else:
                self._add_neuron(*group)
        self._connect()

    def _connect(self) -> None:
        for edge in self.job.graph.edges:
            if edge in self._into:
                end = self._out[edge[0]]
                if edge in self.layout.synapses:
                    synapses = self._synapses(edge, self.layout.synapses[edge])
                    end.connect(synapses.s_in)
                    end = synapses.a_out
                end.connect(self._into[edge])
        for pair in self.layout.bundles:
            if pair in self._into:
                self._out[pair].connect(self._into[pair])

    def _add_neuron(self, name: str) -> None:
        node, frame = self.job.graph.nodes[name], self._frame(name)
        process = PROCESSES[type(node)](frame, self._arriving(name), self._variables(name))
        self.processes.append(process)
        self._out[name] = process.s_out
        for position, source in enumerate(self.job.graph.sources[name]):
            self._into[source, name] = process.port(position)

    def _add_stage(self, position: int) -> None:
        group, bundles = self.layout.groups[position], self.layout.bundles
        incoming: dict[Key, int] = {}  # to how many integers arrive
        for pair in bundles:
            if pair[1] == position:
                incoming[pair] = self._channels(bundles[pair])
        for target in group:
            for source in self.job.graph.sources[target]:
                if (source, target) in self.layout.synapses:
                    incoming[source, target] = self._arriving(target)
        outgoing: dict[Key, tuple[str, ...]] = {
            pair: names for pair, names in bundles.items() if pair[0] == position
        }
        outgoing |= {s: (s,) for s, _ in self.layout.synapses if s in group}
        ports = {key: index for index, key in enumerate(incoming)}
        plan = StagePlan(
            members=tuple(self._member(name, position, ports) for name in group),
            arriving=tuple(self._shape(channels) for channels in incoming.values()),
            leaving=tuple(
                Outlet(tuple(map(group.index, names)), self._shape(self._channels(names)))
                for names in outgoing.values()
            ),
            stacked=self.job.options.stacked,
        )
        process = Stage(plan)
        self.processes.append(process)
        self._into |= {key: getattr(process, f"in_{index}") for key, index in ports.items()}
        self._out |= {key: getattr(process, f"out_{i}") for i, key in enumerate(outgoing)}

    def _member(self, name: str, position: int, ports: dict[Key, int]) -> Member:
        group, wires = self.layout.groups[position], []
        for source in self.job.graph.sources[name]:
            if (source, name) in ports:
                wires.append(Wire(port=True, index=ports[source, name]))
            elif source in group:
                wires.append(Wire(port=False, index=group.index(source)))
            else:
                pair, names = next(
                    (pair, names)
                    for pair, names in self.layout.bundles.items()
                    if pair[1] == position and source in names
                )
                first = self._channels(names[: names.index(source)])
                stop = first + self._channels((source,))
                wires.append(Wire(port=True, index=ports[pair], first=first, stop=stop))
        kind = cell_of(self.job.graph.nodes[name], self._inside(name))
        return Member(self._frame(name), kind, self._variables(name), tuple(wires))

    def _channels(self, names: tuple[str, ...]) -> int:
        return sum(self.job.graph.nodes[name].out_channels for name in names)

    def _shape(self, channels: int) -> tuple[int, ...]:
        """Return the shape of a port, as `Frame.port_shape`."""
        stacked = self.job.options.stacked
        return (channels,) if stacked == 1 else (stacked, channels)

    def _inside(self, name: str) -> bool:
        """Return whether a node has synapses and forms their sums itself."""
        node, sources = self.job.graph.nodes[name], self.job.graph.sources[name]
        return isinstance(node, Affine) and (sources[0], name) not in self.layout.synapses

    def _arriving(self, name: str) -> int:
        """Return how many integers arrive on each edge: messages, or the sums of synapses."""
        node = self.job.graph.nodes[name]
        summed = isinstance(node, Affine) and not self._inside(name)
        return max(node.out_channels if summed else node.in_channels, 1)

    def _variables(self, name: str) -> dict[str, Any]:
        graph, node = self.job.graph, self.job.graph.nodes[name]
        formats = [format_of(graph.nodes[source]) for source in graph.sources[name]]
        # a Source has no source
        frac = message_frac(graph.nodes[graph.sources[name][0]]) if formats else None
        variables = variables_of(node, formats, self.job.options.stacked, frac)
        if self._inside(name):
            assert isinstance(node, Affine)
            variables["weight"] = quantized(node.weight).values
        return variables

    def _frame(self, name: str) -> Frame:
        """Return the place of a node in the run."""
        job = self.job
        # synapses of another process deliver a step late by themselves
        late = int(self._inside(name))
        return Frame(
            folder=str(self.folder),
            index=job.graph.order.index(name),
            node=name,
            channels=job.graph.nodes[name].out_channels,
            latency=self.plan.latencies[name],
            delays=tuple(self.plan.delays[s, name] + late for s in job.graph.sources[name]),
            samples=job.samples,
            steps=job.steps,
            stacked=job.options.stacked,
            recorded=name in job.recorded,
            lengths=job.lengths,
            fault=job.fault if job.fault is not None and job.fault.node == name else None,
        )

    def _synapses(self, edge: Edge, carrier: Carrier) -> Any:
        source, target = (self.job.graph.nodes[name] for name in edge)
        assert isinstance(target, Affine)
        name, weight = f"synapses {edge[0]} -> {edge[1]}", quantized(target.weight).values
        stacked = self.job.options.stacked
        if carrier == "own":
            return Synapses(name, weight, () if stacked == 1 else (stacked,))
        kind = Sparse if carrier == "sparse" else Dense
        return kind(
            name=name,
            # mixed signs clear the lowest bit: 2m goes in, and the exponent takes the 2 back
            weights=2 * weight,
            weight_exp=-1,
            num_weight_bits=8,
            sign_mode=SignMode.MIXED,
            num_message_bits=message_bits(format_of(source)),
        )


def message_bits(fmt: Fixed) -> int:
    """Return the width that Lava's synapses are told for messages of a format."""
    if fmt.kind == "binary":
        return 0  # makes every non-zero message a 1, which would be wrong for -1
    return fmt.bits if fmt.kind == "graded" else 24
