"""`AdaptiveThreshold` and `ComplexDiagonal` with numbers computed by hand, in every integer engine.

``tz`` is the shift toward zero, ``sat`` the symmetric saturation. Counters are counted by hand too.
"""

import numpy as np
import pytest
from by_hand import BOTH, behind, run_on, values
from spiking_block import integers

from neurossm.engine import run
from neurossm.engine.narrow import run_narrow
from neurossm.engine.stepper import Stepper
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import AdaptiveThreshold, ComplexDiagonal, Input, Output
from neurossm.trace import Counts


def raised() -> AdaptiveThreshold:
    return AdaptiveThreshold(theta=integers([10], 0, 24), taps=integers([[5, 2]], 0, 24))


# y  candidate  raised threshold  spike
# 10 yes        10                yes: at equality
# 14 yes        10 + 5            no
# 17 yes        10 + 5 + 2        yes
# 12 yes        17                no
#  9 no         17                no
# 12 yes        10 + 2            yes: only the candidate two steps ago
ARRIVING, SENT = [[10], [14], [17], [12], [9], [12]], [[1], [0], [1], [0], [0], [1]]


@BOTH
def test_candidates_raise_the_threshold_whether_or_not_they_became_spikes(engine):
    trace = run_on(engine, raised(), Fixed(8), ARRIVING)
    assert values(trace) == SENT
    # the newest is 12, a candidate, the one before is 9
    assert trace.states["node.candidates"].tolist() == [[[1], [0]]]
    assert trace.counts["node"] == Counts(dendrite_updates=6, spikes_in=6, axon_out=3, spikes_out=3)


def test_the_float_meaning_is_the_same_whole_and_in_parts():
    node = AdaptiveThreshold(theta=[10.0], taps=[[5.0, 2.0]])
    y, state = np.array([ARRIVING], dtype=float), {"candidates": np.zeros((1, 2, 1))}
    assert node.evaluate([y]).sent[0].tolist() == SENT
    parts = [node.evaluate([y[:, a:b]], state).sent[0] for a, b in ((0, 1), (1, 3), (3, 6))]
    assert np.concatenate(parts).tolist() == SENT
    assert state["candidates"].tolist() == [[[1], [0]]]


def test_fields_of_an_adaptive_threshold_are_checked():
    with pytest.raises(GraphError, match="expected 1 to 16 taps a channel, got 17"):
        AdaptiveThreshold(theta=[1.0], taps=np.zeros((1, 17)))
    with pytest.raises(GraphError, match=r"taps: expected at least 0, got -1"):
        AdaptiveThreshold(theta=[1.0], taps=[[-1.0]])
    with pytest.raises(GraphError, match=r"theta: expected above 0, got 0"):
        AdaptiveThreshold(theta=[0.0], taps=[[1.0]])
    taps = integers([[5, 2]], 1, 24)
    graph = behind(AdaptiveThreshold(theta=integers([10], 0, 24), taps=taps), {"in": Fixed(8)})
    with pytest.raises(GraphError, match=r"node 'node': expected exponent of taps 0, got 1"):
        run(graph, np.array([ARRIVING]), "fast")


def one_state(gate: str, **changes: object) -> ComplexDiagonal:
    fields: dict[str, object] = {
        "a_re": integers([23170], 15, 16), "a_im": integers([-20000], 15, 16), "gate": gate,
        "state_bits": 24, "state_frac": np.array(0), "out": Fixed(24),
    }  # fmt: skip
    return ComplexDiagonal(**(fields | changes))


@BOTH
@pytest.mark.parametrize(
    ("gate", "sent"),
    [("none", [[3, -5], [-1, -4], [-8, 8]]), ("relu", [[3, -5], [0, 0], [0, 0]])],
)
def test_four_products_are_shifted_by_themselves_and_the_gate_acts_on_what_is_sent(
    engine, gate, sent
):
    # t0: re = 3, im = -5
    # t1: re = tz(23170 * 3 = 2.12) - tz(-20000 * -5 = 3.05) = 2 - 3 = -1
    #     im = tz(23170 * -5 = -3.54) + tz(-20000 * 3 = -1.83) = -3 - 1 = -4
    # t2: re = tz(-23170 = -0.71) - tz(80000 = 2.44) - 6 = 0 - 2 - 6 = -8
    #     im = tz(23170 * -4 = -2.83) + tz(20000 = 0.61) + 10 = -2 + 0 + 10 = 8
    trace = run_on(engine, one_state(gate), Fixed(8), [[3, -5], [0, 0], [-6, 10]])
    assert values(trace) == sent
    assert trace.states["node.re"].tolist() == [[-8]]
    assert trace.states["node.im"].tolist() == [[8]]
    count = sum(value != 0 for row in sent for value in row)
    assert trace.counts["node"] == Counts(
        dendrite_updates=3, spikes_in=4, axon_out=count, spikes_out=count
    )


