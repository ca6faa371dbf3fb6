"""`AdaptiveLIF` by hand: its steps, its unit, its bounds, and what it refuses."""

from __future__ import annotations

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
from neurossm.nodes import AdaptiveLIF, Affine, Input, Node, Output, quantized
from neurossm.quantization import Quantize, bounds, calibrate
from neurossm.trace import Counts


def neuron(reset: str, side: str, **changes: object) -> AdaptiveLIF:
    """Return one neuron: theta 10, tau, rho and a 1/2, b 3, all in one unit unless changed."""
    fields = {
        "theta": integers([10], 0, 24), "tau": integers([2048], 12, 14),
        "rho": integers([2048], 12, 14), "a": integers([8192], 14, 16), "b": integers([3], 0, 24),
    }  # fmt: skip
    return AdaptiveLIF(**(fields | changes), reset=reset, adapts_on=side)


STEPS = [[9], [9], [21], [-3], [17]]


# u' = tz(u / 2) + y - w, w = tz(w / 2) + tz(v / 2) + 3 s; the first three u' are 9, 4 + 9 - 4 = 9
# and 4 + 21 - 6 = 19, which spikes; w before the third is 4, then 2 + 4 = 6
# soft, before: u 9, w 3 + 9 + 3 = 15; u' 4 - 3 - 15 = -14, w 7 - 7 = 0; -7 + 17 = 10: equality
# soft, after:  u 9, w 3 + 4 + 3 = 10; u' 4 - 3 - 10 = -9, w 5 - 4 = 1; -4 + 17 - 1 = 12 spikes
# hard, before: u 0, w 15; u' -3 - 15 = -18, w 7 - 9 = -2; -9 + 17 + 2 = 10: equality
# hard, after:  u 0, w 3 + 0 + 3 = 6; u' -3 - 6 = -9, w 3 - 4 = -1; -4 + 17 + 1 = 14 spikes
# none:         u 19, w 15; u' 9 - 3 - 15 = -9, w 7 - 4 = 3; -4 + 17 - 3 = 10: equality
@BOTH
@pytest.mark.parametrize(
    ("reset", "side", "u", "w"),
    [("soft", "before", 0, 0 + 5 + 3), ("soft", "after", 2, 0 + 1 + 3),
     ("hard", "before", 0, -1 + 5 + 3), ("hard", "after", 0, 0 + 0 + 3),
     ("none", "before", 10, 1 + 5 + 3), ("none", "after", 10, 1 + 5 + 3)],
)  # fmt: skip
def test_it_is_held_back_fires_is_reset_and_adapts(engine, reset, side, u, w):
    trace = run_on(engine, neuron(reset, side), Fixed(8), STEPS)
    assert values(trace) == [[0], [0], [1], [0], [1]]
    assert trace.states["node.u"].tolist() == [[u]] and trace.states["node.w"].tolist() == [[w]]
    assert trace.counts["node"] == Counts(
        dendrite_updates=10, spikes_in=5, axon_out=2, spikes_out=2
    )


@BOTH
def test_an_adaptation_in_a_finer_unit_enters_by_a_shift(engine):
    # in quarters w = tz(w / 2) + 2 v + 3 s: 18; 9 + 18 = 27; 13 + 38 + 3 = 54; 27 - 24 = 3
    # u' = tz(u / 2) + y - tz(w / 4): 9; 4 + 9 - 4 = 9; 4 + 21 - 6 = 19 spikes, to 9; 4 - 3 - 13
    # = -12; -6 + 17 - 0 = 11 spikes, to 1; then w is 1 + 22 + 3
    node = neuron("soft", "before", b=integers([3], 2, 24))
    trace = run_on(engine, node, Fixed(8), STEPS)
    assert values(trace) == [[0], [0], [1], [0], [1]]
    assert (trace.states["node.u"].item(), trace.states["node.w"].item()) == (1, 26)


@BOTH
def test_each_state_saturates_in_its_own_width_and_is_counted(engine):
    # 5 bits hold 15: u' = 20 is 15, w = 7 + 3 = 10 is 7 in 4 bits; then 7 - 7 = 0 and w 3 + 0
    node = neuron("none", "before", theta=integers([10], 0, 5), b=integers([3], 0, 4))
    trace = run_on(engine, node, Fixed(8), [[20], [0]])
    assert values(trace) == [[1], [0]]
    assert (trace.states["node.u"].item(), trace.states["node.w"].item()) == (0, 3)
    assert trace.counts["node"].saturations == 2


