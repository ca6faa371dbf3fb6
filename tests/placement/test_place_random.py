"""Random graphs: everything placed once, no core above a limit, sums equal to a count by hand."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import asdict, dataclass, replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_networks import s4d_shape
from random_graphs import QUICK, Case, cases

from neurossm.errors import TargetError
from neurossm.graph import Graph
from neurossm.hardware import Hardware, Quantity, load_hardware
from neurossm.nodes import (
    Affine,
    Conv2d,
    Delay,
    DiagonalSSM,
    Embedding,
    Input,
    Output,
    ResonateAndFire,
)
from neurossm.placement import Connection, Placement, Slice, place

LOIHI2 = load_hardware("loihi2")


def synapses_by_hand(connection: Connection, part: Slice) -> Counter[int]:
    """Source neuron to its synapses on the core, one sum of a target neuron after the other."""
    found: Counter[int] = Counter()
    apart = connection.axons // connection.rows  # where each source has one target
    for neuron, row in product(range(part.first, part.stop), range(connection.rows)):
        if connection.kind == "dense":
            found.update(range(connection.axons))
        elif connection.kind == "fan-out":
            found[neuron // connection.fan] += 1
        elif connection.kind == "reduce":
            found.update(neuron * connection.fan + i for i in range(connection.fan))
        else:
            found[neuron + row * apart] += 1
    return found


def stored_singly(graph: Graph, connection: Connection, part: Slice) -> float:
    """Words of the synapses that a sparse node has on the core, one each; else infinity."""
    node = graph.nodes.get(connection.node)
    if not isinstance(node, Affine) or not node.sparse or connection.kind != "dense":
        return math.inf
    last = connection.first + connection.axons
    weight = node.weight.values.tolist()
    return sum(w != 0 for row in weight[part.first : part.stop]
               for w in row[connection.first : last])  # fmt: skip


def kernels_by_hand(graph: Graph, connection: Connection, part: Slice) -> int:
    """Words of the kernels of a convolution on the core: 8 filters of a group a word, an element
    of the kernel and input channel after the other."""
    node = graph.nodes[connection.node]
    assert isinstance(node, Conv2d)
    outs, own, kh, kw = node.weight.shape
    neurons = node.out_channels // connection.rows
    found = 0
    for row in range(connection.rows):
        sums = range(row * neurons + part.first, row * neurons + part.stop)
        filters = {j * outs // node.out_channels for j in sums}
        for group in range(node.groups):
            here = sum(o * node.groups // outs == group for o in filters)
            found += own * kh * kw * math.ceil(here / 8)
    return found


def words_by_hand(graph: Graph, placed: Placement, part: Slice) -> tuple[int, int, int, int]:
    population = placed.populations[part.population]
    per_neuron = population.plain + 2 * population.real_states + 3 * population.complex_states
    axons = synapses = 0
    for connection in population.inputs:
        if connection.kind == "shared":
            axons += 2
            synapses += kernels_by_hand(graph, connection, part)
            continue
        counted = synapses_by_hand(connection, part)
        axons += len(counted)
        per_word = {"dense": 3.1, "fan-out": 4}.get(connection.kind, 1)
        words = sum(math.ceil(count / per_word) for count in counted.values())
        synapses += min(words, stored_singly(graph, connection, part))
    return part.neurons * per_neuron, axons, synapses, part.neurons


@dataclass(frozen=True)
class Most:
    """Words of a core."""

    neuron: int = 4095
    shared: int = 16000
    total: int = 20000

    def chip(self) -> Hardware:
        def one(value: int) -> Quantity:
            return Quantity(value, value, "word", "a test", "U")

        limits = replace(
            LOIHI2.limits,
            neuron_words_per_core=one(self.neuron),
            synapse_words_per_core=one(self.shared),
            words_per_core=one(self.total),
        )
        return replace(LOIHI2, limits=limits)


TINY = Most(9, 22, 25)  # little enough that most populations of three channels are cut


def check(graph: Graph, placed: Placement, most: Most) -> None:
    covered: dict[str, list[range]] = {name: [] for name in placed.populations}
    sums = Counter()
    for number, core in enumerate(placed.cores):
        assert (core.chip, core.index) == divmod(number, 120)
        by_hand = [sum(column) for column in zip(
            *(words_by_hand(graph, placed, part) for part in core.slices), strict=True
        )]  # fmt: skip
        found = [core.neuron_words, core.axon_in_words, core.synapse_words, core.axon_map_words]
        assert found == by_hand
        assert core.neuron_words <= most.neuron
        assert sum(found[1:]) <= most.shared
        assert sum(found) <= most.total
        assert 1 <= len(core.slices) <= 8
        sums.update(dict(zip(("neuron", "axon_in", "synapse", "axon_map"), found, strict=True)))
        for part in core.slices:
            covered[part.population].append(range(part.first, part.stop))
    for name, ranges in covered.items():
        neurons = sorted(neuron for piece in ranges for neuron in piece)
        assert neurons == list(range(placed.populations[name].neurons)), name
    assert asdict(placed.total) == dict(sums)
    assert placed.chips == -(-len(placed.cores) // 120)


@QUICK
@given(cases(), st.sampled_from(["state", "channel"]), st.booleans(), st.booleans())
def test_every_neuron_is_placed_once_within_all_limits(
    case: Case, mapping: str, shared: bool, tiny: bool
) -> None:
    most = TINY if tiny else Most()
    try:
        placed = place(case.graph, most.chip(), chips=1 if shared else None, ssm_mapping=mapping)
    except TargetError as error:  # one neuron with 3 states and a fan-in of 7 tokens is too much
        assert tiny and str(error).startswith("node ")
        return
    check(case.graph, placed, most)
    if not tiny:
        check_connections(case.graph, placed)


def check_connections(graph: Graph, placed: Placement) -> None:
    # every node that computes has its neurons in exactly one population, synapses in a connection
    held = Counter(node for p in placed.populations.values() for node in p.nodes)
    carried = {c.node for p in placed.populations.values() for c in p.inputs}
    delayed = {c.delay for p in placed.populations.values() for c in p.inputs}
    for name, node in graph.nodes.items():
        if isinstance(node, Input):
            assert name not in held
        elif isinstance(node, Delay):
            assert name not in held
            feeds = [graph.nodes[target] for target in graph.targets[name]]
            if any(not isinstance(target, Delay) and target.updates for target in feeds):
                assert name in delayed
        elif node.updates or isinstance(node, Output):
            assert held[name] == 1
        elif graph.targets[name] or held[name]:
            assert name in carried
    whole = (DiagonalSSM, ResonateAndFire)
    states = sum(n.updates for n in graph.nodes.values() if isinstance(n, whole))
    words = sum(p.complex_states * p.neurons for p in placed.populations.values())
    assert words == states
    for population in placed.populations.values():
        for connection in population.inputs:
            sender = placed.populations.get(connection.source)
            if sender is not None:
                assert connection.axons == sender.neurons
            else:
                source = graph.nodes[connection.source]
                assert isinstance(source, Input)
                receiver = graph.nodes.get(connection.node)
                tokens = receiver.tokens if isinstance(receiver, Embedding) else 1
                assert connection.axons == source.out_channels * tokens


@pytest.mark.parametrize("groups", [1, 3])
def test_cores_are_shared_only_up_to_their_groups_and_only_where_chips_are_few(groups: int) -> None:
    limits = LOIHI2.limits
    few = replace(
        LOIHI2,
        limits=replace(
            limits,
            cores=replace(limits.cores, low=2, high=2),
            neuron_groups_per_core=replace(limits.neuron_groups_per_core, low=groups, high=groups),
        ),
    )
    shape = s4d_shape(width=128, states=4, layers=1)
    whole = place(shape, few, ssm_mapping="state")
    assert [len(core.slices) for core in whole.cores] == [1] * 6  # three chips of two
    if groups == 3:
        placed = place(shape, few, chips=1, ssm_mapping="state")
        assert sorted(len(core.slices) for core in placed.cores) == [3, 3]
        assert placed.chips == 1
    else:
        with pytest.raises(TargetError, match=r"at most 2 cores in all .* got 6, of"):
            place(shape, few, chips=1, ssm_mapping="state")
