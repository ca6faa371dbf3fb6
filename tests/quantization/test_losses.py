"""What quantizing says that it lost: by node and channel, with a width that then loses nothing."""

from __future__ import annotations

import numpy as np
import pytest
from quantization.test_quantize_membranes import LARGEST, lif, network

from neurossm.engine import run
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, DiagonalSSM, Embedding, Input, Node, Output, Threshold
from neurossm.quantization import Loss, Quantize, calibrate
from neurossm.quantization.lost import At
from neurossm.quantization.lost_states import thresholds

ONES = np.ones((1, 60, 1), int)


def lost(graph: Graph, inputs: np.ndarray = ONES, **settings: int) -> tuple[Loss, ...]:
    ranges = calibrate(graph, run(graph, inputs, "float"))
    return Quantize(**settings).explained(graph, ranges).losses


def dense(weight, fmt: Fixed | None = None, bias: float = 0.0) -> Graph:
    weight = np.array(weight, dtype=float)
    nodes: dict[str, Node] = {"in": Input(channels=weight.shape[1], out=fmt or Fixed.binary())}
    nodes["fc"] = Affine(weight=weight, bias=np.full(len(weight), bias))
    nodes["out"] = Output(channels=len(weight))
    return Graph(nodes, (("in", "fc"), ("fc", "out")))


def test_where_all_fits_nothing_is_said():
    weights = [[1.0], [0.5], [0.3]]
    assert lost(network(weights, lif([1.5, 2.5, 3], [0.0, 0.9, 1.0], kappa=0.5, rho=0.8))) == ()


def test_weights_that_became_0_and_rows_of_them_are_counted():
    # the unit is 4: 1, 1.5 and 1.9 are below half of it, 2.1 is not; 0 stays what it is
    found = lost(dense([[500.0, 1.0], [1.5, 1.9], [2.1, 0.0], [0.0, 0.0]]), np.ones((1, 9, 2), int))
    gone, off = found
    assert (gone.node, gone.type, gone.what) == ("fc", "Affine", "weights")
    assert (gone.channels, gone.count, gone.of) == ((0, 1), 3, 5)
    assert gone.reason == "3 of 5 became 0, all of row 1"
    # 500 of 1 in mantissas of up to 2047: 0.25 each, where 1 is 4
    assert (gone.bits, gone.setting) == (10, "")
    assert off.channels == (2,) and off.reason == "row 2 is off by 90.5% of its weights"


def test_the_width_that_is_named_keeps_them():
    graph = dense([[8.0], [0.3]])
    (gone,) = lost(graph, weight_bits=4)
    assert (gone.count, gone.reason, gone.setting) == (1, "1 of 2 became 0, all of row 1",
                                                       "weight_bits")  # fmt: skip
    assert not [loss for loss in lost(graph, weight_bits=gone.bits) if "became 0" in loss.reason]


def test_a_bias_that_became_0_is_counted():
    (gone,) = lost(dense([[1.0]], bias=1e-3))
    assert (gone.what, gone.channels, gone.reason) == (
        "bias", (0,), "up to 0.001 became 0; its unit is 2**-6")  # fmt: skip


def test_entries_of_a_table_are_weights_too():
    nodes = {"in": Input(channels=1, out=Fixed(8)), "table": Embedding(table=[[500.0], [1.0]]),
             "out": Output(channels=1)}  # fmt: skip
    (gone,) = lost(Graph(nodes, (("in", "table"), ("table", "out"))))
    assert (gone.what, gone.reason) == ("table", "1 of 2 became 0, all of row 1")


def test_a_leak_is_said_in_time_constants():
    # 1 - 1/10,000 loses 0.41 of 4096 a step: none
    graph = network([[1.0], [1.0]], lif([2.5, 2.5], [0.5, 1 - 1e-4]))
    (leak,) = lost(graph, leak_bits=12)
    assert (leak.what, leak.channels, leak.count, leak.of) == ("tau", (1,), 1, 2)
    # of a constant input, 1 - exp(-3.2768) times 10,000 adds up to 9,622.6 in 32,768 steps
    assert leak.reason == (
        "time constant 9,999 -> infinite steps in channel 1: its response +240.53% in 32,768 steps"
    )
    assert (leak.bits, leak.setting) == (20, "leak_bits")  # 104.9 a step, 105 of them
    assert lost(graph, leak_bits=leak.bits) == lost(graph) == ()