def real(count: int = 1, **changes: object) -> AdaptiveLIF:
    """Return real neurons as in SiLIF, with a slow adaptation."""
    fields = {"theta": 1.0, "tau": 0.9, "rho": 0.98, "a": 0.05, "b": 0.1}
    arrays = {name: np.full(count, changes.pop(name, value)) for name, value in fields.items()}
    return AdaptiveLIF(**arrays, **({"reset": "soft", "adapts_on": "before"} | changes))


def behind(node: AdaptiveLIF, weight: float = 1.0, steps: int | None = None) -> Graph:
    """Return a graph of signed spikes, synapses and neurons."""
    ones = np.eye(node.in_channels)
    nodes: dict[str, Node] = {
        "in": Input(channels=node.in_channels, out=Fixed.ternary()),
        "fc": Affine(weight=weight * ones, bias=np.zeros(len(ones))), "node": node,
        "out": Output(channels=len(ones)),
    }  # fmt: skip
    return Graph(nodes, tuple(pairwise(nodes)), meta={} if steps is None else {"steps": steps})


@pytest.mark.parametrize("a", [0.0, 0.3, 0.9, -0.02])
def test_without_spikes_the_bounds_are_what_the_worst_of_all_inputs_does(a):
    node, steps = real(a=a, b=0.0, theta=1e6, reset="none"), 9
    found = bounds(behind(node, steps=steps))
    inputs = np.array(list(product([-1, 1], repeat=steps)))[:, :, None]
    largest = node.evaluate([inputs.astype(float)]).peaks
    # a spike would change nothing: no reset, and b is 0
    for register, part in (("membrane", "state"), ("adaptation", "adaptation")):
        assert found.register("node", register).bound == pytest.approx(largest[part])


def test_bounds_of_any_number_of_steps_by_hand():
    # without a: u is a geometric sum of what arrives, less w, which is one of spikes: 2 / (1 - 1/2)
    # + 1 / (1 - 3/4) / (1 - 1/2) upward where b is below 0, and a reset that takes off less than 1
    node = real(tau=0.5, rho=0.75, a=0.0, b=-1.0, reset="none")
    found = bounds(behind(node, 2.0))
    assert found.register("node", "membrane").bound == pytest.approx(4 + 8)
    assert found.register("node", "adaptation").bound == pytest.approx(4)
    # a soft reset takes 1 off behind the membrane that spiked: -1/2, -1/4, ... beside -4 to 4
    node = real(tau=0.5, a=0.0, b=0.0, reset="soft")
    assert bounds(behind(node, 2.0)).register("node", "membrane").bound == pytest.approx(4 + 1)
    # of a hard reset magnitudes are known: |u'| <= u / 2 + 2 + w, and as w' is rho w + a u' + s
    # unless the reset makes u 0 first, |w'| <= 3/4 w + (u / 2 + 2) / 16 + 1
    node = real(tau=0.5, rho=0.75, a=1 / 16, b=1.0, reset="hard")
    u, w = np.linalg.solve([[0.5, -1], [-1 / 32, 0.25]], [2, 1 + 2 / 16])
    found = bounds(behind(node, 2.0))
    assert found.register("node", "membrane").bound == pytest.approx(u)
    assert found.register("node", "adaptation").bound == pytest.approx(w)
    # one that drives itself, or a hard reset where a bound of magnitudes does not close, has none
    for other in (real(a=-0.5), real(reset="hard")):
        assert bounds(behind(other)).register("node", "membrane").bound.item() == np.inf


def test_bounds_of_integers_have_what_shifts_drop_by_hand():
    # less than 3 units into u at a step, less than 2 into w; either is kept by half: 1 / (1 - 1/2),
    # and w goes on into u. So u: (1 + 3) 2 + 2 2 2, w: 2 2
    node = neuron("none", "before", a=integers([0], 14, 16), b=integers([0], 0, 24))
    nodes = {"in": Input(channels=1, out=Fixed.ternary()), "node": node,
             "out": Output(channels=1, out=Fixed.binary())}  # fmt: skip
    found = bounds(Graph(nodes, tuple(pairwise(nodes))))
    assert found.register("node", "membrane").bound == pytest.approx(16)
    assert found.register("node", "adaptation").bound == pytest.approx(4)
    assert found.register("node", "membrane").largest == 16


@pytest.mark.parametrize("reset", AdaptiveLIF.resets)
@pytest.mark.parametrize("side", AdaptiveLIF.sides)
def test_no_input_leaves_the_bounds(reset, side):
    node = real(a=0.02, b=0.3, rho=0.6, reset=reset, adapts_on=side)
    found, steps = bounds(behind(node, steps=11)), 11
    inputs = np.array(list(product([-1, 0, 1], repeat=steps)))[:, :, None]
    trace = node.evaluate([inputs.astype(float)])
    assert trace.sent.any()
    for register, part in (("membrane", "state"), ("adaptation", "adaptation")):
        assert trace.peaks[part] <= found.register("node", register).bound * (1 + 1e-9)


