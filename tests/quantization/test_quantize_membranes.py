"""Slow leaks, thresholds out of reach, small weights: integers that spike as real numbers do.

Expected counts are those of the same recurrence in exact fractions, see `by_hand`.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from neurossm import contract
from neurossm.engine import run
from neurossm.errors import RangeError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.metrics.check import check
from neurossm.nodes import LIF, Affine, Input, Output, Threshold
from neurossm.quantization import Quantize, calibrate

LARGEST = np.finfo(float).max  # what an infinite threshold is imported as


def network(weights, node, bias=None, fmt=None) -> Graph:
    """Return synapses and neurons, one input a column."""
    weight = np.array(weights, dtype=float)
    zero = np.zeros(len(weight)) if bias is None else np.array(bias, dtype=float)
    nodes = {"in": Input(channels=weight.shape[1], out=fmt or Fixed.binary()),
             "fc": Affine(weight=weight, bias=zero), "lif": node,
             "out": Output(channels=len(weight))}  # fmt: skip
    return Graph(nodes, tuple(pairwise(nodes)))


def lif(theta, tau, reset="hard", kappa=0.0, rho=0.0) -> LIF:
    ones = np.ones(np.size(theta))
    return LIF(theta=np.asarray(theta) * ones, tau=np.asarray(tau) * ones, rho=rho * ones,
               kappa=kappa * ones, reset=reset)  # fmt: skip


def quantized(graph: Graph, inputs: np.ndarray, **settings) -> Graph:
    integer = Quantize(**settings)(graph, calibrate(graph, run(graph, inputs, "float")))
    assert contract.problems(integer) == ()
    return integer


def counts(graph: Graph, inputs: np.ndarray) -> list[int]:
    engine = "fast" if graph.is_integer else "float"
    return run(graph, inputs, engine).values["out"].sum(axis=(0, 1)).astype(int).tolist()


def by_hand(spikes, tau: float, theta: float) -> int:
    """Count the spikes of a membrane with weight 1 and a hard reset, in fractions of 40 digits."""
    unit, leak = 2**130, Fraction(tau)
    m = n = 0
    for s in spikes:
        m = m * leak.numerator // leak.denominator + int(s) * unit
        if m >= theta * unit:
            m, n = 0, n + 1
    return n


# -- slow leaks ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("tau", "every", "theta", "steps", "expected"),
    [(1000, 64, 2.5, 4000, 21), (200, 20, 2.5, 1000, 16), (100, 15, 2.5, 1000, 22),
     (50, 8, 2.5, 1000, 41), (10_000, 64, 2.5, 20_000, None)],
)  # fmt: skip
@pytest.mark.parametrize("leak_bits", [12, 20])
def test_a_slow_membrane_behind_spikes_keeps_its_spikes(
    tau, every, theta, steps, expected, leak_bits
):
    inputs = np.zeros((1, steps, 1), int)
    inputs[0, ::every] = 1
    leak = math.exp(-1 / tau)
    right = by_hand(inputs[0, :, 0], leak, theta)
    assert expected in (right, None) and right >= 16
    graph = network([[1.0]], lif([theta], leak))
    integer = quantized(graph, inputs, leak_bits=leak_bits)
    assert counts(graph, inputs) == [right] == counts(integer, inputs)
    assert run(integer, inputs, "fast").saturations() == 0


@pytest.mark.parametrize("reset", LIF.resets)
def test_membranes_of_one_node_may_need_units_of_their_own(reset):
    # a threshold of a thousandth, behind a slow leak, beside one of a thousand: 2**20 apart
    theta, tau = np.array([1.5 * 2.0**-10, 1500.0, 1.5]), np.array([0.999, 0.9, 0.0])
    inputs = np.zeros((1, 3000, 1), int)
    inputs[0, ::7] = 1
    graph = network([[2.0**-10], [1000.0], [2.0]], lif(theta, tau, reset))
    integer = quantized(graph, inputs)
    assert np.ndim(integer.nodes["lif"].theta.frac) == 1
    expected = counts(graph, inputs)
    assert min(expected[0], expected[2]) > 100
    assert counts(integer, inputs) == expected


# -- leaks ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tau", "bits", "mantissa", "frac"),
    [
        (1 - 1e-9, 20, 4096, 12),  # the usual way to write a neuron without leak
        (1 - 1e-4, 20, 2**20 - 105, 20),  # 104.86 a step: 0.13% off; 52.43 of 2**19 are 0.8 %
        (1 - 1e-4, 17, 2**17 - 13, 17),
        (1 - 1e-4, 12, 4096, 12),
        (0.9, 20, 3686, 12),  # 3686.4: 409.6 a step become 410
        (1 - 1 / 400, 20, 2**14 - 41, 14),  # 40.96; 10.24 of 4096 would be 2.4% off
        (1 - 1 / 400, 13, 2**13 - 20, 13),
        (1 - 1 / 400, 12, 4096 - 10, 12),
    ],
)
def test_a_leak_is_the_nearest_there_is_with_the_bits_that_it_needs(tau, bits, mantissa, frac):
    graph = network([[1.0]], lif([2.5], tau))
    found = quantized(graph, np.ones((1, 9, 1), int), leak_bits=bits).nodes["lif"]
    assert (found.tau.values.tolist(), found.tau.frac) == ([mantissa], frac)
    assert found.rho.frac == frac


def test_a_neuron_without_leak_written_with_one_spikes_as_one_without():
    inputs = np.random.default_rng(0).integers(0, 2, (2, 500, 1))
    graphs = [network([[0.7]], lif([9.0], tau)) for tau in (1 - 1e-9, 1.0)]
    integers = [quantized(graph, inputs) for graph in graphs]
    assert integers[0] == integers[1]
    assert counts(graphs[0], inputs) == counts(integers[0], inputs)


@pytest.mark.parametrize("theta", [2.0, np.nextafter(2, 3), 2.3])
def test_what_a_soft_reset_takes_off_is_not_rounded_to_the_unit_of_the_input(theta):
    # "above 2" is at the next number above; in units of the weights it would take off 2 + 1/64
    inputs = np.random.default_rng(0).integers(0, 2, (1, 20_000, 2))
    graph = network([[1.0, 0.75]], lif([theta], 1.0, "soft"))
    integer = quantized(graph, inputs)
    assert (integer.nodes["lif"].theta.frac == 6) == (theta == 2)  # whole units as they are
    # nothing is lost: as many spikes as theta goes into all that arrives, but for what is left
    total = inputs[0].sum(axis=0) @ [1.0, 0.75]
    assert abs(counts(integer, inputs)[0] - total / theta) <= 5  # of 8,700; 68 in such units


# -- thresholds out of reach ---------------------------------------------------


@pytest.mark.parametrize("never", [1e6, 1e30, LARGEST])
@pytest.mark.parametrize("tau", [0.9, 1.0])
@pytest.mark.parametrize("reset", LIF.resets)
def test_a_neuron_that_is_never_to_spike_takes_no_bits_from_the_others(never, tau, reset):
    inputs = np.random.default_rng(0).integers(0, 2, (2, 400, 3))
    weights = [[0.7, 0.3, -0.4], [1.0, 1.0, 1.0], [0.2, 0.9, 0.1]]
    node = lif([1.0, never, 2.0], tau, reset, kappa=0.25, rho=0.5)
    if never == 1e6 and tau == 1:  # without leak and end 1e6 is reached after 333,334 steps
        graph = Graph((g := network(weights, node)).nodes, g.edges, meta={"steps": 400})
    else:
        graph = network(weights, node)
    integer, ones = quantized(graph, inputs), np.ones((1, 20_000, 3), int)
    assert integer.nodes["lif"].theta.values[1] == 2**23 - 1
    found, expected = (counts(g, inputs) for g in (integer, graph))
    assert expected[1] == found[1] == 0 and min(found[0], found[2]) > 50
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 3
    assert counts(integer, ones)[1] == 0


def test_a_threshold_that_could_be_reached_is_exact_however_far():
    # never reached in calibration; without leak 4,500 spikes of 1/2 reach it
    graph = network([[0.5], [0.5]], lif([2250.0, 1.5], 1.0))
    quiet, loud = np.zeros((1, 100, 1), int), np.ones((1, 9000, 1), int)
    quiet[0, ::9] = 1
    integer = quantized(graph, quiet)
    assert counts(integer, loud) == counts(graph, loud) == [2, 3000]


@pytest.mark.parametrize("far", [1e6, LARGEST])
def test_a_threshold_without_memory_out_of_reach_behind_spikes(far):
    inputs = np.ones((1, 5, 1), int)
    graph = network([[0.5], [0.5]], Threshold(theta=[0.5, far]))
    integer = quantized(graph, inputs)
    assert integer.nodes["lif"].theta.values.tolist() == [64, 2**23 - 1]
    assert counts(integer, inputs) == [5, 0]


# -- small weights -------------------------------------------------------------


def test_a_large_weight_in_one_row_takes_no_bits_from_the_others():
    weights = [[500.0], [1.0], [1.5], [1.9]]
    graph = network(weights, lif([1000.0, 3, 4, 5], 0.9))
    inputs = np.ones((1, 50, 1), int)
    integer = quantized(graph, inputs)
    np.testing.assert_array_equal(integer.nodes["fc"].weight.values[:, 0], [125, 64, 96, 122])
    assert integer.nodes["fc"].weight.frac.tolist() == [-2, 6, 6, 6]
    assert counts(integer, inputs) == counts(graph, inputs) == [16, 12, 16, 16]


def test_the_check_reads_each_row_in_its_unit():
    graph = network([[500.0], [1.0], [1.5], [1.9]], lif([1000.0, 3, 4, 5], 0.9))
    inputs = np.ones((1, 50, 1), int)
    found = check(graph, quantized(graph, inputs), inputs)
    assert found.passed
    # 1.9 is 122 of 2**-6, 1.90625; the others are exact
    np.testing.assert_allclose(found.per_layer["fc"].largest, [0, 0, 0, 0.00625], atol=1e-12)
    np.testing.assert_array_equal(found.per_layer["lif"].found, [16, 12, 16, 16])


def test_rows_behind_a_threshold_have_their_exponents_too():
    graph = network([[500.0], [1.0], [1e-3]], Threshold(theta=[300.0, 0.75, 0.9e-3]))
    inputs = np.array([[[1], [0], [1]]])
    assert counts(quantized(graph, inputs), inputs) == [2, 2, 2]


def test_rows_share_an_exponent_where_it_serves_all_or_something_else_receives_them():
    inputs = np.ones((1, 50, 1), int)
    near = quantized(network([[3.0], [2.0]], lif([4.0, 4.0], 0.9)), inputs)
    assert near.nodes["fc"].weight.frac == 5  # 96 and 64
    graph = network([[500.0], [1.0]], lif([4.0, 4.0], 0.9))
    both = Graph({**graph.nodes, "raw": Output(channels=2)}, (*graph.edges, ("fc", "raw")))
    assert quantized(both, inputs).nodes["fc"].weight.frac == -2


def test_biases_decide_where_they_are_large_or_alone():
    # a bias of 2**20 has 3 more fraction bits in 24 bits, one of 0.3 beside no weight 24
    graph = network([[0.5], [0.0], [0.0]], lif([3.0, 1.0, 1.0], 0.5), bias=[2.0**20, 0.3, 0.0])
    integer = quantized(graph, np.ones((1, 9, 1), int))
    assert integer.nodes["fc"].bias.frac.tolist() == integer.nodes["fc"].weight.frac.tolist()
    assert integer.nodes["fc"].bias.frac[0] == 2
    np.testing.assert_allclose(integer.nodes["fc"].bias.dequantize(), [2.0**20, 0.3, 0], atol=1e-7)


def test_weights_below_all_exponents_are_refused_and_the_remedy_works():
    inputs, weights = np.ones((1, 50, 1), int), np.array([[1e-25], [2e-25]])
    theta = np.array([3e-25, 5e-25])
    with pytest.raises(RangeError, match=r"node 'fc': weights: .*2\*\*-65.*got at most 1e-25 in "
                       r"row 0; multiply the weights and biases of each row"):  # fmt: skip
        quantized(network(weights, lif(theta, 0.9)), inputs)
    scaled = network(weights * 2.0**80, lif(theta * 2.0**80, 0.9))
    assert counts(quantized(scaled, inputs), inputs) == counts(scaled, inputs) == [12, 16]