@pytest.mark.parametrize("state", [8, 12, 16])
def test_a_register_too_narrow_for_its_leak_is_said_with_the_width_that_would_do(state):
    graph = network([[1.0]], lif([2.5], 0.99))
    (membrane,) = lost(graph, state_bits=state)
    assert (membrane.what, membrane.channels) == ("membrane", (0,))
    assert "of the threshold in channel 0; its unit is 2**-" in membrane.reason
    assert membrane.setting == "state_bits" and state < membrane.bits <= 19
    assert lost(graph, state_bits=membrane.bits) == ()
    assert lost(graph, state_bits=membrane.bits - 1) != ()


def test_a_jump_that_became_0_is_said():
    kappas = [loss for loss in lost(network([[1.0]], lif([2.5], 0.9, kappa=1e-6, rho=0.5)))]
    assert [loss.what for loss in kappas] == ["kappa"]
    assert kappas[0].reason.startswith("up to 1e-06 became 0; its unit is 2**-")


@pytest.mark.parametrize("node", [lif([1.0, LARGEST], 0.9), Threshold(theta=[1.0, 1e9])])
def test_a_threshold_out_of_reach_is_said(node):
    (silent,) = lost(network([[1.0], [1.0]], node))
    assert (silent.what, silent.channels, silent.bits) == ("threshold", (1,), None)
    assert silent.reason.startswith("no input reaches 1")
    assert silent.reason.endswith(" stands for it")


def test_messages_too_coarse_for_a_threshold_are_said():
    # 0.5 beside 2**20, with headroom 2**21, in 24 bits: a unit of a half, and five of them for the
    # products of two modes and d
    ones, zeros = np.ones((2, 2)), np.zeros((2, 2))
    ssm = DiagonalSSM(a_re=0.5 * ones, a_im=zeros, b_re=ones, b_im=zeros,
                      c_re=np.array([[2.0**17, 2.0**17], [0.25, 0.25]]), c_im=zeros,
                      d=np.zeros(2), drive_re=zeros, drive_im=zeros, bias=np.zeros(2),
                      step_size=np.ones(2), method="zoh")  # fmt: skip
    nodes = {"in": Input(channels=2, out=Fixed.binary()), "ssm": ssm,
             "node": Threshold(theta=[2.0**19, 0.5]), "out": Output(channels=2)}  # fmt: skip
    graph = Graph(nodes, (("in", "ssm"), ("ssm", "node"), ("node", "out")))
    (coarse,) = lost(graph, np.ones((1, 60, 2), int))
    assert (coarse.node, coarse.what, coarse.channels) == ("node", "message", (1,))
    assert coarse.reason == (
        "what arrives may be off by 500.0% of the threshold in channel 1; its unit is 2**-1"
    )
    assert (coarse.bits, coarse.setting) == (24 + 10, "")  # 5 * 2**7 = 640, below 2**10


def test_a_pole_whose_response_moves_is_said():
    # 1 - 2**-14.5 is 23.2 of 2**-19 from the circle, 1.41 of 2**-15: 1 of them
    ones, zeros = np.ones((1, 1)), np.zeros((1, 1))
    ssm = DiagonalSSM(a_re=(1 - 2**-14.5) * ones, a_im=zeros, b_re=ones, b_im=zeros, c_re=ones,
                      c_im=zeros, d=np.zeros(1), drive_re=zeros, drive_im=zeros, bias=np.zeros(1),
                      step_size=np.ones(1), method="zoh")  # fmt: skip
    nodes = {"in": Input(channels=1, out=Fixed.binary()), "ssm": ssm, "out": Output(channels=1)}
    (moved,) = lost(Graph(nodes, (("in", "ssm"), ("ssm", "out"))))
    # over 4,096 steps: exp(-4095 / 2**15) against exp(-4095 / 2**14.5)
    share = np.exp(-4095 / 2**15) - np.exp(-4095 / 2**14.5)
    assert moved.what == "poles and gains" and moved.channels == (0,)
    assert moved.reason == f"the impulse response of channel 0 is off by {share:.1%}"
    assert (moved.bits, moved.setting) == (17, "")


def test_a_membrane_is_not_compared_in_the_unit_of_what_arrives():
    # a hundred units that what arrives may be off by: a Threshold of one unit says so, a LIF not
    one, zero = Quantized(np.array([1]), 0, 24), Quantized(np.array([0]), 12, 13)
    none = Quantized(np.array([0]), 0, 24)
    made = LIF(theta=one, tau=zero, rho=zero, kappa=none, reset="hard")
    membrane = At("n", lif([1.0], [0.0]), made, steps=10, terms=100)
    compared = At("n", Threshold(theta=[1.0]), Threshold(theta=one), steps=10, terms=100)
    assert list(thresholds(membrane)) == []
    assert [loss.what for loss in thresholds(compared)] == ["message"]
