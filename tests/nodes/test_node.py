"""What a node says of itself: parameters, state, traits; what it leaves out is refused by name."""

from dataclasses import fields, replace
from itertools import pairwise
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from neurossm import nodes
from neurossm.errors import GraphError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.metrics import dense_operations
from neurossm.nodes import (
    LIF,
    NODE_TYPES,
    Accumulate,
    Affine,
    BatchNorm,
    Change,
    DiagonalSSM,
    Input,
    Node,
    Output,
    Product,
    Role,
    Step,
    Sum,
    Threshold,
)
from neurossm.nodes.node import node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.values import Array
from neurossm.report import graph_svg
from neurossm_converters.formats import nir as neurossm_nir


@node
class Late(Node):
    """Sends what it took one step before."""

    gain: Array = parameter("C")
    late = True

    @property
    def in_channels(self) -> int:
        return len(self.gain)

    def state_parts(self):
        return {"kept": (2,)}

    def send(self, state):
        return state["kept"]

    def take(self, at):
        at.state["kept"] = at.u


@node
class Mute(Late):
    """A node that says nothing of what it does."""

    late = False


def lif(kappa):
    return LIF(theta=[1.0, 2.0], tau=[0.5, 0.5], rho=[0.0, 0.0], kappa=kappa, reset="hard")


def test_every_module_of_the_package_brings_its_nodes():
    offered = {name: getattr(nodes, name) for name in nodes.__all__}  # one line for each, by hand
    kinds = {name for name, it in offered.items() if isinstance(it, type) and issubclass(it, Node)}
    assert set(NODE_TYPES) == kinds - {"Node"}, "name it in neurossm/nodes/__init__.py"
    assert {"Input", "Affine", "Delay"} < kinds
    assert "Late" not in NODE_TYPES  # of no module of the package


def test_parameters_and_their_axes_are_those_of_the_fields():
    assert Affine.shapes == {"weight": "OI", "bias": "O"}
    assert Mute.shapes == Late.shapes == {"gain": "C"} and Node.shapes == {}
    assert list(DiagonalSSM.shapes) == [f.name for f in fields(DiagonalSSM)][1:11]
    with pytest.raises(TypeError, match="theta"):
        Threshold()


def test_the_state_begins_with_zeros_and_is_counted():
    state = lif([0.0, 1.0]).initial_state(3)
    assert {part: array.shape for part, array in state.items()} == {"u": (3, 2), "r": (3, 2)}
    assert not any(array.any() for array in state.values())
    assert lif([0.0, 0.0]).state_parts() == {"u": (2,)}
    assert (lif([0.0, 1.0]).states, lif([0.0, 0.0]).states) == (4, 2)
    assert Accumulate(channels=5, steps=9).states == 5
    assert BatchNorm(gain=[1.0], offset=[0.0]).states == 0


def test_the_step_of_a_late_node_sends_before_it_takes():
    late = Late(gain=[1.0, 1.0])
    at = Step([np.array([[3, 4]])], [Fixed(24, 0)], {"kept": np.array([[1, 2]])})
    np.testing.assert_array_equal(late.step(at), [[1, 2]])
    np.testing.assert_array_equal(at.state["kept"], [[3, 4]])


def test_what_a_node_leaves_out_is_refused_by_name():
    mute = Mute(gain=[1.0, 2.0])
    at = Step([np.array([[3, 4]])], [Fixed(24, 0)], {})
    for call in (lambda: mute.step(at), lambda: BatchNorm(gain=[1.0], offset=[0.0]).step(at)):
        with pytest.raises(GraphError, match=r"node of type (Mute|BatchNorm).*an integer meaning"):
            call()
    with pytest.raises(GraphError, match=r"node of type Mute.*write Mute.evaluate"):
        mute.evaluate([np.zeros((1, 1, 2))])


def test_edges_of_a_step_add_and_saturate_and_are_counted():
    at = Step([np.array([[2**23 - 1, 5]]), np.array([[1, -7]])], [Fixed(24, 0)] * 2, {})
    np.testing.assert_array_equal(at.u, [[2**23 - 1, -2]])
    assert at.counts.saturations == 1


def test_what_spikes_compares():
    for cls in NODE_TYPES.values():
        assert cls.compares == (cls.role is Role.SPIKING)


def test_messages_have_a_unit_a_channel_behind_rows_with_exponents_of_their_own():
    weight = Quantized(np.array([[1], [2]]), np.array([3, 5]), 8)
    bias = Quantized(np.array([0, 0]), np.array([4, 6]), 24)
    rows = Affine(weight=weight, bias=bias, out=Fixed(24, 4))
    np.testing.assert_array_equal(rows.message_frac, [4, 6])
    assert Accumulate(channels=1, steps=2, out=Fixed(24, 9)).message_frac == 9


def test_nobody_guesses_what_a_node_does_not_say():
    nodes = {"in": Input(channels=2, out=Fixed(8)), "x": Mute(gain=[1.0, 2.0])}
    graph = Graph(nodes | {"out": Output(channels=2)}, (("in", "x"), ("x", "out")))
    with pytest.raises(GraphError, match=r"node 'x': .*known dense operations, got Mute; write"):
        dense_operations(graph)
    assert neurossm_nir.expressible(graph) == ("node 'x' (Mute): NIR has no such node",)


