"""What a chip cannot hold is refused by name, with limit, need and remedy."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from published_networks import s4d_shape
from spiking_block import model_graph, tiny_graph

from neurossm.errors import GraphError, InputError, TargetError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.hardware import Quantity, load_hardware
from neurossm.nodes import DiagonalSSM, Input, Output
from neurossm.placement import (
    NodeShape,
    Shape,
    check,
    place,
    place_each,
    populations_of,
    shape_of,
)

LOIHI1, LOIHI2 = load_hardware("loihi1"), load_hardware("loihi2")


def test_a_model_is_ok_on_loihi2() -> None:
    answer = check(model_graph(), LOIHI2)
    assert answer.ok and answer.fits
    assert [node.name for node in answer.nodes] == list(model_graph().order)
    assert answer.placement is not None
    assert answer.placement.cores == place(model_graph(), LOIHI2).cores


def test_loihi1_is_refused_node_by_node_and_whether_it_fits_stays_open() -> None:
    answer = check(model_graph(), LOIHI1)
    assert not answer.ok and answer.fits is None
    assert "limits.synapse_words_per_core" in answer.why_not
    reasons = {node.name: [f.reason for f in node.findings] for node in answer.nodes}
    assert any("no microcode" in reason for reason in reasons["block0.ssm"])
    assert any("multiply two inputs" in reason for reason in reasons["block0.product"])
    assert reasons["block0.spike"] == []  # binary spikes travel
    assert reasons["block0.value"] == []  # its sum stays where the next neuron is
    assert any("graded spikes" in reason for reason in reasons["block0.residual"])
    assert all(f.remedy for node in answer.nodes for f in node.findings)


def test_a_network_of_spikes_alone_has_nothing_against_it_on_loihi1() -> None:
    assert [n.name for n in check(tiny_graph(), LOIHI1).nodes if not n.ok] == []


def test_integers_wider_than_the_chips_are_named() -> None:
    four = Quantity(4, 4, "bit", "a test", "U")
    chip = replace(
        LOIHI2, limits=replace(LOIHI2.limits, weight_bits=four, message_bits=four, state_bits=four)
    )
    found = {n.name: [f.reason for f in n.findings] for n in check(model_graph(), chip).nodes}
    assert "messages of 24 bits, at most 4 [U]" in found["encode"]
    assert "a state of 24 bits, at most 4 [U]" in found["block0.ssm"]
    assert any(reason.startswith("weights of ") for reason in found["block0.value"])
    remedies = {f.remedy for n in check(model_graph(), chip).nodes for f in n.findings}
    wanted = {f"quantize with --{what} 4" for what in ("weights", "state", "activations")}
    assert remedies == wanted  # the limit of this chip, not of another
    # gains of 8 bits are no synapses: a neuron's program multiplies by them
    assert not any(reason.startswith("weights") for reason in found["block0.ssm"])
    # mantissas of 5 and -4 need 4 bits with sign, 3 needs 3
    tiny = {n.name: [f.reason for f in n.findings] for n in check(tiny_graph(), chip).nodes}
    assert not any(reason.startswith("weights") for reason in tiny["read"])


def test_what_breaks_the_contract_fails_with_its_remedy() -> None:
    graph = tiny_graph()
    broken = replace(graph.nodes["mix"], out=Fixed(24, 3))
    threshold = replace(graph.nodes["spike"], theta=Quantized(np.array([2, 3]), 3, 24))
    answer = check(graph.with_nodes({"mix": broken, "spike": threshold}), LOIHI2)
    assert not answer.ok and answer.fits
    assert [node.name for node in answer.nodes if not node.ok] == ["mix"]


def test_more_states_in_a_neuron_than_it_has_words_are_refused_by_name() -> None:
    # 3 words a state, 512 words a neuron: 170 states fit, 171 do not
    fits = s4d_shape(width=8, states=170, layers=1, real=False)
    assert place(fits, LOIHI2, ssm_mapping="channel").cores
    too_many = s4d_shape(width=8, states=171, layers=1, real=False)
    with pytest.raises(
        TargetError,
        match=r"node 's4d' on 'loihi2': expected at most 512 words a neuron, got 513; use fewer"
        r" states a channel, or --ssm-mapping state",
    ):
        place(too_many, LOIHI2, ssm_mapping="channel")
    assert place(too_many, LOIHI2, ssm_mapping="state").cores


def test_too_few_chips_are_refused_with_the_largest_population() -> None:
    shape = s4d_shape(width=2048, states=64, layers=2)
    needed = len(place(shape, LOIHI2).cores)
    assert needed > 120
    with pytest.raises(TargetError) as caught:
        place(shape, LOIHI2, chips=1)
    message = str(caught.value)
    assert "'loihi2': expected at most 120 cores in all (1 chip of 120 cores), got " in message
    enough = int(message.split("; use ")[1].removesuffix(" chips or more"))
    assert 1 < enough <= place(shape, LOIHI2).chips
    assert place(shape, LOIHI2, chips=enough).chips == enough  # the remedy is one
    with pytest.raises(TargetError):
        place(shape, LOIHI2, chips=enough - 1)


def test_the_largest_system_known_is_the_end() -> None:
    two = Quantity(2, 2, "chip", "a test", "U")
    small = replace(LOIHI2, limits=replace(LOIHI2.limits, system_chips=two))
    with pytest.raises(TargetError, match="2 chips of 120 cores, the largest system known"):
        place(s4d_shape(width=2048, states=64, layers=2), small, ssm_mapping="state")


def test_a_fan_in_that_fills_a_core_is_cut_and_said() -> None:
    # 20,000 tokens: one neuron alone would need 40,000 of 16,000 words
    nodes = {
        "tokens": NodeShape(type="Input", inputs=0, outputs=1),
        "table": NodeShape(type="Embedding", inputs=20_000, outputs=64),
        "lif": NodeShape(type="LIF", inputs=64, outputs=64, memory=True),
        "out": NodeShape(type="Output", inputs=64, outputs=64),
    }
    shape = Shape(nodes, (("tokens", "table"), ("table", "lif"), ("lif", "out")))
    placed = place(shape, LOIHI2)
    parts = [p for p in placed.populations.values() if p.kind == "part"]
    covered = [(p.inputs[0].first, p.inputs[0].first + p.inputs[0].axons) for p in parts]
    assert covered[0][0] == 0 and covered[-1][1] == 20_000
    assert all(a[1] == b[0] for a, b in pairwise(covered))
    assert all(p.neurons == 64 for p in parts)
    assert [c.source for c in placed.populations["lif"].inputs] == [p.name for p in parts]
    assert any("fan-in too large" in sentence for sentence in placed.assumptions)
    assert all(core.words.fits(placed.budget) for core in placed.cores)


def test_unknown_mappings_and_chips_below_one_are_refused() -> None:
    with pytest.raises(InputError, match=r"ssm_mapping: expected state \| channel, got 'states'"):
        populations_of(shape_of(tiny_graph()), "states")
    with pytest.raises(InputError, match="chips: expected a whole number of at least 1, got 0"):
        place(tiny_graph(), LOIHI2, chips=0)


def test_a_shape_out_of_order_is_refused() -> None:
    nodes = {
        "out": NodeShape(type="Output", inputs=1, outputs=1),
        "in": NodeShape(type="Input", inputs=0, outputs=1),
    }
    with pytest.raises(GraphError, match="its source does not come before its target"):
        Shape(nodes, (("in", "out"),))


def test_the_channel_mapping_says_its_interval_of_words() -> None:
    placed = place(model_graph(blocks=1, modes=16), LOIHI2, ssm_mapping="channel")
    (held,) = [p for p in placed.populations.values() if p.complex_states]
    assert held.nodes == ("block0.ssm", "block0.spike")
    assert held.fewest_neuron_words(placed.budget) == 1 + 2 * 16
    assert held.neuron_words(placed.budget) == 3 * 16
    assert any("between 1 + 2 N and 3 N words" in sentence for sentence in placed.assumptions)


@pytest.mark.parametrize("d", [0.0, 1.0])
def test_what_is_fed_through_beside_the_states_has_synapses_of_its_own(d: float) -> None:
    ones, zeros = np.ones((2, 3)), np.zeros((2, 3))
    ssm = DiagonalSSM(
        a_re=ones / 2, a_im=zeros, b_re=ones, b_im=zeros, c_re=ones, c_im=zeros, drive_re=zeros,
        drive_im=zeros, d=np.array([0.0, d]), bias=np.zeros(2), step_size=np.ones(2), method="zoh",
    )  # fmt: skip
    graph = Graph(
        {"in": Input(channels=2, out=Fixed(8)), "ssm": ssm, "out": Output(channels=2)},
        (("in", "ssm"), ("ssm", "out")),
    )
    relay = next(p for p in populations_of(shape_of(graph), "state") if p.name == "ssm")
    assert [c.kind for c in relay.inputs] == ["reduce", *(["one-to-one"] if d else [])]


def test_mappings_differ_only_where_there_are_states_to_map() -> None:
    shape = s4d_shape(width=8, states=2, layers=1)
    assert len(place_each(shape, LOIHI2).fit) == 2
    assert len(place_each(tiny_graph(), LOIHI2).fit) == 1
