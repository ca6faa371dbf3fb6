"""Biases make up for what rounded weights take from the mean of a ReLU's activations."""

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Output, Threshold
from neurossm.piecewise import piecewise
from neurossm.quantization import Quantize, calibrate
from neurossm.trace import joined_traces

# 1 is the largest weight: 64 / 64 in 8 bits; 0.3 becomes 19 / 64, which is 0.003125 less
WEIGHT, ERROR = np.array([[1.0, 0.0], [0.3, -1.0]]), 0.3 - 19 / 64
SEEN = np.array([[[100, 8], [-60, 0], [140, -8], [200, 16]]])  # a ReLU's means: 110 and 6


def graph(behind: str = "relu") -> Graph:
    nodes = {
        "x": Input(channels=2, out=Fixed(10, 0)),
        "relu": piecewise("relu", 2),
        "a": Affine(weight=WEIGHT, bias=np.array([0.5, -2.0])),
        "out": Output(channels=2),
    }
    return Graph(nodes, (("x", "relu"), (behind, "a"), ("a", "out")))


def bias_of(floating: Graph, trace: object) -> np.ndarray:
    return Quantize()(floating, calibrate(floating, trace)).nodes["a"].bias.dequantize()


def test_the_bias_has_what_the_rounded_weights_take_from_the_mean():
    floating = graph()
    bias = bias_of(floating, run(floating, SEEN, "float"))
    assert bias == pytest.approx([0.5, -2 + ERROR * 110], abs=2**-6)
    assert ERROR * 110 > 0.3


def test_steps_behind_the_end_of_a_sequence_do_not_count():
    floating, padded = graph(), np.concatenate([SEEN, np.full((1, 3, 2), 500)], axis=1)
    trace = run(floating, padded, "float", lengths=np.array([4]))
    assert trace.sums["relu"].tolist() == [440, 24] and set(trace.sums) == {"relu"}
    assert bias_of(floating, trace) == pytest.approx([0.5, -2 + ERROR * 110], abs=2**-6)


def test_parts_of_a_calibration_are_one():
    floating = graph()
    parts = [run(floating, SEEN[:, :2], "float"), run(floating, SEEN[:, 2:], "float")]
    trace = joined_traces(parts)
    assert trace.sums["relu"].tolist() == [440, 24]
    assert bias_of(floating, trace)[1] == pytest.approx(-2 + ERROR * 110, abs=2**-6)


def test_synapses_that_no_activation_feeds_keep_their_bias():
    nodes = graph().nodes
    floating = Graph({k: nodes[k] for k in ("x", "a", "out")}, (("x", "a"), ("a", "out")))
    assert bias_of(floating, run(floating, SEEN, "float")).tolist() == [0.5, -2.0]


def test_on_average_the_integers_are_the_real_numbers():
    floating = graph()
    integer = Quantize()(floating, calibrate(floating, run(floating, SEEN, "float")))
    real = run(floating, SEEN, "float").values["out"].mean((0, 1))
    frac = integer.nodes["a"].out.frac
    found = run(integer, SEEN, "fast").values["out"].mean((0, 1)) * 2.0**-frac
    np.testing.assert_allclose(found, real, atol=2.0**-frac)


def test_synapses_of_spikes_keep_their_bias():
    nodes = {**graph().nodes, "relu": Threshold(theta=np.array([0.0, 0.0]))}
    floating = Graph(nodes, graph().edges)
    trace = run(floating, SEEN, "float")
    assert not trace.sums and bias_of(floating, trace).tolist() == [0.5, -2.0]
