"""Quantizing what spikes and looks up: thresholds up, leaks to nearest, room for membranes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from float_model import C, float_ssm, only, pixels, quantized

from neurossm import contract
from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Affine,
    BatchNorm,
    Embedding,
    Input,
    Node,
    Output,
    Product,
    TernaryThreshold,
)
from neurossm.passes import fold_batch_norm
from neurossm.piecewise import piecewise
from neurossm.quantization import Quantize, calibrate

RNG = np.random.default_rng(2)


def chain(*nodes: Node, fmt: Fixed) -> Graph:
    """Return the nodes in a row, named ``n0``, ``n1``, ... between ``in`` and ``out``."""
    named: dict[str, Node] = {"in": Input(channels=nodes[0].in_channels, out=fmt)}
    named |= {f"n{k}": node for k, node in enumerate(nodes)}
    named["out"] = Output(channels=nodes[-1].out_channels)
    return Graph(named, tuple(pairwise(named)))


def lif(reset: str = "hard", tau: float = 0.9, kappa: float = 0.5, channels: int = C) -> LIF:
    ones = np.ones(channels)
    return LIF(theta=ones, tau=tau * ones, rho=0.7 * ones, kappa=kappa * ones, reset=reset)


def test_a_ternary_threshold_is_rounded_up():
    delta = np.array([0.5, 0.501, 1e-9, 3, 0.25, 7])
    graph = only(TernaryThreshold(delta=delta), Fixed(9, 2))
    integer, _ = quantized(graph, pixels(C), Quantize())
    assert integer.nodes["node"].delta.values.tolist() == [2, 3, 1, 12, 1, 28]
    # so the integers decide as the real numbers do
    inputs = RNG.integers(-255, 256, (2, 50, C))
    found, expected = (run(g, inputs, e) for g, e in ((integer, "fast"), (graph, "float")))
    np.testing.assert_array_equal(found.values["node"], expected.values["node"])


def test_the_parameters_of_a_membrane_by_hand():
    # inputs are below 16, twice that 32: a state of 20 bits has room for (1.01 + 0.3 + 32) 2**13.
    # behind a leak of 0.9 a unit of 2**-16 is wanted, behind none 2**-11 (2**-12 for its trace)
    node = LIF(theta=[1.01, 2], tau=[0.9, np.nextafter(1, 0)], rho=[0, 0.5], kappa=[0.3, 0.1],
               reset="hard")  # fmt: skip
    graph, inputs = only(node, Fixed(9, 4)), np.full((1, 4, 2), 255)
    integer, _ = quantized(graph, inputs, Quantize(state_bits=20))
    found = integer.nodes["node"]
    assert found.theta.frac.tolist() == found.kappa.frac.tolist() == [13, 12]
    assert (found.tau.frac, found.rho.frac) == (12, 12)
    assert found.theta.values.tolist() == [8274, 8192]  # 8273.92 rounds up
    assert found.kappa.values.tolist() == [2458, 410]  # 2457.6 and 409.6 to nearest
    assert found.tau.values.tolist() == [3686, 4096]  # 3686.4; the last to nearest
    assert found.rho.values.tolist() == [0, 2048]
    assert {found.theta.bits, found.kappa.bits} == {20}
    assert found.reset == "hard"


def test_a_trace_too_small_for_the_format_is_not_kept():
    # a unit of 2**-16 adds up to 2**-12 of the threshold in ten steps of leak
    integer, _ = quantized(only(lif(kappa=1e-7), Fixed(9, 4)), pixels(C), Quantize())
    assert not integer.nodes["node"].has_trace
    assert integer.nodes["node"].states == C


@pytest.mark.parametrize("tau", [0.0, 0.5, 0.75])
@pytest.mark.parametrize("reset", LIF.resets)
def test_the_format_in_front_leaves_room_for_the_membrane(tau, reset):
    graph = chain(float_ssm(), lif(reset, tau=tau), fmt=Fixed(9, 8))
    inputs = pixels(C)
    integer, ranges = quantized(graph, inputs, Quantize(headroom=1))
    out, node = integer.nodes["n0"].out, integer.nodes["n1"]
    assert node.theta.frac == out.frac  # nothing is shifted on entry
    # inputs up to twice those of calibration cannot carry |y| / (1 - tau) out of 24 bits
    bound = 2 * ranges.inputs["n1"].max() / (1 - node.tau.dequantize().max())
    assert bound * 2.0**out.frac <= 2**23
    # and one bit more would not do, or the message itself would not fit
    assert max(bound, 2 * ranges.messages["n0"]) * 2.0 ** (out.frac + 1) > 2**23 - 1
    spikes_as(graph, integer, inputs)


@pytest.mark.parametrize("tau", [0.99, 0.9999])
@pytest.mark.parametrize("reset", LIF.resets)
def test_a_slow_membrane_is_as_fine_as_what_it_was_seen_to_hold_allows(tau, reset):
    graph = chain(float_ssm(), lif(reset, tau=tau), fmt=Fixed(9, 8))
    inputs = pixels(C)
    integer, ranges = quantized(graph, inputs, Quantize(headroom=1))
    unit = 2.0 ** -integer.nodes["n1"].theta.frac_by_channel()
    # theta 1, kappa 0.5 and the largest input with headroom on top, or twice what was seen
    held = np.maximum(1.5 + 2 * ranges.inputs["n1"], 2 * ranges.membranes["n1"])
    held = np.maximum(held, 0.5 / (1 - 0.7))
    assert np.all(held <= (2**23 - 1) * unit)
    assert np.all((2 * held > (2**23 - 1) * unit) | (unit / (1 - tau) < 2.0**-12))
    spikes_as(graph, integer, inputs)


def spikes_as(graph: Graph, integer: Graph, inputs: np.ndarray) -> None:
    trace, expected = run(integer, inputs, "fast"), run(graph, inputs, "float").values["n1"]
    assert trace.counts["n1"].saturations == 0
    assert 0.01 < expected.mean() < 0.99
    # 8-bit gains of the SSM move a few spikes
    assert np.mean(trace.values["n1"] != expected) < 0.05


@pytest.mark.parametrize(("steps", "longest"), [(50, 50), (None, 4096)])
def test_a_membrane_that_does_not_leak_gets_room_for_all_steps(steps, longest):
    node = replace(lif("none", tau=1.0, kappa=0), theta=np.full(C, 256.0))
    graph = chain(float_ssm(), node, fmt=Fixed(9, 8))
    if steps:
        graph = replace(graph, meta={"steps": steps})
    integer, ranges = quantized(graph, pixels(C), Quantize(headroom=1))
    node = integer.nodes["n1"]
    assert node.tau.values.tolist() == [4096] * C and node.tau.bits == 14
    # twice the largest input seen, at every step
    bound = 2 * ranges.inputs["n1"].max() * longest
    assert bound * 2.0**node.theta.frac <= 2**23 < bound * 2.0 ** (node.theta.frac + 1) + 1


def test_the_worst_inputs_within_the_headroom_do_not_saturate_a_membrane():
    # a constant of twice the largest input seen, for long: the membrane comes as close to
    # y / (1 - tau) as it can
    nodes = {"in": Input(channels=1, out=Fixed(12, 8)), "gain": Input(channels=1, out=Fixed(9, 8)),
             "n0": Product(channels=1), "n1": lif("none", tau=0.9, channels=1),
             "out": Output(channels=1)}  # fmt: skip
    edges = (("in", "n0"), ("gain", "n0"), ("n0", "n1"), ("n1", "out"))
    graph = Graph(nodes, edges)
    ones, long = np.ones((1, 30, 1), np.int64), np.ones((1, 4000, 1), np.int64)
    seen = {"in": 500 * ones, "gain": 250 * ones}
    integer = Quantize()(graph, calibrate(graph, run(graph, seen, "float")))
    trace = run(integer, {"in": 1000 * long, "gain": 250 * long}, "fast")
    assert trace.saturations() == 0
    state, limit = int(trace.states["n1.u"][0, 0]), 2**23 - 1
    assert limit / 4 < state <= limit, "the membrane does not use its width"


def test_a_trace_fits_its_width_whatever_arrives():
    # a spike at every step: kappa / (1 - rho) = 3 * 64
    node = LIF(theta=[16.0], tau=[0.0], rho=[1 - 2.0**-6], kappa=[3.0], reset="hard")
    graph = chain(piecewise("relu", 1), node, fmt=Fixed(24, 20))
    quiet = np.full((1, 4, 1), 2**18)
    integer = Quantize(segment_bits=16)(graph, calibrate(graph, run(graph, quiet, "float")))
    found = integer.nodes["n1"]
    assert found.kappa.values[0] * 64 <= 2**23 - 1 and found.theta.frac >= 14


def test_a_slow_trace_is_held_by_what_can_spike_and_not_by_a_spike_at_each_step():
    # whatever spikes is above the trace by theta: v is at most 4 + 1.5 + 8 with headroom on what is
    # seen, and a trace of 1.5 more fits 2**19; a spike at each step would make it 1.5 * 10,000
    node = LIF(theta=[4.0], tau=[0.0], rho=[0.9999], kappa=[1.5], reset="none")
    inputs = np.full((1, 50, 1), 64)
    integer, _ = quantized(only(node, Fixed(9, 4)), inputs, Quantize())
    found = integer.nodes["node"]
    assert found.theta.frac == 19
    assert found.rho.frac == 20 and found.rho.values[0] == 2**20 - 105  # 104.9 a step
    spikes = [run(g, inputs, e).values["node"].sum()
              for g, e in ((only(node, Fixed(9, 4)), "float"), (integer, "fast"))]  # fmt: skip
    assert spikes == [1, 1]


def test_synapses_of_graded_messages_leave_room_for_the_membrane_behind():
    mix = Affine(weight=RNG.normal(size=(C, C)), bias=np.zeros(C))
    graph = chain(float_ssm(), mix, lif("none", tau=0.75), fmt=Fixed(9, 8))
    integer, ranges = quantized(graph, pixels(C), Quantize())
    bound = 2 * ranges.inputs["n2"].max() / (1 - integer.nodes["n2"].tau.dequantize().max())
    assert bound * 2.0 ** integer.nodes["n1"].out.frac <= 2**23
    assert run(integer, pixels(C), "fast").counts["n2"].saturations == 0


@pytest.mark.parametrize("bits", [8, 4])
def test_rows_of_a_table_lie_within_half_a_unit(bits):
    table = RNG.normal(size=(7, 3))
    graph, tokens = only(Embedding(table=table), Fixed(8)), RNG.integers(0, 7, (2, 20, 1))
    integer, _ = quantized(graph, tokens, Quantize(weight_bits=bits))
    found = integer.nodes["node"]
    assert found.out == Fixed(bits, found.table.frac)
    assert np.abs(found.table.dequantize() - table).max() <= 2.0**-found.table.frac / 2
    assert 2 ** (bits - 2) <= np.abs(found.table.values).max() < 2 ** (bits - 1)
    trace = run(integer, tokens, "fast")
    np.testing.assert_array_equal(
        trace.values["out"], found.table.values[tokens[:, :, 0]]
    )  # nothing saturates, nothing is shifted


def test_a_norm_behind_a_table_folds_into_its_rows():
    table, gain, offset = RNG.normal(size=(5, 3)), RNG.normal(size=3), RNG.normal(size=3)
    norm = BatchNorm(gain=gain, offset=offset)
    graph = fold_batch_norm(chain(Embedding(table=table), norm, fmt=Fixed(8)))
    assert "n1" not in graph.nodes
    np.testing.assert_allclose(graph.nodes["n0"].table, table * gain + offset, rtol=1e-15)


# -- ternary weights -----------------------------------------------------------

SIGNS = RNG.integers(-1, 2, (C, C)).astype(float)


@pytest.mark.parametrize("size", [1.0, 0.25, 8.0])
def test_ternary_weights_behind_graded_messages_stay_ternary(size):
    graph = chain(float_ssm(), Affine(weight=size * SIGNS, bias=np.ones(C)), fmt=Fixed(9, 8))
    integer, _ = quantized(graph, pixels(C), Quantize())
    found = integer.nodes["n1"]
    np.testing.assert_array_equal(found.weight.values, SIGNS)
    np.testing.assert_array_equal(found.weight.dequantize(), size * SIGNS)
    assert found.only_adds
    trace = run(integer, pixels(C), "fast")
    assert trace.counts["n1"].syn_ops > 0 == trace.counts["n1"].synaptic_multiplies


def test_other_weights_and_those_behind_spikes_keep_their_eight_bits():
    for weight, fmt in (
        (3 * SIGNS, Fixed(9, 8)),
        (SIGNS, Fixed.ternary()),
        (0.0 * SIGNS, Fixed(9)),
    ):
        graph = chain(Affine(weight=weight, bias=np.full(C, 0.3)), fmt=fmt)
        integer, _ = quantized(graph, pixels(C) % 2, Quantize())
        found = integer.nodes["n0"]
        np.testing.assert_array_equal(found.weight.dequantize(), weight)
        assert np.abs(found.weight.values).max() == {3: 96, 1: 64, 0: 0}[int(weight.max())]


def test_a_gated_spiking_unit_keeps_the_contract():
    # (tern(W) y + b) * (W tern(y) + c), then gelu: both branches only add
    y = float_ssm()
    signs = np.where(np.abs(w := RNG.normal(size=(C, C))) >= 0.5, np.sign(w), 0)
    nodes: dict[str, Node] = {
        "in": Input(channels=C, out=Fixed(9, 8)), "ssm": y,
        "real": Affine(weight=signs, bias=RNG.normal(size=C)),
        "signs": TernaryThreshold(delta=np.full(C, 2.0)),
        "weights": Affine(weight=w, bias=RNG.normal(size=C)),
        "product": Product(channels=C), "gelu": piecewise("gelu", C), "out": Output(channels=C),
    }  # fmt: skip
    edges = [("in", "ssm"), ("ssm", "real"), ("ssm", "signs"), ("signs", "weights")]
    edges += [("real", "product"), ("weights", "product"), ("product", "gelu"), ("gelu", "out")]
    graph, inputs = Graph(nodes, tuple(edges)), pixels(C)
    integer, _ = quantized(graph, inputs, Quantize())
    trace, expected = run(integer, inputs, "fast"), run(graph, inputs, "float")
    assert sum(count.synaptic_multiplies for count in trace.counts.values()) == 0
    assert trace.saturations() == 0
    assert set(np.unique(trace.values["signs"])) == {-1, 0, 1}
    assert np.mean(trace.values["signs"] != expected.values["signs"]) < 0.01
    unit = 2.0 ** -integer.nodes["out"].out.frac
    right = expected.values["out"]
    assert np.median(np.abs(trace.values["out"] * unit - right)) < 0.02 * np.abs(right).max()


def test_messages_get_narrower_where_the_accumulator_behind_would_not_hold_them():
    # products that cancel: the sum that calibration saw is small, the possible one is not
    wide = 200
    signs = np.where(np.arange(wide) % 2, 1.0, -1.0)[None, :]
    nodes: dict[str, Node] = {
        "in": Input(channels=wide, out=Fixed(12, 8)),
        "gain": Input(channels=wide, out=Fixed(12, 8)),
        "product": Product(channels=wide), "mix": Affine(weight=signs, bias=[1e-3]),
        "out": Output(channels=1),
    }  # fmt: skip
    edges = (("in", "product"), ("gain", "product"), ("product", "mix"), ("mix", "out"))
    graph, ones = Graph(nodes, edges), np.ones((1, 3, wide), np.int64)
    ranges = calibrate(graph, run(graph, {"in": 1000 * ones, "gain": 1023 * ones}, "float"))
    integer = Quantize(headroom=3)(graph, ranges)
    assert contract.problems(integer) == ()
    # 200 messages of 24 bits would exceed 2**30, of 23 bits they do not
    assert integer.nodes["product"].out.bits == 23
    assert ranges.messages["mix"] == pytest.approx(1e-3)
