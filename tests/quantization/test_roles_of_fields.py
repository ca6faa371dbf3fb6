"""Of a node that only declares its fields everything else follows, or is refused by name."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from float_model import gated_block, pixels

from neurossm import contract
from neurossm.engine import run
from neurossm.errors import GraphError, RangeError, TargetError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics.state_messages import state_messages
from neurossm.nodes import (
    LIF,
    NODE_TYPES,
    Accumulate,
    Affine,
    Embedding,
    Evaluated,
    Input,
    Meets,
    Node,
    Output,
    Product,
    Role,
)
from neurossm.nodes.node import node
from neurossm.nodes.parameter import parameter
from neurossm.placement import place
from neurossm.placement.shape import NodeShape
from neurossm.quantization import Quantize, bounds, calibrate, headroom
from neurossm.quantization.ranges import RangeRules


@node
class Scaled(Node):
    """``y = gain u + offset``: of the number formats nothing is said but where they come from."""

    gain: object = parameter("C", exponent="own", bits="weight_bits", most=8, label="gain",
                             reason="the largest gain fits")  # fmt: skip
    offset: object = parameter("C", exponent="output", label="offset", reason="added at the end")

    @property
    def in_channels(self) -> int:
        return self.gain.shape[0]

    def step(self, at):
        raise NotImplementedError  # nothing here runs integers

    def evaluate(self, operands):
        return Evaluated(sum(operands) * np.asarray(self.gain) + np.asarray(self.offset), {})


@node
class Fires(Node):
    """Spikes at a level."""

    level: object = parameter("C", exponent="input", rounding="up", above=0, label="threshold",
                              reason="rounded up")  # fmt: skip
    role, compares, sends = Role.SPIKING, True, Fixed.ternary()

    @property
    def in_channels(self) -> int:
        return self.level.shape[0]

    step = Scaled.step

    def evaluate(self, operands):
        return Evaluated((sum(operands) >= np.asarray(self.level)).astype(float), {})


@node
class Passes(Node):
    """Sends what arrives."""

    channels: int
    passes_on = True

    @property
    def in_channels(self) -> int:
        return self.channels

    step = Scaled.step

    def evaluate(self, operands):
        return Evaluated(sum(operands), {})


@node
class Late(Passes):
    """Sends what arrived before."""

    late = True


@node
class Operands(Passes):
    """Takes each edge as an operand."""

    meets, passes_on = Meets.OPERANDS, False


@node
class Untold(Scaled):
    """A field whose exponent nobody says."""

    extra: object = parameter("C")


@node
class Meaningless(Node):
    """A node without integers."""

    gain: object = parameter("C", exponent="own")

    @property
    def in_channels(self) -> int:
        return self.gain.shape[0]

    def evaluate(self, operands):
        return Evaluated(sum(operands), {})


IN = Fixed(9, 4)  # 1/16
SCALED = Scaled(gain=[0.75, -3.0], offset=[0.5, 100.0])


def chain(*nodes: Node) -> Graph:
    named: dict[str, Node] = {"in": Input(channels=2, out=IN)}
    named |= {f"node{k}": node for k, node in enumerate(nodes)} | {"out": Output(channels=2)}
    names = list(named)
    return Graph(named, tuple(pairwise(names)), meta={"steps": 2})


INPUTS = np.array([[[16, 32], [-16, 8]]])  # 1 and 2, -1 and 0.5


def quantized(graph, settings=Quantize()):  # noqa: B008  # a frozen value
    return settings.explained(graph, calibrate(graph, run(graph, INPUTS, "float")))


def test_fields_become_integers_by_their_roles():
    made = quantized(chain(SCALED)).graph.nodes["node0"]
    # 3 fits 7 bits at 5 fraction bits: 96; 0.75 is 24
    np.testing.assert_array_equal(made.gain.values, [24, -96])
    assert (made.gain.frac, made.gain.bits) == (5, 8)
    # 100 - 1.5 = 98.5 is the largest seen: with a bit of headroom 197 in 23 bits, 2**15 a unit
    assert made.out == Fixed(24, 15)
    np.testing.assert_array_equal(made.offset.values, [2**14, 100 * 2**15])
    assert made.offset.frac == 15


def test_narrower_settings_give_narrower_fields():
    made = quantized(chain(SCALED), Quantize(weight_bits=4, activation_bits=12)).graph.nodes[
        "node0"
    ]
    assert (made.gain.frac, made.gain.bits, made.out.bits) == (1, 4, 12)
    np.testing.assert_array_equal(made.gain.values, [2, -6])


def test_what_is_compared_is_rounded_up_and_out_of_reach_the_largest():
    spiking = Fires(level=[0.26, 1e6])
    found = quantized(chain(spiking))
    made = found.graph.nodes["node0"]
    np.testing.assert_array_equal(made.level.values, [5, 2**23 - 1])  # 4.16 sixteenths
    # the report speaks of what is rounded: 5/16 for 0.26
    (error,) = (choice.error for choice in found.choices if choice.what == "level")
    assert error == pytest.approx(5 / 16 - 0.26)
    (loss,) = found.losses
    assert (loss.what, loss.channels) == ("threshold", (1,)) and "1e+06" in loss.reason


def test_what_passes_on_has_the_format_that_arrives():
    assert quantized(chain(Passes(channels=2))).graph.nodes["node0"].out == IN


def test_the_report_lists_fields_that_have_a_reason_then_the_messages():
    listed = [
        (choice.node, choice.what, choice.format, choice.rule, choice.reason)
        for choice in quantized(chain(SCALED, Fires(level=[1.0, 1.0]))).choices
        if choice.node.startswith("node")
    ]
    assert listed[:2] == [
        ("node0", "gain", "s8.5", "parameters", "the largest gain fits"),
        ("node0", "offset", "s24.15", "parameters", "added at the end"),
    ]
    assert [row[1] for row in listed[2:]] == ["messages", "level", "messages"]
    assert listed[2][3] == "observed" and listed[4][3:] == ("follows", "spikes")


def test_fields_without_a_reason_are_not_listed_and_what_else_a_node_chose_is():
    graph = gated_block()
    made = Quantize().explained(graph, calibrate(graph, run(graph, pixels(), "float")))
    listed = {
        name: [(c.what, c.format) for c in made.choices if c.node == name]
        for name in ("sigmoid", "mean")
    }
    assert [what for what, _ in listed["sigmoid"]] == ["slopes", "messages"]
    # 30 steps of 2**18 - 1 stay below 2**23, of 2**19 - 1 not
    frac = made.graph.nodes["mean"].out.frac
    assert listed["mean"] == [("terms", f"s19.{frac}"), ("messages", f"s24.{frac}")]


def problems(graph, **changes):
    spoiled = replace(graph.nodes["node0"], **changes)
    return [
        (p.node, p.expected, p.got)
        for p in contract.problems(graph.with_nodes({"node0": spoiled}))
        if p.node == "node0"
    ]


def test_the_contract_asks_for_what_the_roles_say():
    graph = quantized(chain(SCALED)).graph
    assert contract.problems(graph) == ()
    offset = Quantized(np.array([1, 1]), 14, 24)
    assert problems(graph, offset=offset) == [("node0", "offset exponent 15", "14")]
    wide = [("node0", "a gain of 8 bits with one exponent", "9 bits")]
    assert problems(graph, gain=Quantized(np.array([1, 1]), 5, 9)) == wide
    several = Quantized(np.array([1, 1]), np.array([5, 6]), 8)
    assert problems(graph, gain=several)[0][1] == "a gain of 8 bits with one exponent"
    spikes = [("node0", "graded spikes from a node that computes", "binary")]
    offset = Quantized(np.array([1, 1]), 0, 24)
    assert problems(graph, out=Fixed.binary(), offset=offset) == spikes

    graph = quantized(chain(Fires(level=[1.0, 1.0]))).graph
    level = Quantized(np.array([1, 1]), 5, 24)
    assert problems(graph, level=level) == [("node0", "threshold exponent 4", "5")]
    graph = quantized(chain(Passes(channels=2))).graph
    assert problems(graph, out=Fixed(9, 5)) == [("node0", "the format s9.4 that arrives", "s9.5")]


def test_bounds_follow_from_what_is_sent_and_are_infinite_where_nobody_knows():
    floating = chain(SCALED, Fires(level=[1.0, 1.0]), Passes(channels=2))
    found = bounds(floating)
    np.testing.assert_array_equal(found.messages["node0"].high, [np.inf, np.inf])
    for name in ("node1", "node2", "out"):
        np.testing.assert_array_equal(found.messages[name].low, [-1, -1])
        np.testing.assert_array_equal(found.messages[name].high, [1, 1])
    integer = quantized(floating).graph
    assert [(r.node, r.register, r.proven) for r in headroom(integer)] == [
        ("node0", "message", False)
    ]
    with pytest.raises(GraphError, match=r"'node0': expected a worst case that is finite"):
        quantized(floating, Quantize(range_rule="bound"))


def test_edges_that_add_have_a_register_and_operands_have_none():
    for behind, registers in (
        (Fires(level=[1.0, 1.0]), ["sum of edges"]),
        (Operands(channels=2), []),
    ):
        nodes = {name: Input(channels=2, out=IN) for name in ("a", "b")}
        nodes |= {"node": behind, "out": Output(channels=2)}
        floating = Graph(nodes, (("a", "node"), ("b", "node"), ("node", "out")))
        trace = run(floating, {"a": INPUTS, "b": INPUTS}, "float")
        integer = Quantize()(floating, calibrate(floating, trace))
        found = [item for item in bounds(integer).registers["node"] if item.what != "message"]
        assert [item.what for item in found] == registers
        # 255 sixteenths on each edge
        assert [item.largest for item in found] == [510] * len(registers)


def test_what_is_late_may_send_its_first_zeros():
    five = Affine(weight=np.zeros((2, 2)), bias=np.full(2, 5.0))
    found = bounds(chain(five, Passes(channels=2), Late(channels=2)))
    assert [found.messages[name].low.tolist() for name in ("node1", "node2")] == [[5, 5], [0, 0]]
    assert found.messages["node2"].high.tolist() == [5, 5]


def test_a_product_has_no_more_fraction_bits_than_its_operands_together():
    nodes = {name: Input(channels=1, out=Fixed(5, frac)) for name, frac in (("a", 1), ("b", 2))}
    nodes |= {"node": Product(channels=1), "out": Output(channels=1)}
    floating = Graph(nodes, (("a", "node"), ("b", "node"), ("node", "out")))
    trace = run(floating, {name: np.array([[[1]]]) for name in "ab"}, "float")
    assert Quantize()(floating, calibrate(floating, trace)).nodes["node"].out.frac == 3


def test_a_table_that_would_be_all_zeros_is_refused():
    nodes = {
        "in": Input(channels=1, out=Fixed(8, 0)),
        "table": Embedding(table=np.full((3, 2), 2.0**-80)),
        "out": Output(channels=2),
    }
    floating = Graph(nodes, (("in", "table"), ("table", "out")))
    trace = run(floating, np.array([[[1]]]), "float")
    with pytest.raises(RangeError, match=r"node 'table': table: expected weights of at least"):
        Quantize()(floating, calibrate(floating, trace))


def test_a_running_sum_is_no_finer_than_the_membranes_behind_it():
    zero = np.zeros(2)
    lif = LIF(theta=[20.0, 20.0], tau=[1.0, 1.0], rho=zero, kappa=zero, reset="hard")
    graph = chain(Accumulate(channels=2, steps=2), lif)
    graph = graph.with_nodes({"in": Input(channels=2, out=Fixed(24, 20))})
    ones = np.full((1, 2, 2), 2**20)
    made = Quantize()(graph, calibrate(graph, run(graph, ones, "float")))
    # the terms' 23 bits hold 2 with 20 fraction bits, the membrane's 24 hold 20 with 18
    assert made.nodes["node0"].out == Fixed(24, 18)


def test_a_field_that_fits_no_format_names_the_node():
    # 24 bits of 2**-20 end at 8; a sum of real numbers that twice the largest input reaches may not
    graph = chain(Fires(level=[9.0, 1.0])).with_nodes({"in": Input(channels=2, out=Fixed(24, 20))})
    with pytest.raises(RangeError, match=r"node 'node0': the threshold of channel 0.*got 9"):
        quantized(graph)


def test_what_a_node_does_not_say_and_nothing_implies_is_refused_by_name():
    untold = Untold(gain=[1.0, 1.0], offset=[0.0, 0.0], extra=[1.0, 1.0])
    with pytest.raises(GraphError) as caught:
        quantized(chain(untold))
    assert "node 'node0' (Untold): expected a rule for the exponent of its extra" in str(
        caught.value
    )
    assert "write Untold.quantize" in str(caught.value)


def test_a_node_without_integers_is_refused_by_name_everywhere():
    graph = chain(Meaningless(gain=[1.0, 1.0]))
    with pytest.raises(GraphError, match=r"'node0' \(Meaningless\).*write Meaningless.step"):
        quantized(graph)
    with pytest.raises(GraphError, match=r"'node0'.*a node that a chip has, got a Meaningless"):
        place(graph, load_hardware("loihi2"))
    integer = graph.with_nodes({
        "node0": Meaningless(gain=Quantized(np.array([1, 1]), 0, 8), out=IN),
        "out": Output(channels=2, out=IN),
    })  # fmt: skip
    assert [(p.node, p.expected, p.got) for p in contract.problems(integer)] == [
        ("node0", "a node with an integer meaning", "a Meaningless")
    ]


def test_a_chip_places_it_and_its_file_is_asked_for_its_passes_by_name():
    chip = load_hardware("loihi2")
    placed = place(quantized(chain(SCALED, Fires(level=[1.0, 1.0]))).graph, chip)
    (population,) = (p for p in placed.populations.values() if "node0" in p.nodes)
    assert population.work == (("Scaled", 1), ("Fires", 1))
    with pytest.raises(
        TargetError, match=r"expected passes.Scaled.*add the number with its source"
    ):
        population.passes(chip)


def test_a_shape_of_a_type_that_there_is_not_is_refused():
    with pytest.raises(GraphError, match=r"expected a type of node: .*DiagonalSSM.*got 'Dendrite'"):
        NodeShape(type="Dendrite", inputs=1, outputs=1)
    assert NodeShape(type="Embedding", inputs=5, outputs=1).one_hot
    assert "Scaled" not in NODE_TYPES  # it lives in this test


@node
class Modal(Scaled):
    """A node with states of its own that says nothing of them."""

    modes = 2


def test_states_that_a_node_does_not_tell_are_refused_by_name():
    graph = chain(Modal(gain=[1.0, 1.0], offset=[0.0, 0.0]))
    trace = run(graph, INPUTS, "float")
    rules = RangeRules("observed", (), 1, calibrate(graph, trace), lambda: bounds(graph))
    for asked in (rules.state, rules.seen_membrane):
        with pytest.raises(GraphError, match="'node0': expected the largest magnitudes of"):
            asked("node0", np.ones((2, 2)))
    with pytest.raises(GraphError, match=r"'node0' \(Modal\): expected a DiagonalSSM"):
        state_messages(graph, "node0", trace)
