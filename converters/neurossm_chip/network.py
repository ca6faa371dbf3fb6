"""Builds the Lava network of a file: neurons of ours, synapses of Lava's on every edge.

On the chip one neuron reaches another through synapses only, so every edge has some: the weights of
an `Affine`, a diagonal of ones elsewhere. Synapses deliver one step late; where paths of unlike
length converge, those of the shorter one are synapses with a delay.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from neurossm_chip.cells import cell_of, program
from neurossm_chip.lava_nodes import Choice
from neurossm_chip.nssm import File, Node
from neurossm_chip.plan import Plan, make_plan
from neurossm_chip.refusal import Refusal
from neurossm_chip.synapses import synapses


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
        Node name to how Lava's own process stands in for ours.

    Attributes
    ----------
    nodes
        Node name to its process: the one that sends.
    inner
        All processes that belong on a chip.
    real
        Synapses that carry real numbers on the CPU, behind an S4d.
    """

    def __init__(self, file: File, folder: str, on_chip: bool, choices: dict[str, Choice]) -> None:
        s4d = [name for name, choice in choices.items() if choice.process == "S4d"]
        self.file, self.folder, self.on_chip, self.choices = file, folder, on_chip, choices
        self.plan: Plan = make_plan(file, s4d)
        self.nodes: dict[str, Any] = {}
        self.inner: list[Any] = []
        self.real: list[Any] = []
        self._states: dict[str, Any] = {}
        self._by_name = {node.name: node for node in file.nodes}
        for node in file.nodes:
            self._add(node)
            for position, source in enumerate(node.sources):
                self._connect(self._by_name[source], node, position)

    @property
    def steps(self) -> int:
        """Steps to run."""
        return self.plan.steps

    def stem(self, node: Node) -> str:
        """Return the start of the names of files that a node writes."""
        return os.path.join(self.folder, f"node{self.file.nodes.index(node)}")

    def _add(self, node: Node) -> None:
        from neurossm_chip.processes import neurons

        if node.type == "Input":
            played = np.concatenate([vector.inputs[node.name] for vector in self.file.golden])
            self.nodes[node.name] = neurons.Source(node.name, played.astype(np.int32))
            return
        if node.type == "Output":
            path = self.stem(node) + ".sink.npy"
            self.nodes[node.name] = neurons.Sink(node.name, node.channels, self.steps, path)
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

    def _ours(self, node: Node) -> Any:
        from neurossm_chip.processes import neurons

        senders = [self._by_name[source] for source in node.sources]
        kind, values = program(node, senders)
        if 1 < kind.ports < len(senders):
            raise Refusal(f"node {node.name}: a {node.type} has {kind.ports} operands at most")
        summed = kind.weights(node) is not None
        shape = (node.channels if summed else senders[0].channels, node.channels)
        process = neurons.ON_CHIP[node.type]
        return process(node.name, shape, self._time(node), values, self._record(node))

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
        clock = -self.plan.latencies[node.name]
        return {"clock": clock, "period": self.plan.period, "last": self.plan.last}

    def _record(self, node: Node) -> str:
        known = self.file.golden[0].values  # else there is nothing to compare
        return "" if self.on_chip or not known else self.stem(node)

    def _connect(self, sender: Node, node: Node, position: int) -> None:
        from scipy.sparse import identity, kron

        out, target = self.nodes[sender.name].s_out, self.nodes[node.name]
        if self.on_chip and sender.type == "Input":
            out = _adapter("PyToNxAdapter", out, sender)
        if node.type == "Output":
            out = _adapter("NxToPyAdapter", out, node) if self.on_chip else out
            out.connect(target.in_0)
            return
        ones = identity(sender.channels)
        if node.name in self._states:
            fan_out = kron(ones, np.ones((node.values("a_re").shape[1], 1)))
            self._synapse(out, self._states[node.name].a_in, sender, node, fan_out, hops=2)
            self._synapse(out, target.in_1, sender, node, ones, hops=1)
            return
        kind = cell_of(node.name, node.type)
        weights = kind.weights(node)
        if weights is None:
            weights = ones
        into = f"in_{position if kind.ports > 1 else 0}"
        into = into if hasattr(target, into) else "a_in"  # the port of Lava's LIF
        self._synapse(out, getattr(target, into), sender, node, weights, hops=1)

    def _synapse(
        self, out: Any, into: Any, sender: Node, node: Node, weights: Any, hops: int
    ) -> None:
        wait = self.plan.delay(sender.name, node.name, hops)
        synapse = synapses(sender, node, weights, wait=wait)
        out.connect(synapse.s_in)
        synapse.a_out.connect(into)
        self.inner.append(synapse)


def _adapter(kind: str, out: Any, node: Node) -> Any:
    from lava.proc.embedded_io import spike

    bits = 0 if node.out.kind == "binary" else 24
    adapter = getattr(spike, kind)(shape=out.shape, num_message_bits=bits)
    out.connect(adapter.inp)
    return adapter.out
