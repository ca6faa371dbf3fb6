"""Builds the Lava network of a file: neurons of ours, synapses of Lava's on every edge.

On the chip one neuron reaches another through synapses only, so every edge has some: the weights of
an `Affine`, a diagonal of ones elsewhere. Synapses deliver one step late; where paths of unlike
length converge, those of the shorter one are synapses with a delay, and so are those of a `Delay`.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from neurossm_chip.fused import values_of
from neurossm_chip.lava_nodes import Choice
from neurossm_chip.nssm import File, Node
from neurossm_chip.plan import Plan, hops, make_plan, on_host
from neurossm_chip.refusal import Refusal
from neurossm_chip.synapses import synapses
from neurossm_chip.wiring import Wire, Wiring, kind_of, program_of, wire


class Network:
    """The connected processes of a file.

    Parameters
    ----------
    file
        The graph; its golden vectors are played one after the other.
    folder
        Where outputs are written, and on the CPU the messages and states of every node.
    on_chip
        Whether host and neurons are to be connected through lava-loihi's adapters.
    choices
        Node name to how Lava's own process replaces ours.

    Attributes
    ----------
    wiring
        Who sends to whom, and in which process.
    nodes
        Name of the last node in a process to the process: the one that sends.
    inner
        All processes that belong on a chip.
    real
        Synapses that carry real numbers on the CPU, behind an S4d.
    """

    def __init__(self, file: File, folder: str, on_chip: bool, choices: dict[str, Choice]) -> None:
        s4d = [name for name, choice in choices.items() if choice.process == "S4d"]
        self.file, self.folder, self.on_chip, self.choices = file, folder, on_chip, choices
        self.wiring: Wiring = wire(file)
        self.plan: Plan = make_plan(file, s4d, self.wiring)
        self.nodes: dict[str, Any] = {}
        self.inner: list[Any] = []
        self.real: list[Any] = []
        self._states: dict[str, Any] = {}
        self._by_name = {node.name: node for node in file.nodes}
        self._ports: dict[tuple[str, int], int] = {}
        for unit in dict.fromkeys(self.wiring.units.values()):
            self._add(unit)
        for one in self.wiring.wires:
            if not self.wiring.is_inside(one):
                self._connect(one)

    @property
    def steps(self) -> int:
        """Steps to run."""
        return self.plan.steps

    def stem(self, name: str) -> str:
        """Return the start of the names of files that the process of a node writes."""
        last = self._by_name[self.wiring.units[name][-1]]
        return os.path.join(self.folder, f"node{self.file.nodes.index(last)}")

    def part(self, name: str, part: str) -> str:
        """Return how the process of a node names a part of its state."""
        unit = self.wiring.units[name]
        return part if len(unit) == 1 else f"m{unit.index(name)}_{part}"

    def channels(self, name: str) -> slice:
        """Return which channels of the messages of a process are those of a node."""
        width = self._by_name[name].channels
        first = self.wiring.units[name].index(name) * width
        return slice(first, first + width)

    def leaving(self, name: str) -> tuple[str, ...]:
        """Return the nodes whose messages leave the process of a node, side by side."""
        unit = self.wiring.units[name]
        sent = {one.source for one in self.wiring.wires if not self.wiring.is_inside(one)}
        return tuple(member for member in unit if member in sent) or unit[-1:]

    def _add(self, unit: tuple[str, ...]) -> None:
        from neurossm_chip.processes import neurons

        node = self._by_name[unit[-1]]
        if node.type == "Input":
            self.nodes[node.name] = neurons.Source(node.name, self._played(node))
            return
        if node.type == "Output":
            path = self.stem(node.name) + ".sink.npy"
            (one,) = self.wiring.into(node.name)
            channels = len(self.leaving(one.source)) * node.channels
            self.nodes[node.name] = neurons.Sink(node.name, channels, self.steps, path)
            return
        if len(unit) > 1:
            self.nodes[node.name] = self._shared(unit)
            self.inner.append(self.nodes[node.name])
            return
        choice = self.choices.get(node.name)
        if choice is None:
            process = self._ours(node)
        elif choice.process == "LIF":
            from lava.proc.lif.process import LIF

            process = LIF(shape=(node.channels,), name=node.name, **choice.arguments)
        else:
            process = self._s4d(node, choice)
        self.nodes[node.name] = process
        self.inner.append(process)

    def _played(self, node: Node) -> Any:
        """Return the integers of all samples, one after the other, with zeros between them."""
        each = [vector.inputs[node.name] for vector in self.file.golden]
        padded = [np.pad(array, ((0, self.plan.gap), (0, 0))) for array in each]
        return np.concatenate(padded).astype(np.int32)

    def _ours(self, node: Node) -> Any:
        from neurossm_chip.processes import neurons

        kind, values = self._program(node)
        for one in self.wiring.into(node.name):
            self._ports[one.target, one.position] = one.position if kind.ports > 1 else 0
        process = neurons.ON_CHIP[kind.__name__]
        shape = (self._width(node), node.channels)
        return process(node.name, shape, self._time(node), values, self._record(node))

    def _shared(self, unit: tuple[str, ...]) -> Any:
        """Return the process of several nodes."""
        from neurossm_chip.processes import neurons

        nodes = [self._by_name[name] for name in unit]
        kinds, programs = zip(*[self._program(node) for node in nodes])
        rows, used = [], 0
        for member, (node, kind) in enumerate(zip(nodes, kinds)):
            shared = -1  # the one port of a cell at which all its messages add up
            for one in self.wiring.into(node.name):
                if self.wiring.is_inside(one):
                    rows.append((member, -1 - unit.index(one.source)))
                    continue
                if kind.ports > 1 or shared < 0:
                    shared, used = used, used + 1
                    rows.append((member, shared))
                self._ports[one.target, one.position] = shared
        leaving, last = self.leaving(unit[-1]), nodes[-1]
        values = values_of(list(programs), rows, [unit.index(n) for n in leaving], last.channels)
        shape = (last.channels, len(leaving) * last.channels)
        process = neurons.sharing(*[kind.__name__ for kind in kinds])
        return process(last.name, shape, self._time(last), values, self._record(last))

    def _program(self, node: Node) -> tuple[Any, Any]:
        senders = [self._by_name[source] for source in node.sources]
        kind = kind_of(node)
        if 1 < kind.ports < len(senders):
            raise Refusal(f"node {node.name}: a {node.type} has {kind.ports} operands at most")
        return kind, program_of(node, senders)

    def _width(self, node: Node) -> int:
        """Return how many messages arrive on each port of a node."""
        summed = kind_of(node).weights(node) is not None
        return node.channels if summed else self._by_name[node.sources[0]].channels

    def _s4d(self, node: Node, choice: Choice) -> Any:
        """Build Lava's states, the synapses that sum them, and our readout behind."""
        try:
            from lava.proc.s4d.process import S4d
        except ImportError as error:
            raise Refusal("this Lava has no S4d: install lava-nc 0.10.0") from error
        from lava.proc.sparse.process import Sparse
        from scipy.sparse import identity, kron

        from neurossm_chip.processes import neurons

        modes = node.values("a_re").shape[1]
        states = S4d(shape=(node.channels * modes,), **choice.arguments)
        sums = Sparse(
            name=f"sum of the states of {node.name}",
            weights=kron(identity(node.channels), np.ones((1, modes)), "csr").astype(np.int32),
            num_message_bits=24,
        )
        states.s_out.connect(sums.s_in)
        shape = (node.channels, node.channels)
        readout = neurons.ON_CHIP["Readout"](
            node.name, shape, self._time(node), choice.readout, self._record(node)
        )
        sums.a_out.connect(readout.in_0)
        self._states[node.name] = states
        self.inner += [states, sums]
        self.real.append(sums)
        return readout

    def _time(self, node: Node) -> dict[str, int]:
        plan = self.plan
        return {"clock": -plan.latencies[node.name], "period": plan.period,
                "busy": plan.steps_each, "last": plan.last}  # fmt: skip

    def _record(self, node: Node) -> str:
        known = self.file.golden[0].values  # else there is nothing to compare
        return "" if self.on_chip or not known else self.stem(node.name)

    def _connect(self, one: Wire) -> None:
        from scipy.sparse import identity, kron

        sender, node = self._by_name[one.source], self._by_name[one.target]
        out = self.nodes[self.wiring.units[sender.name][-1]].s_out
        target = self.nodes[self.wiring.units[node.name][-1]]
        if self.on_chip and sender.type == "Input":
            out = _adapter("PyToNxAdapter", out, sender)
        if on_host(self.wiring, one):
            out = _adapter("NxToPyAdapter", out, node) if self.on_chip else out
            out.connect(target.in_0)
            return
        ones = identity(sender.channels)
        if node.name in self._states:
            fan_out = kron(ones, np.ones((node.values("a_re").shape[1], 1)))
            self._synapse(out, self._states[node.name].a_in, one, fan_out, 2)
            self._synapse(out, target.in_1, one, ones, 1)
            return
        weights = kind_of(node).weights(node)
        port = self._ports.get((one.target, one.position))  # none: the port of Lava's LIF
        into = target.a_in if port is None else getattr(target, f"in_{port}")
        taken = hops(self.wiring, one)
        self._synapse(out, into, one, ones if weights is None else weights, taken)

    def _synapse(self, out: Any, into: Any, one: Wire, weights: Any, taken: int) -> None:
        from scipy.sparse import csr_matrix, hstack

        sender, node = self._by_name[one.by], self._by_name[one.target]
        wait = self.plan.delay(one.source, one.target, taken, one.steps, one.by)
        leaving = self.leaving(one.source)
        if len(leaving) > 1:  # none from what stands beside it
            nothing, place = np.zeros(weights.shape, int), leaving.index(one.source)
            parts = [weights if k == place else nothing for k in range(len(leaving))]
            dense = isinstance(weights, np.ndarray)
            weights = np.hstack(parts) if dense else hstack([csr_matrix(p) for p in parts])
            wait = np.tile(wait, len(leaving)) if np.ndim(wait) else wait
        synapse = synapses(sender, node, weights, node.is_sparse, wait)
        out.connect(synapse.s_in)
        synapse.a_out.connect(into)
        self.inner.append(synapse)


def _adapter(kind: str, out: Any, node: Node) -> Any:
    from lava.proc.embedded_io import spike

    bits = 0 if node.out.kind == "binary" else 24
    adapter = getattr(spike, kind)(shape=out.shape, num_message_bits=bits)
    out.connect(adapter.inp)
    return adapter.out
