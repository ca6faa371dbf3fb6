"""Integers of a `ComplexDiagonal`: units by hand, errors over time constants, balanced columns."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, ComplexDiagonal, Input, Node, Output
from neurossm.passes import balance_states
from neurossm.quantization import Percentiles, Quantize, bounds, calibrate, pole_changes
from neurossm.trace import units

Reals = np.ndarray
STEPS = 4000


def chain(nodes: dict[str, Node]) -> Graph:
    return Graph(nodes, tuple(pairwise(nodes)), 1e-3, {"steps": STEPS})


def alone(poles: Reals, gate: str, fmt: Fixed) -> Graph:
    """Return states that an input drives, and an output that receives them."""
    node = ComplexDiagonal(a_re=poles.real, a_im=poles.imag, gate=gate)
    channels = 2 * len(poles)
    return chain({"in": Input(channels=channels, out=fmt), "node": node,
                  "out": Output(channels=channels)})  # fmt: skip


def quantized(graph: Graph, inputs: np.ndarray, **settings: int) -> Graph:
    return Quantize(**settings)(graph, calibrate(graph, run(graph, inputs, "float")))


def test_each_state_has_a_unit_that_fits_its_range_with_headroom():
    # driven at the first step alone, with 3 + 4i, 0.75 and nothing, in units of 2**-4
    graph = alone(np.array([0.5 + 0j, 0.5 + 0j, 0.5 + 0j]), "none", Fixed(8, 4))
    inputs = np.zeros((1, 3, 6), np.int64)
    inputs[0, 0] = 48, 12, 0, 64, 0, 0
    node = quantized(graph, inputs).nodes["node"]
    # headroom of 1 bit: 10 and 1.5 in 24 bits, 2**23 - 1 / 10 = 2**19.7, / 1.5 = 2**22.4; what was
    # never moved holds what could be, |127 + 127i| / 16 / (1 - 0.5) = 22.4, 2**18.5
    assert node.state_frac.tolist() == [19, 22, 18]
    # the largest part is 4, with headroom 8: 8 2**20 is one too many
    assert (node.state_bits, node.out.frac) == (24, 19)
    assert quantized(graph, inputs, state_bits=12).nodes["node"].state_frac.tolist() == [7, 10, 6]


def test_an_input_that_would_leave_52_bits_limits_the_unit():
    # the second largest of a hundred magnitudes, 1/1024, would fit 2**33 in 24 bits; an input of up
    # to 23 bits leaves 2**29
    graph = alone(np.array([2.0**-10 + 0j]), "none", Fixed(24, 0))
    inputs = np.zeros((1, 100, 2), np.int64)
    inputs[0, 0, 0] = 1
    trace = run(graph, inputs, "float")
    kept = Percentiles(graph, ["node"], 99, 100)
    kept.add(trace)
    ranges = calibrate(graph, trace, kept.result(), kept.states())
    node = Quantize(range_rules=(("node", "percentile"),), headroom=0)(graph, ranges).nodes["node"]
    assert node.state_frac.tolist() == [29]


@pytest.mark.parametrize("gate", ["none", "relu"])
def test_bounds_by_hand(gate):
    # a = i/2: x is u0 + i/2 u1 - 1/4 u2 - i/8 u3 + ..., with real u in [-1, 1] and imaginary 0
    front = Affine(weight=[[1.0], [0.0]], bias=[0.0, 0.0])
    node = ComplexDiagonal(a_re=[0.0], a_im=[0.5], gate=gate)
    nodes: dict[str, Node] = {"in": Input(channels=1, out=Fixed(2)), "b": front, "node": node}
    found = bounds(chain({**nodes, "out": Output(channels=2)}))
    low, high = found.messages["node"].low, found.messages["node"].high
    # |re| at most 1 + 1/4 + 1/16 + ... = 4/3, |im| at most 1/2 + 1/8 + ... = 2/3
    np.testing.assert_allclose(high, [4 / 3, 2 / 3])
    np.testing.assert_allclose(low, [0 if gate == "relu" else -4 / 3, -2 / 3])
    np.testing.assert_allclose(found.register("node", "state").bound, [2])  # 1 / (1 - |a|)


def test_percentiles_of_states_by_hand():
    graph = alone(np.array([0.5j]), "relu", Fixed(8))
    inputs = np.zeros((1, 100, 2), np.int64)
    inputs[0, 0] = 30, 40  # the magnitudes are 50, 25, 12.5, ... whatever the gate sends
    trace = run(graph, inputs, "float")
    kept = Percentiles(graph, ["node"], 99, 100)
    kept.add(trace)
    np.testing.assert_allclose(kept.states()["node"], [25])  # one of a hundred is above
    ranges = calibrate(graph, trace, kept.result(), kept.states())
    node = Quantize(range_rule="percentile", headroom=0)(graph, ranges).nodes["node"]
    assert node.state_frac.tolist() == [18]  # 25 2**18 is below 2**23, not 25 2**19


# the pole is off by up to 2**-16 in each part: after k steps a state is off by k |a|**k of that,
# at most 1 / (e (1 - |a|)); sums over independent inputs grow slower
@pytest.mark.parametrize(
    ("modulus", "most"), [(0.5, 1e-4), (0.9, 3e-4), (0.99, 2e-3), (0.999, 0.015)]
)
def test_errors_of_a_step_are_small_beside_the_range_of_each_state(modulus, most):
    rng = np.random.default_rng(7)
    poles = modulus * np.exp(1j * rng.uniform(-np.pi, np.pi, 16))
    graph = alone(poles, "none", Fixed(24, 16))
    # inputs of four decades, a state each
    size = 10 ** np.tile(rng.uniform(2, 6, 16), 2)
    inputs = np.rint(rng.uniform(-1, 1, (1, STEPS, 32)) * size).astype(np.int64)
    integer = quantized(graph, inputs)
    real = run(graph, inputs, "float").values["node"]
    trace = run(integer, inputs, "fast")
    assert trace.saturations() == 0
    # the unit of what is sent is that of the largest state; what is in the states is finer
    unit = units(integer)["node"]
    error = np.abs(trace.values["node"] * unit - real).max(axis=(0, 1))
    assert np.all(error <= most * np.abs(real).max(axis=(0, 1)) + unit)
    (change,) = pole_changes(graph, integer)
    assert change.largest_error <= 2**-15.5 and change.response_error <= most
    assert change.smallest_gap == pytest.approx(1 - modulus)


def network(spread: float) -> Graph:
    """Return states whose rows and columns differ by decades, with the same function."""
    rng = np.random.default_rng(0)
    states, width = 32, 16
    radius = 1 - 10 ** rng.uniform(-3, -0.3, states)
    poles = radius * np.exp(1j * rng.uniform(-np.pi, np.pi, states))
    scale = np.tile(10 ** rng.uniform(-spread, spread, states), 2)
    front = rng.standard_normal((2 * states, width)) * scale[:, None]
    behind = rng.standard_normal((width, 2 * states)) / scale
    return chain({
        "in": Input(channels=width, out=Fixed(8, 5)),
        "b": Affine(weight=front, bias=scale.copy()),
        "node": ComplexDiagonal(a_re=poles.real, a_im=poles.imag, gate="relu"),
        "c": Affine(weight=behind, bias=np.zeros(width)), "out": Output(channels=width),
    })  # fmt: skip


def loss(graph: Graph, inputs: np.ndarray) -> float:
    """Return the error of the output, root mean square, as a share of it."""
    integer = quantized(graph, inputs)
    real = run(graph, inputs, "float").values["c"]
    found = run(integer, inputs, "fast").values["c"] * units(integer)["c"]
    return float(np.sqrt(np.mean((found - real) ** 2) / np.mean(real**2)))


def test_balancing_is_exact_and_helps_where_columns_differ():
    inputs = np.random.default_rng(1).integers(-127, 128, (2, 500, 16))
    wild = network(1.0)
    balanced = balance_states(wild)
    left, right = (run(graph, inputs, "float").values["c"] for graph in (wild, balanced))
    np.testing.assert_allclose(right, left, rtol=1e-12, atol=1e-12 * np.abs(left).max())
    scale = balanced.nodes["b"].weight / wild.nodes["b"].weight
    assert np.all(np.exp2(np.rint(np.log2(scale))) == scale)  # powers of two
    columns = np.abs(balanced.nodes["c"].weight).max(axis=0).reshape(2, -1).max(axis=0)
    assert columns.min() > columns.max() / 2
    assert loss(wild, inputs) > 0.15 and loss(balanced, inputs) < 0.08
    assert balance_states(balanced) == balanced


def test_states_without_synapses_behind_them_stay_as_they_are():
    graph = network(1.0)
    behind = np.array(graph.nodes["c"].weight)
    behind[:, [3, 32 + 3]] = 0
    behind[:, 5] = 0  # of one part
    graph = graph.with_nodes({"c": Affine(weight=behind, bias=np.zeros(16))})
    scale = balance_states(graph).nodes["b"].weight / graph.nodes["b"].weight
    assert np.all(scale[[3, 32 + 3]] == 1)
    assert np.all(scale[5] == scale[32 + 5]) and scale.min() < 0.1


def test_each_bank_of_states_of_a_graph_is_balanced_by_itself():
    one, other = network(1.0), network(1.0)
    nodes = {f"{k}.{name}": node for k in "ab" for name, node in one.nodes.items()}
    nodes["a.seen"] = Output(channels=64)  # the first one serves something else
    edges = [(f"{k}.{s}", f"{k}.{t}") for k in "ab" for s, t in one.edges] + [("a.b", "a.seen")]
    balanced = balance_states(Graph(nodes, tuple(edges), 1e-3))
    assert balanced.nodes["a.b"] == one.nodes["b"] and balanced.nodes["a.c"] == one.nodes["c"]
    assert balanced.nodes["b.b"] == balance_states(other).nodes["b"]
    nodes = {name: node for name, node in nodes.items() if name != "a.seen"}
    both = balance_states(Graph(nodes, tuple(edges[:-1]), 1e-3))
    for k in "ab":
        assert both.nodes[f"{k}.c"] == balance_states(one).nodes["c"]


def test_integers_are_left_alone_and_anything_else_is_named():
    graph = network(1.0)
    integer = quantized(graph, np.random.default_rng(1).integers(-127, 128, (1, 50, 16)))
    assert balance_states(integer) is integer
    with pytest.raises(InputError, match="graph: expected Graph"):
        balance_states("float.nssm")


def test_synapses_that_serve_something_else_are_left_alone():
    graph = network(1.0)
    nodes = {**graph.nodes, "other": Output(channels=64)}
    shared = Graph(nodes, (*graph.edges, ("b", "other")), 1e-3)
    assert balance_states(shared) is shared
    plain = alone(np.array([0.5 + 0j]), "none", Fixed(8))
    assert balance_states(plain) is plain
