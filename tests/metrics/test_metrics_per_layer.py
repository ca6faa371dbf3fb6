"""Per-layer errors by hand; a node spoiled on purpose is the first named, for every type."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from float_model import C, T, float_ssm, gated_block, pixels

from neurossm.comparison import compare
from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.metrics.check import Check, check
from neurossm.metrics.per_layer import PerLayerError, per_layer_error, per_layer_errors
from neurossm.nodes import (
    LIF,
    NODE_TYPES,
    Accumulate,
    AdaptiveLIF,
    AdaptiveThreshold,
    Affine,
    BatchNorm,
    ComplexDiagonal,
    Conv2d,
    Delay,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    ResonateAndFire,
    Sum,
    TernaryThreshold,
    Threshold,
)
from neurossm.quantization import Quantize, calibrate
from neurossm.trace import Trace, units

# -- numbers by hand -----------------------------------------------------------


def half(values: list[int]) -> tuple[Graph, Graph, Trace]:
    """Return y = 0.3 u as a float graph, as 2/8 u, and a trace of the latter for these u."""
    floating = Graph(
        {"in": Input(channels=1, out=Fixed(5, 0)), "n": Affine(weight=[[0.3]], bias=[0.0]),
         "out": Output(channels=1)},
        (("in", "n"), ("n", "out")),
    )  # fmt: skip
    made = Affine(weight=Quantized(np.array([[2]]), 3, 8), bias=Quantized(np.array([0]), 3, 24),
                  out=Fixed(24, 3))  # fmt: skip
    integer = floating.with_nodes({"n": made, "out": Output(channels=1, out=Fixed(24, 3))})
    return floating, integer, run(integer, np.array(values).reshape(1, -1, 1), "fast")


def test_the_numbers_by_hand():
    found = per_layer_error(*half([4, -8, 0]), "n")
    # 0.25 u against 0.3 u: 0.2, 0.4 and nothing
    assert (found.values, found.unequal.tolist()) == (3, [2])
    assert found.largest == pytest.approx(0.4)
    assert found.total / found.values == pytest.approx(0.2)
    assert found.range == pytest.approx(2.4)
    # 0.4 is a sixth of 2.4, and the mean a twelfth: a tenth of 0.833
    assert found.over(0.16) and found.over(0.8) and not found.over(0.84)


def test_errors_that_arrive_are_not_its_own():
    floating, integer, trace = half([4, -8, 0])
    errors = {error.node: error for error in per_layer_errors(floating, integer, trace)}
    assert list(errors) == ["in", "n", "out"]
    assert errors["out"].largest == 0 and not errors["out"].over(0)
    assert run(floating, np.array([[[4]]]), "float").values["out"].item() == pytest.approx(1.2)


FIELDS = ("values", "unequal", "largest", "total", "range", "expected", "found", "lag", "matters")


def test_parts_add_up_to_the_whole():
    whole = per_layer_error(*half([4, -8, 0, 5]), "n")
    parts = per_layer_error(*half([4, -8]), "n") + per_layer_error(*half([0, 5]), "n")
    for name in FIELDS:
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name), err_msg=name)


def test_padding_does_not_count():
    floating, integer, trace = half([4, -8, 0, 5])
    short = per_layer_error(floating, integer, replace(trace, lengths=np.array([2])), "n")
    same = per_layer_error(*half([4, -8]), "n")
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(short, name), getattr(same, name), err_msg=name)
    with pytest.raises(InputError, match=r"1 integers from 1 to 4, .*got 5 to 5"):
        replace(trace, lengths=np.array([5]))


def error(**changes: object) -> PerLayerError:
    """Return an error of two channels over 100 steps: ranges 500 and 2, nothing wrong."""
    zeros = np.zeros(2)
    base = PerLayerError("n", 100, zeros.astype(int), zeros, zeros, np.array([500.0, 2.0]),
                         np.array([1000.0, 10.0]), np.array([1000.0, 10.0]), zeros, spikes=False,
                         exact=False, compared=True)  # fmt: skip
    arrays = {k: np.asarray(v) if isinstance(v, list) else v for k, v in changes.items()}
    return replace(base, **arrays)


@pytest.mark.parametrize(
    ("changes", "over"),
    [
        ({}, False),
        # of a channel 25%, however small it is beside the others: 0.5 of 2
        ({"largest": [0.0, 0.5]}, False),
        ({"largest": [0.0, 0.501]}, True),
        ({"largest": [0.0, 0.501], "matters": [0.0, 2.1]}, False),
        # where it is mixed with others 75 %
        ({"largest": [0.0, 1.5], "compared": False}, False),
        ({"largest": [0.0, 1.501], "compared": False}, True),
        # in the mean 10% of a channel, or 20% where it is mixed
        ({"total": [0.0, 20.0]}, False),
        ({"total": [0.0, 20.1]}, True),
        ({"total": [0.0, 40.1], "compared": False}, True),
        # of the node 10%, and in the mean over both channels 1 %: 2 * 100 * 5
        ({"largest": [50.0, 0.0]}, False),
        ({"largest": [50.1, 0.0]}, True),
        ({"total": [1000.0, 0.0]}, False),
        ({"total": [1001.0, 0.0]}, True),
        ({"largest": [0.0, float("nan")]}, True),
        ({"total": [float("nan"), 0.0]}, True),
        # of spikes two and 5 %: 2.5 of 10, 52 of 1,000
        ({"spikes": True, "found": [948.0, 10.0]}, False),
        ({"spikes": True, "found": [947.0, 10.0]}, True),
        ({"spikes": True, "found": [1000.0, 8.0]}, False),
        ({"spikes": True, "found": [1000.0, 7.0]}, True),
        ({"spikes": True, "found": [1000.0, 13.0]}, True),
        # as many, but elsewhere
        ({"spikes": True, "lag": [0.0, 1.25]}, False),
        ({"spikes": True, "lag": [0.0, 1.26]}, True),
        ({"exact": True, "spikes": True}, False),
        ({"exact": True, "spikes": True, "unequal": [0, 1]}, True),
        # a channel in which nothing is expected
        ({"range": [500.0, 0.0]}, False),
        ({"range": [500.0, 0.0], "largest": [0.0, 1e-9]}, True),
    ],
)
def test_what_is_over_the_tolerance(changes, over):
    assert error(**changes).over(0.1) is over
    if over and len(changes) == 1 and "total" not in changes:
        (values,) = (v for v in changes.values())
        wrong = [i for i, v in enumerate(values) if v not in (0.0, 0, 1000.0)]
        assert error(**changes).worst(0.1) == wrong[0]


def test_a_spike_out_of_place_and_a_lost_one_by_hand():
    # the float neuron spikes at each 1, the integer one (theta 2) never; of 4 steps the running
    # counts differ by 0 1 1 2: 1 in the mean
    def lif(theta: object) -> LIF:
        nothing = [0.0] if isinstance(theta, list) else Quantized(np.array([0]), 12, 13)
        zero = [0.0] if isinstance(theta, list) else Quantized(np.array([0]), 0, 24)
        return LIF(theta=theta, tau=nothing, rho=nothing, kappa=zero, reset="hard")

    floating = Graph({"in": Input(channels=1, out=Fixed(5, 0)), "lif": lif([1.0]),
                      "out": Output(channels=1)}, (("in", "lif"), ("lif", "out")))  # fmt: skip
    integer = floating.with_nodes({"lif": lif(Quantized(np.array([2]), 0, 24)),
                                   "out": Output(channels=1, out=Fixed.binary())})  # fmt: skip
    trace = run(integer, np.array([0, 1, 0, 1]).reshape(1, -1, 1), "fast")
    found = per_layer_error(floating, integer, trace, "lif")
    assert (found.expected.item(), found.found.item(), found.lag.item()) == (2, 0, 1)


def test_graphs_that_are_not_a_pair_are_refused():
    floating, integer, trace = half([1])
    other = floating.with_nodes({"n": Sum(channels=1)})
    with pytest.raises(InputError, match="node 'n' of the integer graph: expected type Sum"):
        per_layer_errors(other, integer, trace)
    with pytest.raises(InputError, match="trace of 'n': expected its values, got none"):
        per_layer_errors(floating, integer, replace(trace, values={"in": trace.values["in"]}))


# -- a node spoiled on purpose -------------------------------------------------


def spiking_chain() -> Graph:
    """Return tokens, an embedding, a membrane and a ternary threshold in a row."""
    rng = np.random.default_rng(4)

    def affine(outs: int) -> Affine:
        return Affine(weight=rng.normal(size=(outs, C)), bias=0.1 * rng.normal(size=outs))

    ones = np.ones(C)
    nodes: dict[str, Node] = {
        "in": Input(channels=1, out=Fixed(9, 0)), "embed": Embedding(table=rng.normal(size=(9, C))),
        "lif": LIF(theta=ones, tau=0.8 * ones, rho=0.5 * ones, kappa=0.2 * ones, reset="soft"),
        "mix": affine(C), "ternary": TernaryThreshold(delta=0.5 * ones), "read": affine(3),
        "sum": Accumulate(channels=3, steps=T), "out": Output(channels=3),
    }  # fmt: skip
    return Graph(nodes, tuple(pairwise(nodes)), meta={"steps": T})


def adaptive_chain() -> Graph:
    """Return adaptive neurons, and resonators behind synapses of a complex drive."""
    rng, ones = np.random.default_rng(4), np.ones(C)
    nodes: dict[str, Node] = {
        "in": Input(channels=2, out=Fixed(9, 6)),
        "into": Affine(weight=rng.normal(size=(C, 2)), bias=np.zeros(C)),
        "adaptive": AdaptiveLIF(theta=ones, tau=0.8 * ones, rho=0.9 * ones, a=0.1 * ones,
                                b=0.2 * ones, reset="soft", adapts_on="before"),
        "mix": Affine(weight=rng.normal(size=(2 * C, C)), bias=np.zeros(2 * C)),
        "resonator": ResonateAndFire(a_re=0.6 * ones, a_im=0.7 * ones, theta=ones, reset="soft",
                                     drive="complex"),
        "read": Affine(weight=rng.normal(size=(3, C)), bias=np.zeros(3)),
        "out": Output(channels=3),
    }  # fmt: skip
    return Graph(nodes, tuple(pairwise(nodes)), meta={"steps": T})


def complex_chain() -> Graph:
    """Return complex states between synapses, raised thresholds, and a convolution behind them."""
    rng, ones = np.random.default_rng(6), np.ones(C)
    nodes: dict[str, Node] = {
        "in": Input(channels=2, out=Fixed(9, 6)),
        "into": Affine(weight=rng.normal(size=(2 * C, 2)), bias=np.zeros(2 * C)),
        "states": ComplexDiagonal(a_re=0.6 * ones, a_im=0.7 * ones, gate="none"),
        "mix": Affine(weight=rng.normal(size=(C, 2 * C)), bias=np.zeros(C)),
        "raised": AdaptiveThreshold(theta=ones, taps=rng.uniform(1, 3, (C, 3))),
        "spread": Conv2d(weight=rng.normal(size=(2, 1, 1, 3)), bias=np.zeros(2),
                         in_shape=np.array([1, 1, C]), stride=np.ones(2, int),
                         padding=np.array([0, 1]), dilation=np.ones(2, int)),
        "read": Affine(weight=rng.normal(size=(3, 2 * C)), bias=np.zeros(3)),
        "out": Output(channels=3),
    }  # fmt: skip
    return Graph(nodes, tuple(pairwise(nodes)), meta={"steps": T})


@dataclass(frozen=True)
class Pair:
    """A float graph, its integer graph, and inputs."""

    floating: Graph
    integer: Graph
    inputs: np.ndarray


CHAINS = {"adaptive": adaptive_chain, "complex": complex_chain}


@cache
def pair(name: str) -> Pair:
    if name == "gated":
        floating, inputs = gated_block(), pixels()
    elif name in CHAINS:
        floating, inputs = CHAINS[name](), np.random.default_rng(5).integers(-99, 99, (4, T, 2))
    else:
        floating = spiking_chain()
        inputs = np.random.default_rng(5).integers(0, 9, (4, T, 1))
    ranges = calibrate(floating, run(floating, inputs, "float"))
    return Pair(floating, Quantize()(floating, ranges), inputs)


def more(parameter: Quantized, factor: float) -> Quantized:
    """Return a parameter whose largest value is `factor` times as large."""
    values = parameter.values.copy()
    place = np.unravel_index(np.abs(values).argmax(), values.shape)
    values[place] = int(values[place] * factor)
    return Quantized(values, parameter.frac, parameter.bits)


def narrow(node: Node) -> Node:
    """Return a node whose messages saturate far too early."""
    assert node.out is not None
    return replace(node, out=replace(node.out, bits=node.out.bits - 5))


def negative(parameter: Quantized) -> Quantized:
    return Quantized(-parameter.values, parameter.frac, parameter.bits)


def later(theta: Quantized) -> Quantized:
    return Quantized(theta.values + 2**theta.frac, theta.frac, theta.bits)


SPOILERS: dict[type[Node], tuple[str, str, Callable[..., Node]]] = {
    Affine: ("gated", "value", lambda n: replace(n, weight=more(n.weight, 0.5))),
    DiagonalSSM: ("gated", "ssm", lambda n: replace(n, a_re=negative(n.a_re))),
    Threshold: ("gated", "spike", lambda n: replace(n, theta=later(n.theta))),
    PiecewiseLinear: ("gated", "sigmoid", lambda n: replace(n, offsets=later(n.offsets))),
    Product: ("gated", "product", narrow),
    Sum: ("gated", "add", narrow),
    Accumulate: ("gated", "mean", lambda n: replace(n, term_bits=n.term_bits - 5)),
    Embedding: ("spiking", "embed", lambda n: replace(n, table=more(n.table, 0.5))),
    LIF: ("spiking", "lif", lambda n: replace(n, tau=more(n.tau, 0.5))),
    AdaptiveLIF: ("adaptive", "adaptive", lambda n: replace(n, b=negative(n.b))),
    ResonateAndFire: ("adaptive", "resonator", lambda n: replace(n, a_re=negative(n.a_re))),
    ComplexDiagonal: ("complex", "states", lambda n: replace(n, a_re=negative(n.a_re))),
    Conv2d: ("complex", "spread", lambda n: replace(n, weight=more(n.weight, 0.5))),
    AdaptiveThreshold: ("complex", "raised", lambda n: replace(n, taps=more(n.taps, 0))),
    TernaryThreshold: ("spiking", "ternary", lambda n: replace(n, delta=later(n.delta))),
}


def of(found: Pair, integer: Graph) -> Check:
    return check(found.floating, integer, found.inputs)


@pytest.mark.parametrize("name", ["gated", "spiking", "adaptive", "complex"])
def test_a_graph_that_nobody_spoiled_is_within_the_tolerance(name):
    found = pair(name)
    result = of(found, found.integer)
    assert result.passed and result.over == ()
    assert sum(end.largest.max() for end in result.end_to_end.values()) > 0
    exact = [error for error in result.per_layer.values() if error.exact]
    assert exact and not any(error.unequal.any() for error in exact)


@pytest.mark.parametrize("kind", SPOILERS, ids=lambda kind: kind.__name__)
def test_the_spoiled_node_is_named_first(kind):
    which, name, spoil = SPOILERS[kind]
    found = pair(which)
    node = found.integer.nodes[name]
    assert type(node) is kind
    spoiled = found.integer.with_nodes({name: spoil(node)})
    # integers against integers: exact
    right, wrong = (run(graph, found.inputs, "fast") for graph in (found.integer, spoiled))
    assert compare(right, wrong, spoiled.order).first.node == name
    # real numbers against integers: over the tolerance, and nothing else is but what saturates
    result = of(found, spoiled)
    assert result.over[0] == name
    first, *others = [f.node for f in result.findings if f.kind == "per layer"]
    assert first == name
    assert all(wrong.counts[other].saturations for other in others)
    # although errors travel: nodes behind it are far from the float run as well
    means = [r.end_to_end["out"].means.mean() for r in (result, of(found, found.integer))]
    assert means[0] > 2 * means[1]


def test_an_input_that_means_other_numbers_is_named_first():
    # an exponent of the input follows through to all the others: quantize a spoiled float graph
    found = pair("gated")
    halved = found.floating.with_nodes({"in": Input(channels=1, out=Fixed(9, 9))})
    ranges = calibrate(halved, run(halved, found.inputs, "float"))
    spoiled = Quantize()(halved, ranges)
    findings = of(found, spoiled).findings
    assert [f.node for f in findings if f.kind == "per layer"] == ["in"]
    left, right = (run(graph, found.inputs, "fast") for graph in (found.integer, spoiled))
    result = compare(left, right, spoiled.order, units(spoiled), units(found.integer))
    assert result.first.node == "in"


def test_what_hands_on_and_norms_are_the_only_nodes_without_integers_to_spoil():
    # an Output and a Delay send what arrives, and the contract fixes the format of an Output; norms
    # are in float graphs only
    assert {*SPOILERS, Input, Output, Delay, BatchNorm} == set(NODE_TYPES.values())
    found = pair("gated")
    out = found.integer.nodes["out"]
    spoiled = found.integer.with_nodes({"out": replace(out, out=Fixed(24, out.out.frac + 1))})
    with pytest.raises(Exception, match="node 'out': expected the format"):
        run(spoiled, found.inputs, "fast")
    norms = [BatchNorm(gain=np.full(C, gain), offset=np.zeros(C)) for gain in (1.0, 1.5)]
    left, right = (
        run(Graph({"in": Input(channels=C, out=Fixed(9, 8)), "norm": norm, "ssm": float_ssm(),
                   "out": Output(channels=C)},
                  (("in", "norm"), ("norm", "ssm"), ("ssm", "out"))), pixels(C), "float")
        for norm in norms
    )  # fmt: skip
    assert compare(left, right, ("in", "norm", "ssm", "out")).first.node == "norm"
