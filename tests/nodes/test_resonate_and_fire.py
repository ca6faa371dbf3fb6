"""`ResonateAndFire` by hand: its steps, its unit, its bounds, where it lives on a chip."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
from by_hand import BOTH, run_on, values
from spiking_block import integers

from neurossm import contract
from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics.per_core import per_core
from neurossm.nodes import Affine, DiagonalSSM, Input, Node, Output, ResonateAndFire, Threshold
from neurossm.placement import place
from neurossm.quantization import Quantize, bounds, calibrate
from neurossm.trace import Counts


def neuron(reset: str, drive: str, **changes: object) -> ResonateAndFire:
    """Return one neuron: pole 1/2 + 3/4 i, theta 4 in whole units."""
    fields = {"a_re": integers([16384], 15, 16), "a_im": integers([24576], 15, 16),
              "theta": integers([4], 0, 24)}  # fmt: skip
    return ResonateAndFire(**(fields | changes), reset=reset, drive=drive)


# re' = tz(re / 2) - tz(3 im / 4) + d_re, im' = tz(im / 2) + tz(3 re / 4) + d_im; d 3, 1, 6, 0, 5
# (3, 0); (1 + 1, 2); (1 - 1 + 6, 1 + 1) = (6, 2) spikes
# soft: (2, 2); (1 - 1, 1 + 1) = (0, 2); (-1 + 5, 1) = (4, 1) spikes at equality, to (0, 1)
# none: (6, 2); (3 - 1, 1 + 4) = (2, 5); (1 - 3 + 5, 2 + 1) = (3, 3)
@BOTH
@pytest.mark.parametrize(("reset", "last", "state"), [("soft", 1, (0, 1)), ("none", 0, (3, 3))])
def test_it_turns_decays_fires_and_resets_its_real_part(engine, reset, last, state):
    trace = run_on(engine, neuron(reset, "real"), Fixed(8), [[3], [1], [6], [0], [5]])
    assert values(trace) == [[0], [0], [1], [0], [last]]
    assert (trace.states["node.re"].item(), trace.states["node.im"].item()) == state
    assert trace.counts["node"] == Counts(
        dendrite_updates=5, spikes_in=4, axon_out=1 + last, spikes_out=1 + last
    )


@BOTH
def test_of_a_complex_drive_the_imaginary_parts_come_behind_the_real_ones(engine):
    # d 3 - 2i, 1 + 4i, 6: (3, -2); (1 + 1 + 1, -1 + 2 + 4) = (3, 5); (1 - 3 + 6, 2 + 2) spikes;
    # the second neuron gets nothing, and what it would get at theta 1 is not mixed up
    node = neuron("soft", "complex", a_re=integers([16384] * 2, 15, 16),
                  a_im=integers([24576] * 2, 15, 16), theta=integers([4, 1], 0, 24))  # fmt: skip
    steps = [[3, 0, -2, 0], [1, 0, 4, 0], [6, 0, 0, 0]]
    trace = run_on(engine, node, Fixed(8), steps)
    assert values(trace) == [[0, 0], [0, 0], [1, 0]]
    assert trace.states["node.re"].tolist() == [[0, 0]]
    assert trace.states["node.im"].tolist() == [[4, 0]]


@BOTH
def test_both_parts_of_a_drive_may_have_exponents_of_their_own(engine):
    # rows send 3 in halves and 3 in quarters; the state counts in halves: 3 and tz(3 / 2) = 1
    mix = Affine(weight=integers([[3], [3]], [1, 2]), bias=integers([0, 0], [1, 2], 24),
                 out=Fixed(24, 1))  # fmt: skip
    node = neuron("none", "complex", theta=integers([9], 1, 24))
    nodes = {"in": Input(channels=1, out=Fixed.binary()), "mix": mix, "node": node,
             "out": Output(channels=1, out=Fixed.binary())}  # fmt: skip
    trace = run(Graph(nodes, tuple(pairwise(nodes))), np.ones((1, 1, 1), int), engine)
    assert (trace.states["node.re"].item(), trace.states["node.im"].item()) == (3, 1)


@BOTH
def test_both_parts_saturate_and_are_counted(engine):
    node = neuron("none", "complex", theta=integers([4], 0, 5))  # 5 bits hold 15
    trace = run_on(engine, node, Fixed(8), [[20, -20]])
    assert (trace.states["node.re"].item(), trace.states["node.im"].item()) == (15, -15)
    assert trace.counts["node"].saturations == 2


@BOTH
def test_without_reset_it_is_a_state_space_model_and_a_threshold(engine):
    """The state is read out by 1/2, since that sends 2 Re(c x)."""
    rng, (steps, count) = np.random.default_rng(0), (60, 3)
    a = np.array([[20000, 12000], [-9000, 30000], [31000, -8000]])
    node = neuron("none", "real", a_re=integers(a[:, 0], 15, 16), a_im=integers(a[:, 1], 15, 16),
                  theta=integers([7, 20, 40], 0, 24))  # fmt: skip
    column, zeros = a[:, :, None], np.zeros((count, 1))
    one = integers(zeros + 1, np.zeros(count, int))
    ssm = DiagonalSSM(
        a_re=integers(column[:, 0], 15, 16), a_im=integers(column[:, 1], 15, 16), b_re=one,
        b_im=integers(zeros, np.zeros(count, int)), c_re=integers(zeros + 1, [1] * count),
        c_im=integers(zeros, [1] * count), d=integers(np.zeros(count), [0] * count),
        drive_re=integers(zeros, [0] * count, 24), drive_im=integers(zeros, [0] * count, 24),
        bias=integers(np.zeros(count), 0, 24), step_size=np.ones(count), method="zoh",
        out=Fixed(24),
    )  # fmt: skip
    given = rng.integers(-20, 21, (1, steps, count))
    own = {"in": Input(channels=count, out=Fixed(8)), "node": node,
           "out": Output(channels=count, out=Fixed.binary())}  # fmt: skip
    two = {"in": own["in"], "ssm": ssm, "node": Threshold(theta=node.theta), "out": own["out"]}
    traces = [run(Graph(nodes, tuple(pairwise(nodes))), given, engine) for nodes in (own, two)]
    np.testing.assert_array_equal(traces[0].values["node"], traces[1].values["node"])
    assert traces[0].values["node"].mean() > 0.1
    np.testing.assert_array_equal(traces[0].states["node.re"], traces[1].states["ssm.re"][:, :, 0])


def real(count: int, drive: str = "complex", reset: str = "soft", **pole: float) -> ResonateAndFire:
    """Return real neurons of magnitude 1/2."""
    given = {"a_re": 0.3, "a_im": 0.4, "theta": 1.0} | pole
    arrays = {name: np.full(count, value) for name, value in given.items()}
    return ResonateAndFire(**arrays, reset=reset, drive=drive)


def behind(node: ResonateAndFire, steps: int | None = None) -> Graph:
    """Return a graph of signed spikes, synapses and neurons."""
    ones = np.eye(node.in_channels)
    nodes: dict[str, Node] = {
        "in": Input(channels=len(ones), out=Fixed.ternary()),
        "fc": Affine(weight=ones, bias=np.zeros(len(ones))), "node": node,
        "out": Output(channels=node.out_channels),
    }  # fmt: skip
    return Graph(nodes, tuple(pairwise(nodes)), meta={} if steps is None else {"steps": steps})


def test_bounds_by_hand():
    # |z| <= |d| (1 + 1/2 + 1/4 + ...), and |d| is 1 or sqrt(2)
    for drive, size in (("real", 1), ("complex", np.sqrt(2))):
        found = bounds(behind(real(1, drive))).register("node", "state")
        assert found.bound == pytest.approx(2 * size)
        found = bounds(behind(real(1, drive), steps=2)).register("node", "state")
        assert found.bound == pytest.approx(1.5 * size)
    # integers: three shifts drop less than a unit each of either part; a pole of 1/2 keeps half
    node = neuron("none", "real", a_im=integers([0], 15, 16))
    nodes = {"in": Input(channels=1, out=Fixed.binary()), "node": node,
             "out": Output(channels=1, out=Fixed.binary())}  # fmt: skip
    found = bounds(Graph(nodes, tuple(pairwise(nodes)))).register("node", "state")
    assert found.bound == pytest.approx(2 * (1 + 3 * np.sqrt(2)))


@pytest.mark.parametrize("reset", ResonateAndFire.resets)
def test_no_input_leaves_the_bounds(reset):
    node, steps = real(1, reset=reset, theta=0.7), 5
    found = bounds(behind(node, steps=steps)).register("node", "state")
    inputs = np.array(list(product([-1.0, 1.0], repeat=2 * steps))).reshape(-1, steps, 2)
    trace = node.evaluate([inputs])
    assert trace.sent.any() and trace.peaks["state"] <= found.bound
    if reset == "none":  # and it is not far: what turns cannot be driven outward at every step
        assert trace.peaks["state"] > 0.7 * found.bound


def test_poles_that_16_bits_move_too_far_are_named():
    # 1 - |a| is 1e-4, of which half a unit of Q1.15 is 15 %
    node = real(1, "real", a_re=0.9999 * np.cos(0.01), a_im=0.9999 * np.sin(0.01), theta=20.0)
    graph, inputs = behind(node), np.random.default_rng(0).integers(0, 2, (1, 400, 1))
    ranges = calibrate(graph, run(graph, inputs, "float"))
    found = {loss.what: loss for loss in Quantize().explained(graph, ranges).losses}
    assert found["poles"].setting == "" and found["poles"].bits > 16
    coarse = Quantize(pole_bits=10).explained(behind(real(1, "real")), ranges).losses
    assert [loss.what for loss in coarse] == []
    slow = behind(real(1, "real", a_re=0.97, a_im=0.1))
    ranges = calibrate(slow, run(slow, inputs, "float"))
    (loss,) = Quantize(pole_bits=8).explained(slow, ranges).losses
    assert (loss.what, loss.setting) == ("poles", "pole_bits") and 8 < loss.bits <= 16


def test_a_complex_drive_keeps_two_sums_in_one_neuron_with_the_words_of_a_complex_state():
    count, inputs = 3, 5
    rng = np.random.default_rng(0)
    weight = rng.integers(-3, 4, (2 * count, inputs))
    nodes = {
        "in": Input(channels=inputs, out=Fixed.binary()),
        "fc": Affine(weight=integers(weight), bias=integers(np.zeros(2 * count), 0, 24),
                     out=Fixed(24)),
        "node": neuron("soft", "complex", a_re=integers([9000] * count, 15, 16),
                       a_im=integers([9000] * count, 15, 16),
                       theta=integers([4] * count, 0, 24)),
        "out": Output(channels=count, out=Fixed.binary()),
    }  # fmt: skip
    graph = Graph(nodes, tuple(pairwise(nodes)))
    placed = place(graph, load_hardware("loihi2"))
    population = placed.populations["node"]
    assert (population.neurons, population.plain, population.complex_states) == (count, 0, 1)
    assert population.sums == 2
    # 5 axons with 6 synapses each, of which 3.1 fit a word
    words = population.words(0, count, placed.budget)
    assert (words.neuron, words.axon_in, words.synapse) == (3 * count, inputs, inputs * 2)
    data = rng.integers(0, 2, (2, 9, inputs))
    trace = run(graph, data, "reference")
    found = per_core(placed, graph, trace)
    # each spike meets the weights of its column that are not 0, in the rows of both parts
    expected = ((weight != 0).sum(axis=0) * data.sum(axis=(0, 1))).sum() / 18
    there = [position for _, position in placed.slices_of["node"]]
    assert found.syn_ops[0][there].sum() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"reset": "hard"}, r"ResonateAndFire.reset: expected soft \| none, got 'hard'"),
        ({"drive": "polar"}, r"ResonateAndFire.drive: expected real \| complex, got 'polar'"),
        ({"theta": np.zeros(1)}, "ResonateAndFire.theta: expected above 0, got 0"),
    ],
)
def test_fields_out_of_range_are_refused(changes, expected):
    with pytest.raises(GraphError, match=expected):
        replace(real(1), **changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"a_re": integers([1], 14, 16)}, "pole exponent 15, got 14"),
        ({"a_re": integers([30000], 15, 16)}, "poles inside the unit circle"),
        ({"theta": integers([4], 0, 25)}, "a state of at most 24 bits, got 25"),
        ({"theta": integers([4], 46, 24)}, "an input that stays below 2\\*\\*52"),
    ],
)
def test_integers_that_break_the_contract_are_refused(changes, expected):
    nodes = {"in": Input(channels=1, out=Fixed(8)), "node": neuron("soft", "real", **changes),
             "out": Output(channels=1, out=Fixed.binary())}  # fmt: skip
    with pytest.raises(GraphError, match=expected):
        contract.require(Graph(nodes, tuple(pairwise(nodes))))


def test_what_is_said_of_it():
    node = real(3)
    assert (node.note, node.in_channels, node.out_channels) == ("complex drive, soft reset", 6, 3)
    assert (node.extent, real(3, "real").extent) == ("6 \u2192 3", "3")
    # four products of a pole and a state; the reset subtracts, and a second edge adds 6 numbers
    dense = node.dense(2)
    assert (dense.state_macs, dense.adds) == (12, 3 + 6)
