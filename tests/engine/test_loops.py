"""Edges may form a cycle through a Delay: every executor runs it, and each as by hand."""

from __future__ import annotations

import numpy as np
import pytest
from recurrent import IN, by_hand, recurrent_lif

from neurossm.comparison import compare
from neurossm.engine import run
from neurossm.engine.stepper import Stepper
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Affine, Delay, Input, Output, Sum
from neurossm.quantization import Quantize, bounds, calibrate
from neurossm.report import graph_svg
from neurossm.store import load, save

DELAYS = {"one": 1, "seven": 7, "longest": 63, "by channel": [1, 2, 63, 5, 1]}


def spikes(samples: int = 4, steps: int = 90) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, (samples, steps, IN))


@pytest.mark.parametrize("reset", ["soft", "hard", "none"])
@pytest.mark.parametrize("delay", DELAYS)
@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_recurrent_synapses_do_what_their_equations_say(engine, delay, reset):
    graph, x = recurrent_lif(np.random.default_rng(0), DELAYS[delay], reset), spikes()
    expected = by_hand(graph, x)
    assert expected.any() and not expected.all()
    np.testing.assert_array_equal(run(graph, x, engine).values["y"], expected)


def test_the_past_matters_in_these_networks():
    graph, x = recurrent_lif(np.random.default_rng(0)), spikes()
    other = recurrent_lif(np.random.default_rng(0), 2)
    assert not np.array_equal(by_hand(graph, x), by_hand(other, x))


def test_a_cycle_without_a_delay_is_refused_with_what_to_do():
    nodes = {"x": Input(channels=1, out=Fixed(24, 0)), "a": Sum(channels=1), "b": Sum(channels=1),
             "y": Output(channels=1)}  # fmt: skip
    edges = (("x", "a"), ("a", "b"), ("b", "a"), ("b", "y"))
    with pytest.raises(GraphError, match=r"cycle a -> b: .*\(Delay\).* put a Delay into the edge"):
        Graph(nodes, edges)
    nodes["later"] = Delay(channels=1, steps=1)
    edges = (("x", "a"), ("a", "b"), ("b", "later"), ("later", "a"), ("b", "y"))
    assert Graph(nodes, edges).loops == (("later", "a", "b"),)


def test_a_running_sum_by_a_loop_on_real_numbers():
    # s_t = x_t + s_(t-2)
    nodes = {"x": Input(channels=1, out=Fixed(24, 4)), "s": Sum(channels=1),
             "later": Delay(channels=1, steps=2), "y": Output(channels=1)}  # fmt: skip
    graph = Graph(nodes, (("x", "s"), ("s", "later"), ("later", "s"), ("s", "y")))
    x = np.arange(1, 8)[None, :, None] * 16
    found = run(graph, x, "float").values["y"].ravel()
    assert found.tolist() == [1, 2, 4, 6, 9, 12, 16]


@pytest.mark.parametrize("delay", DELAYS)
def test_step_by_step_the_same(delay):
    graph, x = recurrent_lif(np.random.default_rng(0), DELAYS[delay]), spikes(steps=80)
    trace = run(graph, x, "reference")
    stream = Stepper(graph, samples=len(x), record="all")
    for t in range(x.shape[1]):
        np.testing.assert_array_equal(stream.step(x[:, t]), trace.values["y"][:, t])
        np.testing.assert_array_equal(stream.values["later"], trace.values["later"][:, t])
    assert stream.states.keys() == trace.states.keys()
    for key, state in stream.states.items():
        np.testing.assert_array_equal(state, trace.states[key])


def test_states_counters_and_lengths_are_those_of_the_reference():
    graph, x = recurrent_lif(np.random.default_rng(3), [1, 2, 63, 5, 1]), spikes(5, 90)
    for lengths in (None, [90, 1, 40, 90, 63]):
        left, right = (run(graph, x, engine, lengths=lengths) for engine in ("reference", "fast"))
        assert not compare(left, right, graph.order).mismatches
        assert left.counts == right.counts and left.saturations() == right.saturations()
        for key, state in left.states.items():
            np.testing.assert_array_equal(state, right.states[key])


def test_a_graded_message_goes_round_in_a_unit_of_its_own():
    """A leaky loop of Sum, Affine (a half) and Delay, quantized: y_t = x_t + y_(t-1) / 2."""
    nodes = {
        "x": Input(channels=2, out=Fixed(12, 6)), "s": Sum(channels=2),
        "half": Affine(weight=np.eye(2) / 2, bias=np.zeros(2)),
        "later": Delay(channels=2, steps=np.array([1, 2])), "y": Output(channels=2),
    }  # fmt: skip
    edges = (("x", "s"), ("s", "later"), ("later", "half"), ("half", "s"), ("s", "y"))
    graph = Graph(nodes, edges, meta={"steps": 60})
    x = np.random.default_rng(5).integers(-2000, 2000, (3, 60, 2))
    real = run(graph, x, "float", "all")
    y = np.zeros((3, 60, 2))
    for t in range(60):
        for c, n in ((0, 1), (1, 2)):
            y[:, t, c] = x[:, t, c] / 64 + (y[:, t - n, c] / 2 if t >= n else 0)
    np.testing.assert_allclose(real.values["y"], y, rtol=1e-12)
    integer = Quantize()(graph, calibrate(graph, real))
    left, right = (run(integer, x, engine) for engine in ("reference", "fast"))
    np.testing.assert_array_equal(left.values["y"], right.values["y"])
    unit = 2.0 ** -integer.nodes["y"].out.frac
    assert np.abs(left.values["y"] * unit - y).max() < 0.01 * np.abs(y).max()
    worst = bounds(integer).messages["s"]
    assert np.all(np.abs(left.values["s"]) * 2.0 ** -integer.nodes["s"].out.frac <= worst.magnitude)


def test_bounds_of_a_loop_hold_and_of_spikes_are_tight():
    graph, x = recurrent_lif(np.random.default_rng(3)), spikes(5, 90)
    found, trace = bounds(graph), run(graph, x)
    back = np.maximum(graph.nodes["back"].weight.values, 0).sum(axis=1) / 64  # all fire at once
    np.testing.assert_allclose(found.messages["back"].high, back)
    for name in graph.order:
        values = trace.values[name] * 2.0 ** -graph.nodes[name].out.frac
        assert np.all(values <= found.messages[name].high + 1e-12)
        assert np.all(values >= found.messages[name].low - 1e-12)


def test_files_and_drawings_hold_loops(tmp_path):
    graph = recurrent_lif(np.random.default_rng(3), [1, 2, 63, 5, 1])
    save(tmp_path / "x.nssm", graph)
    assert load(tmp_path / "x.nssm") == graph
    assert graph_svg(graph).count("<rect") >= len(graph.nodes)
