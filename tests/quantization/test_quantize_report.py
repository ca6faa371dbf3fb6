"""The report: every node is in it, with formats that are the graph's and numbers by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_model import C, N, T, float_ssm, gated_block, only, pixels

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.nodes import LIF, Affine, Embedding, TernaryThreshold
from neurossm.quantization import Quantize, calibrate, pole_changes


def explained(graph, inputs, settings=None):
    return (settings or Quantize()).explained(graph, calibrate(graph, run(graph, inputs, "float")))


def test_the_graph_is_that_of_the_call_and_every_node_has_its_messages():
    graph = gated_block()
    ranges = calibrate(graph, run(graph, pixels(), "float"))
    made = Quantize().explained(graph, ranges)
    assert made.graph == Quantize()(graph, ranges)
    messages = {choice.node: choice for choice in made.choices if choice.what == "messages"}
    assert list(messages) == list(graph.order)
    for name, choice in messages.items():
        assert choice.format == str(made.graph.nodes[name].out)
        assert choice.seen == ranges.messages[name]
        assert choice.bound is not None and choice.bound >= choice.seen * (1 - 1e-12), name
        assert choice.reason, name
    assert {name for name, choice in messages.items() if choice.held is not None} == {
        "ssm", "sigmoid", "product", "add"
    }  # fmt: skip
    assert messages["add"].held == 2 * ranges.messages["add"]
    assert messages["add"].reason == "its range in 16 bits"


def test_parameters_and_their_rounding_by_hand():
    # the largest weight 1.5 takes 6 fraction bits in 8 (96): 0.3 is 19.2, 0.2 / 64 off
    node = Affine(weight=[[1.5, 0.3]], bias=[0.0])
    (weights,) = [c for c in explained(only(node, Fixed(9, 8)), pixels(2)).choices
                  if c.what == "weights"]  # fmt: skip
    assert (weights.format, weights.rule) == ("s8.6", "parameters")
    assert weights.error == pytest.approx(0.2 / 64)


@pytest.mark.parametrize(
    ("node", "what"),
    [
        (TernaryThreshold(delta=np.ones(2)), {"delta"}),
        (LIF(theta=np.ones(2), tau=[0.5, 0], rho=[0.5, 0], kappa=[1, 0], reset="soft"),
         {"theta", "tau", "kappa", "rho"}),
        (LIF(theta=np.ones(2), tau=[0.5, 0], rho=[0.5, 0], kappa=[0, 0], reset="hard"),
         {"theta", "tau"}),
        (float_ssm(), {"poles", "states", "gains b, c", "gain d"}),
    ],
    ids=["ternary", "lif", "lif-without-trace", "ssm"],
)  # fmt: skip
def test_what_is_listed_of_a_node(node, what):
    made = explained(only(node, Fixed(9, 4)), pixels(node.in_channels))
    assert {c.what for c in made.choices if c.node == "node"} == what | {"messages"}


def test_an_embedding_lists_its_table():
    graph = only(Embedding(table=[[1.0, 2.0], [0.5, -4.0]]), Fixed(9, 0))
    made = explained(graph, np.ones((1, 4, 1), int))
    formats = {c.what: c.format for c in made.choices if c.node == "node"}
    assert formats == {"table": "s8.4", "messages": "s8.4"}  # 4 * 16 = 64 fits in 127, 128 not


def one_pole(a: complex, settings: Quantize):
    shape = (C, N)
    node = float_ssm(a_re=np.full(shape, a.real), a_im=np.full(shape, a.imag))
    graph = replace(only(node, Fixed(9, 8)), meta={"steps": T})
    return explained(graph, pixels(C), settings).poles[0]


def test_poles_are_counted_and_measured_by_hand():
    # 0.99 is 126.72 of 128: 127 is inside the circle, 0.28 / 128 away
    near = one_pole(0.99, Quantize(pole_bits=8))
    assert (near.bits, near.poles, near.stepped_inward) == (8, C * N, 0)
    assert near.largest_error == pytest.approx(0.28 / 128)
    assert near.smallest_gap == pytest.approx(0.01)
    # 0.999 is 127.872: 128 is on the circle, so 127, 0.872 / 128 away
    on = one_pole(0.999, Quantize(pole_bits=8))
    assert on.stepped_inward == C * N
    assert on.largest_error == pytest.approx(0.872 / 128)


def test_the_response_error_is_that_of_the_response():
    graph = replace(only(float_ssm(), Fixed(9, 8)), meta={"steps": T})
    made = explained(graph, pixels(C), Quantize(pole_bits=8))
    # an impulse of one unit, a channel at a time, run by the float engine through both nodes
    silence, impulse = np.zeros((2, 1, T, C), int)
    impulse[:, 0] = 128

    def response(graph):
        return np.subtract(
            *(run(graph, u, "float").values["node"][0] for u in (impulse, silence))
        ) * 2  # fmt: skip

    before, after = response(graph), response(made.graph)
    expected = np.abs(after - before).max(0) / np.abs(before).max(0)
    assert made.poles[0].response_error == pytest.approx(expected.max())
    assert made.poles[0].response_error_median == pytest.approx(np.median(expected))
    assert made.poles[0].steps == T
    # an integer graph against itself has moved nothing
    (same,) = pole_changes(made.graph, made.graph)
    assert (same.stepped_inward, same.largest_error, same.response_error) == (0, 0, 0)


def test_headroom_names_every_register_once():
    made = explained(gated_block(), pixels())
    found = [(room.node, room.register) for room in made.headroom]
    assert len(set(found)) == len(found)
    expected = {("ssm", "state"), ("ssm", "message"), ("value", "accumulator"),
                ("value", "message"), ("mean", "term"), ("mean", "message")}  # fmt: skip
    assert expected <= set(found)
    room = {(room.node, room.register): room for room in made.headroom}
    assert room["value", "accumulator"].limit == 2**31 - 1 and room["value", "accumulator"].proven
    weight, bias = (made.graph.nodes["value"].weight, made.graph.nodes["value"].bias)
    # spikes in: the largest row of |w|, and its bias; doubled, as Lava carries it
    l1 = (np.abs(weight.values).sum(1) + np.abs(bias.values)).max()
    assert room["value", "accumulator"].largest == 2 * l1
    assert room["mean", "message"].steps == T
