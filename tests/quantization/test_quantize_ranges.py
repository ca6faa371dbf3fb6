"""Which range decides a format: observed, percentile, worst case, the tightest; node by node."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from float_model import C, float_ssm, gated_block, only, pixels, quantized

from neurossm.engine import run
from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed, fit_frac
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, DiagonalSSM, Input, Output, Sum
from neurossm.quantization import Percentiles, Quantize, bounds, calibrate, headroom
from neurossm.trace import Trace


def taken(**values: object) -> Trace:
    arrays = {name: np.asarray(value, dtype=float) for name, value in values.items()}
    samples, steps = next(iter(arrays.values())).shape[:2]
    return Trace("float", arrays, samples, steps)


def one_sum() -> Graph:
    nodes = {"in": Input(channels=1, out=Fixed(9, 0)), "sum": Sum(channels=1),
             "out": Output(channels=1)}  # fmt: skip
    return Graph(nodes, (("in", "sum"), ("sum", "out")))


def test_percentiles_by_hand():
    # 200 magnitudes, 1 to 200, in two parts: at 99% two may be larger, 199 and 200
    values = np.arange(1, 201, dtype=float)
    values[::2] *= -1
    values = np.random.default_rng(0).permutation(values).reshape(2, 100, 1)
    for percent, expected in ((100, 200), (99.5, 199), (99.4, 199), (99, 198)):
        kept = Percentiles(one_sum(), ("sum",), percent, 200)
        for part in values:
            kept.add(taken(sum=part[None]))
        assert kept.result() == {"sum": expected}, percent


def one_state() -> Graph:
    """x' = x / 2 + u in one channel."""
    one, zero = [[1.0]], [[0.0]]
    ssm = DiagonalSSM(
        a_re=[[0.5]],
        a_im=zero,
        b_re=one,
        b_im=zero,
        c_re=one,
        c_im=zero,
        d=[0.0],
        bias=[0.0],
        drive_re=zero,
        drive_im=zero,
        step_size=[1.0],
        method="zoh",
    )
    nodes = {"in": Input(channels=1, out=Fixed(24, 0)), "ssm": ssm, "out": Output(channels=1)}
    return Graph(nodes, (("in", "ssm"), ("ssm", "out")))  # fmt: skip


def test_percentiles_of_a_state_by_hand():
    # an impulse of 2**20 decays by halves: 20, 19, 18, ... as powers of two; 300 steps in 3 samples
    impulse = np.zeros((3, 100, 1), np.int64)
    impulse[0, 0] = 2**20
    graph = one_state()
    for percent, expected in ((100, 20), (99.67, 20), (99.5, 19), (99, 17)):
        kept = Percentiles(graph, ("ssm",), percent, 300)
        for part in impulse:
            kept.add(run(graph, part[None], "float", "all"))
        assert kept.states()["ssm"].tolist() == [[2.0**expected]], percent


def test_at_100_percent_states_have_the_range_that_was_seen():
    graph, inputs = gated_block(), pixels()
    kept = Percentiles(graph, graph.order, 100, inputs.shape[0] * inputs.shape[1])
    for sample in inputs:
        kept.add(run(graph, sample[None], "float", "all"))
    ranges = calibrate(graph, run(graph, inputs, "float"))
    np.testing.assert_allclose(kept.states()["ssm"], ranges.states["ssm"], rtol=1e-12)
    observed = Quantize()(graph, ranges)
    same = Quantize(range_rule="percentile")(
        graph, replace(ranges, percentiles=kept.result(), state_percentiles=kept.states())
    )
    assert same.nodes["ssm"].drive_re == observed.nodes["ssm"].drive_re
    assert same == observed


def test_a_state_gets_the_width_for_its_percentile():
    graph = gated_block()
    ranges = calibrate(graph, run(graph, pixels(), "float"))
    states = {"ssm": ranges.states["ssm"] / 8}
    rules = (("ssm", "percentile"),)
    cut = replace(ranges, percentiles={"ssm": ranges.messages["ssm"]}, state_percentiles=states)
    seen, less = (
        Quantize(range_rules=chosen)(graph, found).nodes["ssm"]
        for chosen, found in (((), ranges), (rules, cut))
    )
    # a unit of the state is an eighth of what it was
    assert np.all(less.drive_re.frac - seen.drive_re.frac == 3)


@pytest.mark.parametrize("percent", [98.9, 100.1, float("nan")])
def test_a_percentile_that_is_no_sensible_format_is_refused(percent):
    with pytest.raises(InputError, match="percentile: expected 99 to 100"):
        Percentiles(one_sum(), ("sum",), percent, 200)


def out_of(graph: Graph, name: str, settings: Quantize, percentiles: dict | None = None) -> Fixed:
    trace = run(graph, pixels(graph.nodes["in"].out_channels), "float")
    ranges = calibrate(graph, trace)
    ranges = replace(ranges, percentiles=percentiles or {}, state_percentiles=ranges.states)
    return settings(graph, ranges).nodes[name].out