def test_a_drawing_colors_a_node_by_its_role_and_state():
    state = Accumulate(channels=1, steps=9)
    nodes = {
        "in": Input(channels=1, out=Fixed(8)), "w": Affine(weight=[[2.0]], bias=[0.0]),
        "a": state, "p": BatchNorm(gain=[1.0], offset=[0.0]), "s": Threshold(theta=[1.0]),
        "out": Output(channels=1),
    }  # fmt: skip
    drawn = ElementTree.fromstring(graph_svg(Graph(nodes, tuple(pairwise(nodes)))))
    bars = [item.get("class") for item in drawn.iter() if item.get("width") == "5"]
    assert bars == ["edge", "synapse", "state", "plain", "spike", "edge"]


CHANGE = Change(
    own=np.array([1.0, 2.0]), arriving=np.array([4.0, 4.0]), others=[np.array([5.0, 2.0])],
    sent=np.array([8.0, 2.0]), steps=10,
)  # fmt: skip


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        (lif([0.0, 0.0]), [0.5, 1.0]),  # theta times what leaks at a step
        (
            LIF(theta=[1.0, 2.0], tau=[1.0, 0.95], rho=[0.0, 0.0], kappa=[0.0, 0.0], reset="hard"),
            [0.1, 0.2],
        ),  # at least a tenth leaks, so to say, in ten steps
        (Threshold(theta=[-3.0, 2.0]), [3, 2]),
        (Affine(weight=[[1.0, 4.0], [-2.0, 1.0]], bias=[0.0, 0.0]), [1, 0.25]),  # the nearer row
        (BatchNorm(gain=[2.0, -4.0], offset=[0.0, 0.0]), [0.5, 0.5]),
        (Product(channels=2), [0.2, 1]),  # by the range of the other operand
        (Accumulate(channels=2, steps=10), [0.1, 0.2]),
        (Sum(channels=2), [1, 2]),
        (Mute(gain=[1.0, 1.0]), [0.5, 4]),  # of its range as its messages of theirs
    ],
    ids=lambda item: type(item).__name__ if isinstance(item, Node) else "",
)
def test_a_node_notices_a_change_of_what_arrives(node, expected):
    np.testing.assert_allclose(node.notices(CHANGE), expected)


def test_a_drawing_notes_what_is_special_of_a_node():
    def weights(values):
        bias = Quantized(np.array([0]), 2, 24)
        return Affine(weight=Quantized(np.array([values]), 2, 8), bias=bias)

    assert weights([4, 0, -4]).note == "ternary weights"
    assert weights([4, 0, -2]).note == weights([3, 0, -3]).note == ""
    assert [lif(kappa).note for kappa in ([0.0, 0.0], [0.0, 1.0])] == [
        "hard reset", "hard reset, refractory variable"
    ]  # fmt: skip
    assert replace(lif([0.0, 0.0]), reset="none").note == "no reset"


@pytest.mark.parametrize(("reset", "left"), [("hard", 0.0), ("soft", 0.0), ("none", 1.0)])
def test_a_real_neuron_spikes_at_its_threshold_too(reset, left):
    node = replace(lif([0.0, 0.0]), theta=np.array([1.0, 1.0]), reset=reset)
    # 0.5 * 1 + 0.5 is the threshold again where nothing was taken off the membrane
    found = node.evaluate([np.array([[[1.0, 0.5], [0.5, 0.5]]])]).sent
    np.testing.assert_array_equal(found, [[[1, 0], [float(left), 0]]])


def test_a_node_of_real_numbers_is_none_of_integers():
    real = Threshold(theta=[1.0, 2.0])
    whole = Threshold(theta=Quantized(np.array([1, 2]), 0, 24))
    assert real != whole and whole != real
    assert real == Threshold(theta=[1.0, 2.0]) and real != Threshold(theta=[1.0, 2.5])


def test_a_node_takes_no_tokens_and_feeds_nothing_through_unless_it_says_so():
    assert (Late(gain=[1.0]).tokens, Late(gain=[1.0]).fed_through) == (0, False)


@pytest.mark.parametrize(
    ("steps", "bits"),
    [
        (1, 24),  # 2**23 - 1 itself
        (2, 23),  # 2 * (2**22 - 1) = 2**23 - 2
        (3, 22),
        (2**23 - 1, 2),  # terms of -1, 0 and 1
    ],
)
def test_terms_of_a_sum_are_as_wide_as_so_many_steps_allow(steps, bits):
    to = SimpleNamespace(name="a", term_frac=lambda width: 30 - width)
    found = Accumulate(channels=1, steps=steps).quantize(to)
    assert (found.term_bits, found.out) == (bits, Fixed(24, 30 - bits))
    with pytest.raises(
        GraphError, match=r"node 'a' .*at most 8388607 steps in 24 bits, got 8388608"
    ):
        Accumulate(channels=1, steps=2**23).quantize(to)


@pytest.mark.parametrize("channels", [True, np.bool_(True), 2.0, "2"])
def test_channels_that_are_no_whole_number(channels):
    with pytest.raises(GraphError, match=r"Sum\.channels: expected a whole number, got "):
        Sum(channels=channels)
