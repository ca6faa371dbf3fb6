"""Proposed NIR nodes of other tools: what stands where it has a meaning, and what is refused."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import nir
import numpy as np
import pytest
from small_nir import network, outputs

from neurossm.errors import FormatError, GraphError, InputError
from neurossm.graph import Graph
from neurossm.nodes import LIF, DiagonalSSM, ResonateAndFire
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading
from neurossm_converters.formats.nir.proposal import node_types

StateSpace, Reset = node_types()
ONE, HALF = np.ones(1), 1 / np.log(2)  # a half is left after a step of 1 ms


def imported(graph: nir.NIRGraph, **reading: Any) -> Graph:
    return neurossm_nir.from_nir(graph, Reading(**{"dt": 1e-3, "proposed": True} | reading))


def group(**changes: nir.NIRNode) -> dict[str, nir.NIRNode]:
    nodes = {"m": nir.LI(tau=HALF * ONE, r=2 * ONE, v_leak=0 * ONE), "s": nir.Threshold(ONE),
             "down": Reset("subtract", amount=ONE)}  # fmt: skip
    return nodes | changes


EDGES = ("in > m", "m > s", "s > down", "down > m", "s > out")


def neuron(*more: str, edges: tuple[str, ...] = EDGES, **changes: nir.NIRNode) -> nir.NIRGraph:
    nodes = group(**changes)
    nodes["s"] = nodes.pop("s")  # the last node gives the width of the output
    return network(nodes, *edges, *more, inputs=1)


FADE = Reset("exponential", amplitude=0.5 * ONE, tau=HALF * ONE)


def test_a_neuron_is_named_after_its_threshold():
    graph = imported(neuron("s > fade", "fade > s", fade=FADE))
    assert list(graph.nodes) == ["in", "out", "s"] and set(graph.edges) == {
        ("in", "s"),
        ("s", "out"),
    }
    found = graph.nodes["s"]
    assert isinstance(found, LIF) and found.reset == "soft"
    assert (found.tau[0], found.kappa[0]) == (0.5, 0.5)
    np.testing.assert_allclose(found.rho, 0.5, rtol=1e-15)
    assert found.theta[0] == np.nextafter(1, 2)  # NIR compares strictly
    at = imported(neuron(), compares={"s": "ge"}).nodes["s"]
    assert at.theta[0] == 1


def test_another_amount_is_subtracted_as_it_is():
    inputs = np.random.default_rng(3).integers(0, 2, (60, 1))
    graph = imported(neuron(down=Reset("subtract", amount=1.75 * ONE), w=nir.Linear(ONE[:, None]),
                            edges=("in > w", "w > m", *EDGES[1:])))  # fmt: skip
    v, expected = 0.0, []
    for u in inputs[:, 0]:
        v = 0.5 * v + u
        expected.append(float(v > 1))
        v -= 1.75 * (v > 1)
    assert 5 < sum(expected) < 30
    np.testing.assert_array_equal(outputs(graph, inputs)[:, 0], expected)


def test_spikes_that_feed_back_besides_take_a_step():
    graph = imported(neuron("s > w", "w > m", w=nir.Linear(-ONE[:, None])))
    assert graph.loops and "s.before" in graph.nodes


def test_a_gain_scales_what_a_spike_takes():
    # r = 4: an input of 1 adds 2, and the membrane is measured in inputs
    membrane = nir.LI(tau=HALF * ONE, r=4 * ONE, v_leak=0 * ONE)
    found = imported(neuron("s > fade", "fade > s", fade=FADE, m=membrane)).nodes["s"]
    np.testing.assert_allclose([found.theta[0], found.kappa[0]], [0.5, 0.25], rtol=1e-15)


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (neuron(edges=("in > m", "m > s", "s > down", "down > s", "s > out")),
         r"'down' \(Reset\): expected edges 's' -> it -> 'm' of kind 'subtract', got 's' -> it"),
        (neuron("s > fade", "fade > m", fade=FADE), "expected edges 's' -> it -> 's' of kind 'exp"),
        (neuron("m > out"), r"'m' \(LI\): expected a membrane that feeds 's' only, got s, out"),
        (neuron("s > more", "more > m", more=Reset("value", amount=0 * ONE)),
         r"'more' \(Reset\): 's' has another Reset of this sort"),
        (neuron("in > s"), r"'s' \(Threshold\): expected one LI, I or StateSpace into a Threshold"),
        (neuron(m=nir.Linear(ONE[:, None])), "one LI, I or StateSpace .* got Linear; neurossm has"),
        (neuron(edges=("in > m", "m > down", "down > s", "s > out"),
                m=nir.Linear(ONE[:, None])), "into a Threshold that has a Reset, got Linear|none"),
        (network({"down": Reset("subtract", amount=ONE)}, "in > down", "down > out", inputs=1),
         r"'down' \(Reset\): expected a Threshold in front of it, got 'in' -> it -> 'out'"),
        (neuron(down=Reset("value", amount=0.25 * ONE)),
         r"'s' .*amount: expected a reset to 0, where its membrane starts, got 0.25"),
        (neuron(down=Reset("subtract", amount=0.5 * ONE), m=nir.I(r=ONE)),
         "amount: expected the threshold, where the membrane does not leak"),
        (neuron("s > fade", "fade > s", fade=FADE, down=Reset("subtract", amount=0.5 * ONE)),
         "amount: expected the threshold, .* there is an exponential Reset"),
        (neuron(down=Reset("subtract", amount=-ONE)), "or less than 0 is subtracted, got -1"),
    ],
)  # fmt: skip
def test_a_reset_that_is_no_neurons_is_refused_by_name(graph, told):
    with pytest.raises(GraphError, match=told):
        imported(graph)


@pytest.mark.parametrize(
    ("reset", "told"),
    [
        (Reset("jump", amount=ONE), r"kind: expected value \| subtract \| exponential, got 'jump'"),
        (Reset("subtract", amount=ONE, tau=ONE), "expected the fields amount, kind, got amount, k"),
        (Reset("subtract", amplitude=ONE), "expected the fields amount, kind, got amplitude, kind"),
    ],
)
def test_a_damaged_reset_is_refused(reset, told):
    with pytest.raises((FormatError, GraphError), match=told):
        imported(neuron(down=reset))


def test_a_negative_time_constant_of_a_reset_is_refused():
    fade = Reset("exponential", amplitude=ONE, tau=-ONE)
    with pytest.raises(FormatError, match=r"tau: expected at least 0, got -1"):
        imported(neuron("s > fade", "fade > s", fade=fade))


def bank(**changes: Any) -> nir.NIRGraph:
    pair, one = np.full((1, 2), -0.5), np.ones(1)
    fields = {"A_re": pair, "A_im": pair, "B_re": pair, "B_im": pair, "C_re": pair, "C_im": pair,
              "drive_re": pair, "drive_im": pair, "D": one, "bias": one, "dt": 1.0, "unit": "ms",
              "discretization": "zoh"}  # fmt: skip
    return network({"x": StateSpace(**fields | changes)}, "in > x", "x > out", inputs=1)


def test_a_state_space_names_the_step():
    graph = imported(bank(), dt=None)
    assert graph.dt == 1e-3 and isinstance(graph.nodes["x"], DiagonalSSM)
    np.testing.assert_array_equal(graph.nodes["x"].step_size, 1e-3)
    seconds = imported(bank(dt=1e-3, unit="s"), dt=None)
    assert seconds.dt == 1e-3
    np.testing.assert_allclose(seconds.nodes["x"].a_re, np.exp(-5e-4) * np.cos(-5e-4), rtol=1e-12)


@pytest.mark.parametrize("rule", ["zoh", "bilinear", "dirac"])
def test_a_discretization_is_that_of_its_equation(rule):
    found = imported(bank(discretization=rule)).nodes["x"]
    z = -0.5 - 0.5j  # A dt
    pole, gain = {
        "zoh": (np.exp(z), (np.exp(z) - 1) / z),
        "bilinear": ((1 + z / 2) / (1 - z / 2), 1 / (1 - z / 2)),
        "dirac": (np.exp(z), 1),
    }[rule]
    np.testing.assert_allclose(found.a_re + 1j * found.a_im, np.full((1, 2), pole), rtol=1e-14)
    np.testing.assert_allclose(found.b_re + 1j * found.b_im, np.full((1, 2), gain * z), rtol=1e-14)
    np.testing.assert_array_equal(found.b_re, found.drive_re)
    assert found.method == ("bilinear" if rule == "bilinear" else "zoh")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"dt": 2.0}, r"'x' .*dt: expected the step that the others have, 0.001 s, got 0.002 s"),
        ({"dt": 0.0}, "dt: expected one number above 0, got"),
        ({"unit": "us"}, r"unit: expected ms \| s, got 'us'"),
        ({"discretization": "euler"}, r"discretization: expected zoh \| bilinear \| dirac, got"),
        ({"discretization": np.ones(1)}, r"expected zoh \| bilinear \| dirac, got numbers"),
        ({"A_im": np.ones((2, 2))}, r"A: expected two parts of one shape, got \(1, 2\) and \(2, 2"),
        ({"B_re": np.ones((2, 1)), "B_im": np.ones((2, 1))}, r"got A \(1, 2\), B \(2, 1\)"),
        ({"bias": np.ones(3)}, r"\(channels,\) for D and bias, got A \(1, 2\), bias \(3,\)"),
        ({"C_re": np.full((1, 2), np.nan)}, "C_re: expected finite numbers"),
    ],
)
def test_a_damaged_state_space_is_refused(changes, told):
    with pytest.raises((FormatError, GraphError), match=told):
        imported(bank(**changes))


TURN = {"A_re": np.array([[-0.1]]), "A_im": np.array([[0.7]]), "B_im": np.zeros((1, 1)),
        "B_re": np.full((1, 1), 3.0), "C_re": np.full((1, 1), 0.25), "C_im": np.zeros((1, 1)),
        "drive_re": np.zeros((1, 1)), "drive_im": np.zeros((1, 1)), "D": 0 * ONE, "bias": 0 * ONE,
        "discretization": "dirac"}  # fmt: skip


def turning(reset: nir.NIRNode, edges: tuple[str, ...] = EDGES, **changes: Any) -> nir.NIRGraph:
    return neuron(edges=edges, m=bank(**TURN | changes).nodes["x"], down=reset)


def test_a_state_space_that_is_reset_is_a_resonator_in_units_of_its_input():
    # 2 C Re x > 1 is Re x > 2, with x = 3 z: Re z > 2/3
    found = imported(turning(Reset("subtract", amount=2 * ONE))).nodes["s"]
    assert isinstance(found, ResonateAndFire) and (found.reset, found.drive) == ("soft", "real")
    pole = np.exp(-0.1 + 0.7j)
    np.testing.assert_allclose([found.a_re[0], found.a_im[0]], [pole.real, pole.imag], rtol=1e-15)
    np.testing.assert_allclose(found.theta, 2 / 3, rtol=1e-15)
    edge = found.theta[0]  # strictly above, and the least that is
    assert Fraction(edge) * 3 / 2 > 1 >= Fraction(np.nextafter(edge, 0)) * 3 / 2


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (turning(Reset("subtract", amount=ONE)), r"amount: expected the threshold, .* got 1 of 2"),
        (turning(Reset("value", amount=0 * ONE)), "kind: expected subtract, of the real part, got"),
        (turning(FADE, edges=("in > m", "m > s", "s > down", "down > s", "s > out")),
         "expected a Reset that subtracts behind a StateSpace, got an exponential one"),
        *((turning(Reset("subtract", amount=2 * ONE), **{name: value}),
           f"{told}: expected a StateSpace with a Reset that is a resonate-and-fire neuron")
          for name, value, told in (
              ("B_im", np.ones((1, 1)), "B"), ("B_re", -np.ones((1, 1)), "B"),
              ("C_im", np.ones((1, 1)), "C"), ("drive_im", np.ones((1, 1)), "drive"),
              ("D", ONE, "D"), ("bias", ONE, "bias"))),
    ],
)  # fmt: skip
def test_a_state_space_that_is_reset_otherwise_is_refused(graph, told):
    with pytest.raises(GraphError, match=told):
        imported(graph)


def test_two_steps_in_a_file_are_refused():
    one = bank().nodes["x"]
    two = bank(dt=2.0).nodes["x"]
    graph = network({"x": one, "z": two}, "in > x", "x > z", "z > out", inputs=1)
    with pytest.raises(GraphError, match=r"'z' .*dt: expected the step that the others have"):
        imported(graph, dt=None)


def test_resets_of_the_command_line_are_not_for_a_neuron_that_says_its_own():
    with pytest.raises(InputError, match="--reset s=none"):
        imported(neuron(), resets={"s": "none"})
    assert imported(neuron(), reset="none").nodes["s"].reset == "soft"