@BOTH
def test_states_have_units_of_their_own_and_saturate_as_what_is_sent_does(engine):
    node = one_state(
        "none", a_re=integers([16384, 16384], 15, 16), a_im=integers([0, 0], 15, 16),
        state_bits=6, state_frac=np.array([3, -1]), out=Fixed(5),
    )  # fmt: skip
    # both poles are 0.5; inputs have 1 fraction bit; channels are re, re, im, im
    # t0: state 0: 4 * 7 = 28, 4 * -3 = -12; state 1: tz(7, 2) = 1, tz(-3, 2) = 0
    #     sent: tz(28, 3) = 3, 2 * 1 = 2, tz(-12, 3) = -1, 0
    # t1: state 0: 14 + 28 = 42, saturates to 31; -6; state 1: 0 - 10 = -10; 0
    #     sent: 3, -20, which saturates to -15, 0, 0
    trace = run_on(engine, node, Fixed(8, 1), [[7, 7, -3, -3], [7, -40, 0, 0]])
    assert values(trace) == [[3, 2, -1, 0], [3, -15, 0, 0]]
    assert trace.states["node.re"].tolist() == [[31, -10]]
    assert trace.states["node.im"].tolist() == [[-6, 0]]
    assert trace.counts["node"] == Counts(
        dendrite_updates=4, spikes_in=6, axon_out=5, spikes_out=5, saturations=2
    )


def test_a_stepper_does_the_same():
    node = one_state("relu")
    stream = Stepper(behind(node, {"in": Fixed(8)}), record="all")
    sent = []
    for step in ([3, -5], [0, 0], [-6, 10]):
        stream.step(np.array([step]))
        sent.append(stream.values["node"][0].tolist())
    assert sent == [[3, -5], [0, 0], [0, 0]]
    assert stream.states["node.re"].tolist() == [[-8]]


def test_fields_of_complex_states_are_checked():
    with pytest.raises(GraphError, match=r"gate: expected none \| relu, got 'gelu'"):
        one_state("gelu")
    with pytest.raises(GraphError, match=r"state_frac: expected whole numbers of shape \(1,\)"):
        one_state("none", state_frac=np.array([1, 2]))
    with pytest.raises(GraphError, match="expected 0 to 24 bits"):
        one_state("none", state_bits=25)
    wrong = {
        r"a left shift of at most 28, got 29": {"out": Fixed(24, 29)},
        r"an input that stays below 2\*\*52": {"state_frac": np.array(50)},
        r"poles inside the unit circle": {"a_im": integers([32767], 15, 16)},
        r"states of 2 to 24 bits, got 1": {"state_bits": 1},
    }
    for message, changes in wrong.items():
        with pytest.raises(GraphError, match=f"node 'node': expected {message}"):
            run(behind(one_state("none", **changes), {"in": Fixed(8)}), np.zeros((1, 1, 2), int),
                "fast")  # fmt: skip
    float_node = ComplexDiagonal(a_re=[0.5], a_im=[0.0], gate="none")
    assert not float_node.is_integer and float_node.state_frac.tolist() == [0]


def test_narrow_states_by_hand():
    # unit and pole as in test_narrow: 7 is the largest state and number, 0.6 becomes 5/8
    node = ComplexDiagonal(a_re=[0.6], a_im=[0.0], gate="relu")
    nodes = {"x": Input(channels=2, out=Fixed(8)), "node": node, "y": Output(channels=2)}
    graph = Graph(nodes, (("x", "node"), ("node", "y")))
    steps = [[7, 0], [0, 4], [0, 0], [-3, 0]]
    # re: 7, 4.375 = 4, 2.5 = 2, 1.25 - 3 = -2; im: 0, 4, 2.5 = 2, shut
    found = run_narrow(graph, {"x": np.array([steps])}, 4)["y"]
    assert found[0].tolist() == [[7, 0], [4, 4], [2, 2], [0, 0]]
