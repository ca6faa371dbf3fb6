"""Losses that only channels, spikes or whole runs show; networks spoiled by hand as they once were.

The integers here are written out, not quantized: a weight rounded to 0 beside a large one, a
membrane in the weight's unit, a leak next to 1 rounded away from it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spoiled import chain, made

from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.metrics.check import check
from neurossm.metrics.end_to_end import EndToEnd, Predictions, end_to_end, predictions
from neurossm.metrics.significance import significance
from neurossm.nodes import LIF, Affine, Input, Node, Output, Sum, Threshold
from neurossm.trace import Trace


def spikes(graph: Graph, inputs: np.ndarray, engine: str) -> list[int]:
    return [int(n) for n in run(graph, inputs, engine).values["out"].sum(axis=(0, 1))]


def recurrence(current: np.ndarray, tau: float, theta: float) -> int:
    """Return how often a membrane with a hard reset spikes, in plain Python."""
    membrane, count = 0.0, 0
    for arrives in current.tolist():
        membrane = tau * membrane + arrives
        if membrane >= theta:
            membrane, count = 0.0, count + 1
    return count


def test_small_weights_beside_a_large_one():
    # units of 4: 1, 1.5 and 1.9 become 0, although the largest error is 0.4% of the node's range
    weight, theta, tau = [500.0, 1.0, 1.5, 1.9], [1000.0, 3.0, 4.0, 5.0], [0.95] * 4
    floating = chain(Fixed(9, 8), weight, theta, tau)
    spoiled = made(floating, [125, 0, 0, 0], -2, [64_000, 192, 256, 320], [3891] * 4)
    inputs = np.random.default_rng(1).integers(0, 256, (4, 200, 1))
    counts = [sum(recurrence(w * x[:, 0] / 256, 0.95, t) for x in inputs)
              for w, t in zip(weight, theta, strict=True)]  # fmt: skip
    assert spikes(floating, inputs, "float") == counts and min(counts) > 80
    assert spikes(spoiled, inputs, "fast")[1:] == [0, 0, 0]
    found = check(floating, spoiled, inputs)
    assert not found.passed and found.over == ("linear", "lif", "out")
    first, second, *_ = found.findings
    assert (first.node, first.kind) == ("linear", "per layer") and first.channel in (1, 2, 3)
    assert (second.node, second.kind) == ("lif", "end to end") and second.channel in (1, 2, 3)
    # each channel by itself: all that it is, is lost
    error = found.per_layer["linear"]
    np.testing.assert_array_equal(error.shares[1:], 1)
    assert error.largest.max() < 0.01 * error.range.max()


def test_weights_of_1e25_that_became_0():
    floating = chain(Fixed.binary(), [1e-25, 2e-25], [3e-25, 5e-25], [0.9, 0.9])
    spoiled = made(floating, [0, 0], 64, [1, 1], [3686, 3686])
    found = check(floating, spoiled, np.ones((1, 50, 1), dtype=int))
    # 1, 1.9, 2.71, 3.439: every fourth step; 2, 3.8, 5.42: every third
    assert found.end_to_end["lif"].expected.tolist() == [12, 16]
    assert found.over == ("linear", "lif", "out")


@pytest.mark.parametrize(
    ("tau", "every", "steps", "counts"),
    [(1000, 64, 4000, (21, 0)), (200, 20, 1000, (16, 12)), (100, 15, 1000, (22, 16)),
     (50, 8, 1000, (41, 31))],
)  # fmt: skip
def test_a_membrane_in_the_unit_of_its_weight(tau, every, steps, counts):
    leak = float(np.exp(-1 / tau))
    floating = chain(Fixed.binary(), [1.0], [2.5], [leak])
    coarse = made(floating, [64], 6, [160], [int(leak * 4096)])
    inputs = np.zeros((1, steps, 1), dtype=int)
    inputs[0, ::every] = 1
    assert (spikes(floating, inputs, "float"), spikes(coarse, inputs, "fast")) == (
        [counts[0]], [counts[1]])  # fmt: skip
    found = check(floating, coarse, inputs)
    assert found.over[0] == "lif" and found.findings[0].kind == "per layer"
    assert f"{counts[0]} spikes became {counts[1]}" in found.findings[0].text


def test_a_leak_next_to_one_and_three_spikes_in_five_hundred_sequences():
    # 4095/4096 for 1 - 1e-9: with inputs of 6/256 in the mean, 60 are reached after 2,560 steps,
    # and with the leak after -4096 log(1 - 60 / 96) = 4,017: 7 spikes and 4 in 20,000 steps
    floating = chain(Fixed(9, 8), [1.0], [60.0], [1 - 1e-9])
    spoiled = made(floating, [64], 6, [60 * 2**14], [4095])
    inputs = np.random.default_rng(2).integers(0, 13, (2, 20_000, 1))
    assert spikes(floating, inputs, "float") == [14] and spikes(spoiled, inputs, "fast") == [8]
    found = check(floating, spoiled, inputs)
    assert found.over[0] == "lif" and found.findings[0].kind == "per layer"
    # the largest total of these inputs just reaches the threshold, without any leak
    rare = np.zeros((500, 100, 1), dtype=int)
    rare[::200, :] = 154  # of 3 sequences
    floating = chain(Fixed(9, 8), [1.0], [60.0], [1 - 1e-9])
    assert spikes(floating, rare, "float") == [3] and spikes(spoiled, rare, "fast") == [0]
    found = check(floating, spoiled, rare)
    assert found.findings[0].node == "lif" and "3 spikes became 0" in found.findings[0].text


def test_the_nearest_leak_passes():
    floating = chain(Fixed(9, 8), [1.0], [60.0], [1 - 1e-9])
    right = made(floating, [64], 6, [60 * 2**14], [4096])
    found = check(floating, right, np.random.default_rng(2).integers(0, 60, (8, 784, 1)))
    assert found.passed and found.over == () and found.samples == 8


def test_padding_counts_nowhere():
    floating = chain(Fixed(9, 8), [1.0], [60.0], [1 - 1e-9])
    spoiled = made(floating, [64], 6, [60 * 2**14], [4095])
    inputs = np.random.default_rng(2).integers(0, 60, (3, 300, 1))
    padded = np.concatenate([inputs, np.full((3, 500, 1), 200)], axis=1)
    short = check(floating, spoiled, padded, np.full(3, 300))
    same = check(floating, spoiled, inputs)
    assert short.findings == same.findings
    for name in ("expected", "found", "total", "range"):
        for node in same.end_to_end:
            np.testing.assert_array_equal(getattr(short.end_to_end[node], name),
                                          getattr(same.end_to_end[node], name))  # fmt: skip


def test_graphs_in_the_wrong_order_are_refused():
    floating = chain(Fixed(9, 8), [1.0], [60.0], [0.5])
    spoiled = made(floating, [64], 6, [60 * 2**14], [2048])
    with pytest.raises(InputError, match="expected a float and an integer graph"):
        check(spoiled, floating, np.ones((1, 4, 1), dtype=int))


# -- end to end ----------------------------------------------------------------


def ended(expected: list[float], found: list[float]) -> EndToEnd:
    zero = np.zeros(len(expected))
    return EndToEnd("n", 100, zero, zero, zero + 1, np.array(expected), np.array(found), 1.0,
                    spikes=True, output=False)  # fmt: skip


@pytest.mark.parametrize(
    ("expected", "found", "lost", "layer"),
    [
        (1000, 1000, False, False),
        (1000, 251, False, True),  # a quarter is left
        (1000, 249, True, True),
        (100, 401, True, True),
        (100, 399, False, True),
        # by chance: 9 and 0 differ by 3 standard deviations of 3, and 10 by more
        (9, 0, False, False),
        (10, 0, True, False),
        (1000, 1000 - 300, False, False),  # 200, and 3 times 41
        (1000, 1000 - 330, False, True),
    ],
)
def test_spikes_by_hand(expected, found, lost, layer):
    end = ended([expected], [found])
    assert (end.lost().item(), end.layer_lost()) == (lost, layer)


def test_neurons_do_not_make_up_for_each_other():
    end = ended([1000, 1000], [500, 1500])
    assert end.moved == 0.5 and end.layer_lost()
    assert ended([50, 10], [50, 40]).loudest == 1


def traces(left: list[float], right: list[float], unit: int) -> tuple[Graph, Trace, Trace]:
    """Return a graph whose output has two channels, and these values over two steps."""
    nodes = {"in": Input(channels=2, out=Fixed(8, unit)),
             "out": Output(channels=2, out=Fixed(8, unit))}  # fmt: skip
    graph = Graph(nodes, (("in", "out"),))
    a = np.array(left, dtype=float).reshape(1, 2, 2)
    b = np.array(right).reshape(1, 2, 2)
    return graph, Trace("float", {"out": a}, 1, 2), Trace("fast", {"out": b}, 1, 2)


@pytest.mark.parametrize(("right", "lost"), [(2.0, False), (3.5, False), (3.75, True)])
def test_outputs_by_hand(right, lost):
    # the mean of two steps against a fifth of the range 8, and one unit of 1/4: 1.85
    graph, a, b = traces([0, 1, 8, 1], [int(4 * right), 4, 32, 4], 2)
    (end,) = end_to_end(graph, a, b)
    assert end.means.tolist() == [right / 2, 0] and end.range.tolist() == [8, 1]
    assert end.lost().tolist() == [lost, False]


def test_predictions_that_were_near_ties():
    assert predictions(*traces([0, 0, 8, 7.5], [0, 0, 7, 8], 0)) == Predictions(1, 0, 0)
    assert predictions(*traces([0, 0, 8, 7], [0, 0, 7, 8], 0)) == Predictions(1, 0, 1)
    assert predictions(*traces([0, 0, 8, 7], [0, 0, 8, 2], 0)) == Predictions(1, 1, 0)
    # padding: the prediction is that of the first step
    graph, a, b = traces([5, 1, 0, 9], [1, 5, 0, 9], 0)
    a, b = (replace(trace, lengths=np.array([1])) for trace in (a, b))
    assert predictions(graph, a, b) == Predictions(1, 0, 1)
    assert not Predictions(20, 18, 2).lost() and Predictions(20, 17, 3).lost()


# -- what matters --------------------------------------------------------------


def test_significance_by_hand():
    one = np.ones(2)
    nodes: dict[str, Node] = {
        "in": Input(channels=2, out=Fixed(8, 0)),
        "mix": Affine(weight=np.array([[4.0, 0.0], [1.0, 0.5]]), bias=0 * one),
        "big": Affine(weight=np.eye(2), bias=0 * one),
        "add": Sum(channels=2),
        "lif": LIF(theta=3 * one, tau=np.array([0.5, 1.0]), rho=0 * one, kappa=0 * one,
                   reset="hard"),
        "spike": Threshold(theta=-2 * one),
        "out": Output(channels=2),
        "end": Output(channels=2),
    }  # fmt: skip
    edges = (("in", "mix"), ("in", "big"), ("mix", "add"), ("big", "add"), ("add", "lif"),
             ("add", "spike"), ("lif", "out"), ("spike", "end"))  # fmt: skip
    graph = Graph(nodes, edges)
    ranges = {name: one for name in nodes} | {"add": np.array([1.0, 0.1]), "mix": 0.01 * one}
    found = significance(graph, ranges, steps=30)
    # the LIF asks for 3 * 0.5 and 3 / 30, the threshold for 2; their least, and the own range
    assert found["add"].tolist() == [1.5, 0.1]
    # what a sum adds may be as coarse as the sum, whatever its own range
    assert found["mix"].tolist() == [1.5, 0.1]
    # rows of the first: 1.5 / 4 and 0.1 / 1; none and 0.1 / 0.5. Both below its own range
    assert found["in"].tolist() == [1.0, 1.0]
    quiet = significance(graph, ranges | {"in": 0.01 * one}, steps=30)
    assert quiet["in"].tolist() == pytest.approx([0.1, 0.2])
