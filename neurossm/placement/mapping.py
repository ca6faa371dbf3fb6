"""From a network to populations: which graph nodes become one chip neuron, and what arrives there.

What is assumed is returned as sentences: nobody has published how an SSM with several states in one
neuron is laid out, nor what a neuron may do beside what Lava's own processes do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from neurossm.errors import GraphError, InputError
from neurossm.nodes import Role
from neurossm.placement.population import (
    DENSE,
    FAN_OUT,
    ONE_TO_ONE,
    REDUCE,
    SHARED,
    Connection,
    Population,
)
from neurossm.placement.shape import NodeShape, Shape

SSM_MAPPINGS = ("state", "channel")
DEFAULT_MAPPING = "channel"  # what `deploy` makes of our own processes
LONGEST_DELAY = 63  # 6 bits: what synapses take
MOST_SUMS = 2  # Lava's ProdNeuron and RF have two inputs; no process with more is known


def populations_of(shape: Shape, ssm_mapping: str = DEFAULT_MAPPING) -> tuple[Population, ...]:
    """Return the populations of a network, in its order.

    Rules:

    - `Affine`, `Conv2d`, `Embedding` are synapses; their sum lives in the neuron that receives it,
      or in a relay where several nodes do, or another synapse, an `Output` or single states;
    - a node that acts on each channel joins the neuron in front, where that feeds nothing else and
      keeps at most two sums apart then;
    - ``state``: each state of an SSM is a neuron, as Intel maps it: fan-out in front, and behind it
      a reduction into the neuron that receives the sum, or into a relay; D is a synapse of its own.
    - ``channel``: a neuron holds the states of its channel, and what acts on its output;
    - a `Delay` has no neurons: the synapses of what it feeds are delayed, and what feeds it keeps
      its sum in a neuron;
    - of a complex state that sends both of its parts each part is a neuron (`ComplexDiagonal`);
    - an `Output` is a receiver, one neuron a channel, as in Intel's network.

    Raises
    ------
    InputError
        If there is no such mapping.
    GraphError
        If activations would be delayed for longer than synapses can.
    """
    if ssm_mapping not in SSM_MAPPINGS:
        expected = " | ".join(SSM_MAPPINGS)
        raise InputError("ssm_mapping", expected=expected, got=repr(ssm_mapping))
    mapping = _Mapping(shape, by_state=ssm_mapping == "state")
    for name, node in shape.nodes.items():
        mapping.add(name, node)
    return tuple(mapping.populations.values())


def assumptions(populations: Sequence[Population]) -> tuple[str, ...]:
    """Return what the plan takes for granted, with grades."""
    found = [
        "Neuron words, dense synapses, fan-out and reduction: from compiler tables [D]; zero"
        " weights of dense synapses are given no credit, and these the fewest a word that the"
        " tables show.",
        "An axon map of one word a neuron, however many cores receive: three in the tables [D],"
        " more is an assumption [U].",
    ]
    if any(p.real_states + p.complex_states > 1 for p in populations):
        found.append(
            "A neuron with N complex states has between 1 + 2 N and 3 N words [U]: one has 3, a"
            " plain neuron 1 [D]; nobody has published more. The plan takes 3 N."
        )
    if any(kind == "ComplexDiagonal" for p in populations for kind, _ in p.work):
        found.append(
            "A complex state that sends both of its parts takes two neurons, one for each part,"
            " with the words of a real state each, that read each other's part [U]; one neuron that"
            " sends two messages would take fewer words and passes."
        )
    if any(len(p.nodes) > 1 or p.sums > 1 for p in populations):
        found.append(
            "A neuron may do the work of several graph nodes, and keep two sums apart as Lava's"
            " ProdNeuron does [U]: that such microcode exists and fits is not verified."
        )
    if any(p.sums > MOST_SUMS for p in populations):
        names = ", ".join(p.name for p in populations if p.sums > MOST_SUMS)
        found.append(f"More than two sums kept apart in one neuron [U]: {names}.")
    if any(c.kind == SHARED for p in populations for c in p.inputs):
        found.append(
            "A core keeps the kernels of its filters once, 8 weights a word, and a word or two for"
            " all axons of a convolution: from compiler tables [D]. The plan cuts a convolution"
            " filter by filter; Intel's compiler cuts tiles of space, so that fewer activations"
            " reach each core [D]."
        )
    if any(p.kind == "part" for p in populations):
        found.append(
            "A fan-in too large for a core is cut: relays sum its parts and send them on [U]. Of"
            " tokens only one part speaks at a time; other parts could each saturate by themselves,"
            " and a cut takes a step more: such a plan's arithmetic is to be proven."
        )
    sparse = dict.fromkeys(c.node for p in populations for c in p.inputs if c.pattern)
    if sparse:
        found.append(
            f"Synapses of {', '.join(sparse)} have the sparse encoding on a core where it takes"
            " fewer words than the dense one; each is given a word of its own, as a lone synapse in"
            " the tables [D]: an upper bound. Each axon has its word on every core of its targets,"
            " even where no synapse of it lies."
        )
    return tuple(found)


class _Mapping:
    """The populations so far, and who keeps and sends the activations of each node."""

    def __init__(self, shape: Shape, by_state: bool) -> None:
        self.shape, self.by_state = shape, by_state
        self.populations: dict[str, Population] = {}
        self._delayed = {n: _fed_by(shape, n) for n, node in shape.nodes.items() if node.delay}
        # what feeds a delay is the last node of its neurons, and so their name
        self._sender = dict(self._delayed)

    def add(self, name: str, node: NodeShape) -> None:
        if node.delay:
            return
        if node.role is Role.INPUT:
            self._sender[name] = name
        elif node.is_synapse:
            if self._needs_relay(name):
                self._put(self._relay(name, node, self._incoming(name)))
        elif node.modes and self.by_state:
            self._add_states(name, node)
        else:
            self._add_neurons(name, node)

    def _put(self, population: Population) -> None:
        self.populations[population.name] = population
        for node in population.nodes:
            self._sender[node] = population.name

    def _relay(self, name: str, node: NodeShape, inputs: tuple[Connection, ...]) -> Population:
        return Population(name, "relay", (name,), node.outputs, inputs)

    def _add_states(self, name: str, node: NodeShape) -> None:
        states = Population(
            self._states_name(name),
            "states",
            (name,),
            node.inputs * node.modes,
            self._arriving(name, FAN_OUT, node.modes),
            plain=0,
            real_states=int(node.real),
            complex_states=int(not node.real),
            work=((node.type, node.updates),),
        )
        self._put(states)
        if self._needs_relay(name):
            inputs = self._incoming(name)
            self._put(Population(name, "relay", (), node.outputs, inputs, sums=_sums(inputs)))
            self._sender[name] = name

    def _add_neurons(self, name: str, node: NodeShape) -> None:
        inputs = self._arriving(name)
        operands = len(self.shape.sources[name]) if node.operands else 1
        rows = node.inputs // node.outputs if node.whole else 1
        if rows > 1:
            inputs = tuple(replace(c, rows=rows) for c in inputs)
        sums = max(operands, rows, _sums(inputs))
        outside, modes = node.role is Role.OUTPUT, node.modes
        updates = max(1, node.updates) * max(1, modes)  # a receiver has one too
        own = Population(
            name,
            "receiver" if outside else "neurons",
            (name,),
            node.outputs,
            inputs,
            plain=int(node.memory) if modes else int(not (node.parts or node.whole)),
            real_states=1 if node.parts else modes if node.real else 0,
            complex_states=1 if node.whole else 0 if node.real else modes,
            sums=sums,
            work=(("relay" if outside else node.type, updates),),
        )
        alone = modes or node.parts or rows > 1 or outside
        front = None if alone else self._private_neuron(name, sums)
        if front is None:
            self._put(own)
            return
        del self.populations[front.name]
        inputs = tuple(c for c in inputs if c.source != front.name)
        has_states = front.real_states + front.complex_states > 0
        keeps = front.plain if has_states or self._keeps(front) else 0
        self._put(
            Population(
                name,
                "neurons",
                (*front.nodes, name),
                node.outputs,
                front.inputs + inputs,
                plain=max(int(not has_states and not node.whole), keeps + int(node.memory)),
                real_states=front.real_states,
                complex_states=front.complex_states + own.complex_states,
                sums=front.sums + sums - 1,
                work=front.work + own.work,
            )
        )

    def _keeps(self, population: Population) -> bool:
        return any(self.shape.nodes[node].memory for node in population.nodes)

    def _private_neuron(self, name: str, sums: int) -> Population | None:
        """Return the population in front that this node can join."""
        for source in self.shape.sources[name]:
            front = self.populations.get(self._sender.get(source, ""))
            private = self.shape.targets[source] == (name,)
            if front is None or not private or front.kind != "neurons":
                continue
            if front.nodes[-1] == source and front.sums + sums - 1 <= MOST_SUMS:
                return front
        return None

    def _needs_relay(self, name: str) -> bool:
        """Tell whether a sum has no neuron to live in."""
        targets = self.shape.targets[name]
        if len(targets) != 1:
            return True
        target = self.shape.nodes[targets[0]]
        single_states = bool(target.modes) and self.by_state
        hands_on = target.role is Role.OUTPUT or target.delay > 0
        return target.is_synapse or single_states or hands_on

    def _arriving(self, name: str, kind: str = ONE_TO_ONE, fan: int = 1) -> tuple[Connection, ...]:
        """Return the connections into the neurons of a node."""
        found: list[Connection] = []
        for source in self.shape.sources[name]:
            if source in self._sender and not self._is_open_sum(source):
                sender = self._sender[source]
                axons, sent = self.shape.nodes[source].outputs, self._sent(source)
                found.append(Connection(sender, kind, axons, fan, **sent))
            else:
                found += self._incoming(source)
        return tuple(found)

    def _is_open_sum(self, source: str) -> bool:
        """Tell whether the sum of a node lives in the neuron that receives it."""
        node = self.shape.nodes[source]
        summed = node.is_synapse or (bool(node.modes) and self.by_state)
        return summed and not self._needs_relay(source)

    def _incoming(self, name: str) -> tuple[Connection, ...]:
        """Return the connections that make the sum of a synapse node, or of an SSM's states."""
        node = self.shape.nodes[name]
        if node.is_synapse:
            return tuple(
                Connection(
                    self._sender[s],
                    SHARED if node.windows else DENSE,
                    node.inputs,
                    node=name,
                    **self._sent(s),
                    one_hot=node.one_hot,
                    pattern=node.pattern,
                    windows=node.windows,
                )
                for s in self.shape.sources[name]
            )
        states = self._states_name(name)
        reduce = Connection(states, REDUCE, node.inputs * node.modes, node.modes, through=name)
        fed = [
            Connection(self._sender[s], ONE_TO_ONE, node.inputs, node=name, **self._sent(s))
            for s in self.shape.sources[name]
            if node.fed_through
        ]
        return (reduce, *fed)

    def _sent(self, source: str) -> dict[str, Any]:
        """Return whose activations travel where this node feeds another, and by which delay."""
        if source in self._delayed:
            return {"through": self._delayed[source], "delay": source}
        return {"through": source}

    def _states_name(self, name: str) -> str:
        own = f"{name}.states"
        while own in self.shape.nodes:  # a node of the graph may have that name
            own += "_"
        return own


def _fed_by(shape: Shape, delay: str) -> str:
    """Return the node in front of a delay, and of the delays in front of that."""
    name, steps, seen = delay, 0, set()
    while shape.nodes[name].delay and name not in seen:
        seen.add(name)
        steps += shape.nodes[name].delay
        (name,) = shape.sources[name]
    if name in seen:
        raise GraphError(
            f"node {delay!r}",
            expected="a node in front that is no delay",
            got="a cycle of delays alone, which stay silent",
            remedy="take them out",
        )
    if steps > LONGEST_DELAY:
        raise GraphError(
            f"node {delay!r}",
            expected=f"at most {LONGEST_DELAY} steps from one neuron to the next, as synapses have",
            got=str(steps),
            remedy="put a Sum between the delays: a neuron of its own",
        )
    return name


def _sums(inputs: Sequence[Connection]) -> int:
    """Return the sums kept apart where what is fed through has a shift of its own."""
    fed = any(c.kind == ONE_TO_ONE and c.node for c in inputs)
    return 2 if fed and any(c.kind == REDUCE for c in inputs) else 1