def test_the_exponent_is_the_one_that_the_rule_asks_for():
    graph = gated_block()
    trace = run(graph, pixels(), "float")
    seen, worst = calibrate(graph, trace).messages["ssm"], bounds(graph).messages["ssm"].largest
    assert seen < worst, "two rules ask for the same"
    wanted = {"observed": seen, "bound": worst, "tightest": seen, "percentile": seen / 3}
    for rule, largest in wanted.items():
        settings = Quantize(headroom=0, range_rules=(("ssm", rule),))
        found = out_of(graph, "ssm", settings, {"ssm": seen / 3})
        assert found.frac == fit_frac(largest, 24), rule
    assert len({fit_frac(largest, 24) for largest in wanted.values()}) == 3
    # headroom is for what was seen; the worst case needs none
    for rule, less in (("observed", 2), ("percentile", 2), ("bound", 0)):
        fracs = [
            out_of(graph, "ssm", Quantize(headroom=h, range_rule=rule), share(graph, seen)).frac
            for h in (0, 2)
        ]
        assert fracs[0] - fracs[1] == less, rule


def share(graph: Graph, seen: float) -> dict[str, float]:
    return dict.fromkeys(graph.nodes, seen / 3)


def test_a_bound_below_the_headroom_is_tighter():
    # a sigmoid stays below 1, so twice what was seen wastes a bit
    graph = gated_block()
    fracs = {rule: out_of(graph, "sigmoid", Quantize(range_rule=rule)).frac
             for rule in ("observed", "tightest", "bound")}  # fmt: skip
    assert fracs["tightest"] == fracs["bound"] == fracs["observed"] + 1


def test_the_last_pattern_that_fits_decides():
    settings = Quantize(range_rule="observed", range_rules=(("*", "bound"), ("s?gm*", "observed")))
    graph = gated_block()
    default = out_of(graph, "sigmoid", Quantize())
    assert out_of(graph, "sigmoid", settings) == default
    assert out_of(graph, "sigmoid", Quantize(range_rule="bound")) != default


@pytest.mark.parametrize("rule", ["bound", "tightest"])
def test_at_the_worst_case_no_state_and_no_membrane_saturates(rule):
    graph = only(float_ssm(), Fixed(9, 8))
    graph = replace(graph, meta={"steps": 30})
    integer, _ = quantized(graph, pixels(C), Quantize(range_rule=rule, state_bits=16))
    state = {room.register: room for room in headroom(integer)}["state"]
    if rule == "bound":
        assert state.proven
        trace = run(integer, np.where(pixels(C, seed=3) > 127, 255, -255), "reference")
        assert trace.saturations() == 0
    # and without it that is not so
    seen, _ = quantized(graph, pixels(C) // 64, Quantize(state_bits=16))
    assert not {room.register: room for room in headroom(seen)}["state"].proven


def test_the_membrane_behind_a_message_follows_the_rule():
    # 30 in, at most 31.5: the membrane is reset from 30, so twice what is seen is 60, and what
    # comes on top of the threshold 1 + 60; down it is bounded by 31.5 / (1 - 3/4). A register of
    # 10 bits has no unit as small as 2**-10 of the threshold, so it holds no more than that
    node = LIF(theta=[1.0], tau=[0.75], rho=[0.0], kappa=[0.0], reset="hard")
    nodes = {"in": Input(channels=1, out=Fixed(7, 1)), "sum": Sum(channels=1), "lif": node,
             "out": Output(channels=1)}  # fmt: skip
    graph = Graph(nodes, (("in", "sum"), ("sum", "lif"), ("lif", "out")))
    ranges = calibrate(graph, run(graph, np.full((1, 9, 1), 60), "float"))
    for rule, largest in (("observed", 61), ("bound", 126), ("tightest", 61)):
        made = Quantize(range_rules=(("lif", rule),), state_bits=10)(graph, ranges)
        assert made.nodes["lif"].theta.frac == fit_frac(largest, 10), rule


# -- what is refused -----------------------------------------------------------


def test_unknown_rules_and_nodes_are_refused():
    with pytest.raises(InputError, match=r"quantize range_rule: expected observed \| .*got 'seen'"):
        Quantize(range_rule="seen")
    with pytest.raises(InputError, match=r"range_rules 'add': expected .* got 'max'"):
        Quantize(range_rules=(("add", "max"),))
    with pytest.raises(InputError, match="name or pattern of a node, such as 'in', got 'block'"):
        quantized(gated_block(), pixels(), Quantize(range_rules=(("block", "bound"),)))


def test_a_percentile_that_was_not_collected_is_refused():
    with pytest.raises(
        InputError, match=r"range of node '.*': the calibration has no percentiles of it"
    ):
        quantized(gated_block(), pixels(), Quantize(range_rule="percentile"))


def test_a_worst_case_that_is_infinite_is_refused_by_name():
    # a state that never decays has no worst case; what was seen is fine
    real = float_ssm(a_re=np.ones((C, 3)), a_im=np.zeros((C, 3)))
    graph = only(real, Fixed(9, 8))
    for rule in ("observed", "tightest"):
        quantized(graph, pixels(C), Quantize(range_rule=rule))
    with pytest.raises(GraphError, match="node 'node': expected a worst case that is finite"):
        quantized(graph, pixels(C), Quantize(range_rule="bound"))


def test_narrow_messages_narrow_what_neurons_send_and_not_what_synapses_add():
    graph = gated_block()
    integer, _ = quantized(graph, pixels(), Quantize(activation_bits=8))
    for name in ("ssm", "product", "add", "sigmoid"):
        assert integer.nodes[name].out.bits <= 8, name
    affine = [node for node in integer.nodes.values() if isinstance(node, Affine)]
    assert {node.out.bits for node in affine} == {24} == {integer.nodes["mean"].out.bits}