def test_the_adaptation_of_a_slow_membrane_gets_a_finer_unit():
    # about theta (1 - tau) holds back a membrane for long: 1/256 of what the membrane itself holds
    node = real(tau=1 - 1 / 256, rho=0.99, a=1e-4, b=2e-3)
    inputs = np.random.default_rng(0).integers(0, 2, (2, 2000, 1))
    graph = behind(node, 1 / 64)
    made = Quantize()(graph, calibrate(graph, run(graph, inputs, "float"))).nodes["node"]
    assert isinstance(made, AdaptiveLIF)
    assert np.max(quantized(made.b).frac) >= np.max(quantized(made.theta).frac) + 3


def test_widths_that_lose_a_state_are_named():
    node = real(tau=0.995, rho=0.995, a=1e-3, b=1e-2)
    inputs = np.random.default_rng(0).integers(0, 2, (1, 500, 1))
    graph = behind(node, 1 / 32)
    ranges = calibrate(graph, run(graph, inputs, "float"))
    assert Quantize().explained(graph, ranges).losses == ()
    found = {loss.what: loss for loss in Quantize(state_bits=13).explained(graph, ranges).losses}
    assert {"membrane", "adaptation"} <= set(found)
    assert found["adaptation"].setting == "state_bits" and 13 < found["adaptation"].bits <= 24


def test_a_range_by_the_worst_case_needs_one():
    graph = behind(real(1, reset="hard"))
    ranges = calibrate(graph, run(graph, np.ones((1, 50, 1), int), "float"))
    with pytest.raises(GraphError, match="node 'node': expected a worst case that is finite"):
        Quantize(range_rule="bound")(graph, ranges)
    soft = behind(real(1, reset="soft"))
    made = Quantize(range_rule="bound").explained(soft, ranges)
    assert all(register.proven for register in made.headroom if register.node == "node")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"a": 1.0}, "AdaptiveLIF.a: expected above -1 and below 1, got 1 to 1"),
        ({"a": -1.0}, "AdaptiveLIF.a: expected above -1 and below 1, got -1 to -1"),
        ({"theta": 0.0}, "AdaptiveLIF.theta: expected above 0, got 0"),
        ({"rho": 1.0}, "AdaptiveLIF.rho: expected at least 0 and below 1"),
        ({"reset": "late"}, r"AdaptiveLIF.reset: expected hard \| soft \| none, got 'late'"),
        ({"adapts_on": "u"}, r"AdaptiveLIF.adapts_on: expected before \| after, got 'u'"),
    ],
)
def test_fields_out_of_range_are_refused(changes, expected):
    with pytest.raises(GraphError, match=expected):
        real(**changes)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"tau": integers([1], 11, 14)}, "one leak exponent, 12 to 20, got 11"),
        ({"rho": integers([1], 13, 14)}, "leak exponent 12, got 13"),
        ({"a": integers([1], 14, 17)}, "a of at most 16 bits, got 17"),
        ({"a": integers([2**14], 14, 16)}, "a above -1 and below 1, got 1"),
        ({"theta": integers([10], 0, 25)}, "a membrane of at most 24 bits, got 25"),
        ({"b": integers([3], 0, 25)}, "an adaptation of at most 24 bits, got 25"),
        ({"theta": integers([10], 46, 24), "b": integers([3], 46, 24)}, "an input that stays"),
        ({"b": integers([3], -30, 24)}, "an adaptation that stays below 2\\*\\*52"),
        ({"b": integers([3], 31, 24)}, "a product a u that stays below 2\\*\\*52"),
    ],
)
def test_integers_that_break_the_contract_are_refused(changes, expected):
    nodes = {"in": Input(channels=1, out=Fixed(8)), "node": neuron("soft", "before", **changes),
             "out": Output(channels=1, out=Fixed.binary())}  # fmt: skip
    graph = Graph(nodes, tuple(pairwise(nodes)))
    with pytest.raises(GraphError, match=expected):
        contract.require(graph)


def test_what_is_said_of_it():
    assert real(3, adapts_on="after").note == "soft reset, adapts after it"
    assert real(3, reset="none").note == "no reset"
    # a MAC for each leak and for a; w and the reset are subtracted, and a second edge added
    dense = real(3).dense(2)
    assert (dense.state_macs, dense.adds) == (9, 3 + 3 + 3)
