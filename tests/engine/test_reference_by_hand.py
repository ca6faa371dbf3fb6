"""Each node on a tiny graph with numbers computed by hand, in both integer engines.

``tz`` is the shift toward zero, ``sat`` the symmetric saturation. Counters are counted by hand too.
"""

from dataclasses import replace

import numpy as np
import pytest
from by_hand import BOTH, MIX, TOP, behind, run_on, values
from spiking_block import integers

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Input,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)
from neurossm.trace import Counts

# -- state space models --------------------------------------------------------


def one_state(**changes: object) -> DiagonalSSM:
    """Return one channel with one state; unlike 2**15 x pole, all shifts are 0 unless changed."""
    fields: dict[str, object] = {
        "a_re": integers([[23170]], 15, 16), "a_im": integers([[-20000]], 15, 16),
        "b_re": integers([[3]], [0]), "b_im": integers([[-5]], [0]),
        "c_re": integers([[100]], [3]), "c_im": integers([[-57]], [3]), "d": integers([-3], [1]),
        "drive_re": integers([[0]], [0], 24), "drive_im": integers([[0]], [0], 24),
        "bias": integers([10], 0, 24), "step_size": np.ones(1), "method": "zoh", "out": Fixed(24),
    }  # fmt: skip
    return DiagonalSSM(**(fields | changes))


@BOTH
def test_each_of_the_four_products_is_shifted_by_itself(engine):
    # shifts: state 15, b 0, c 3 + 0 - 1 - 0 = 2, d 1
    # t0, u = 1:  re = 3, im = -5
    #   y = tz(300, 2) - tz(285, 2) + tz(-3, 1) + 10 = 75 - 71 - 1 + 10 = 13
    # t1, u = 0:  re = tz(23170 * 3 = 2.12) - tz(-20000 * -5 = 3.05) = 2 - 3 = -1
    #   (sum first: -0.93, so 0)
    #   im = tz(23170 * -5 = -3.54) + tz(-20000 * 3 = -1.83) = -3 - 1 = -4
    #   (sum first: -5.37, so -5; floors: -4 - 2 = -6; nearest: -4 - 2 = -6)
    #   y = tz(-100, 2) - tz(228, 2) + 10 = -25 - 57 + 10 = -72
    # t2, u = -2: re = tz(-23170 = -0.71) - tz(80000 = 2.44) - 6 = 0 - 2 - 6 = -8
    #   im = tz(23170 * -4 = -2.83) + tz(20000 = 0.61) + 10 = -2 + 0 + 10 = 8
    #   y = tz(-800, 2) - tz(-456, 2) + tz(6, 1) + 10 = -200 + 114 + 3 + 10 = -73
    trace = run_on(engine, one_state(), Fixed(8), [[1], [0], [-2]])
    assert values(trace) == [[13], [-72], [-73]]
    assert trace.states["node.re"].tolist() == [[[-8]]]
    assert trace.states["node.im"].tolist() == [[[8]]]
    assert trace.counts["node"] == Counts(dendrite_updates=3, spikes_in=2, axon_out=3, spikes_out=3)


@BOTH
def test_channels_have_exponents_of_their_own_and_states_saturate(engine):
    node = DiagonalSSM(
        a_re=integers([[16384, 0], [-32767, 0]], 15, 16),
        a_im=integers([[0, 16384], [0, 0]], 15, 16),
        b_re=integers([[5, -7], [100, 1]], [2, -3]), b_im=integers([[0, 6], [0, -1]], [2, -3]),
        c_re=integers([[9, -3], [1, 0]], [4, 2]), c_im=integers([[4, 5], [0, 1]], [4, 2]),
        d=integers([2, -9], [0, 3]),
        drive_re=integers([[1, 0], [0, 0]], [1, -1], 8),
        drive_im=integers([[0, -2], [0, 0]], [1, -1], 8),
        bias=integers([1, -1], 1, 24), step_size=np.ones(2), method="zoh", out=Fixed(8, 1),
    )  # fmt: skip
    # input and output have 1 fraction bit, states [1, -1] and 8 bits, so +-127
    # shifts: b [2, -3] + 1 - [1, -1] = [2, -1];  c [4, 2] + [1, -1] - 1 - 1 = [3, -1];
    #         d [0, 3] + 1 - 1 = [0, 3]
    # t0, channel 0, u = 3: state 0 re = tz(15, 2) + 1 = 4, im = 0
    #   state 1 re = tz(-21, 2) = -5, im = tz(18, 2) - 2 = 2
    #   y = [tz(36, 3) - 0] + [tz(15, 3) - tz(10, 3)] + 6 + 1 = 4 + (1 - 1) + 7 = 11
    # t0, channel 1, u = 1: state 0 re = 100 * 2, saturates to 127; state 1 re = 2, im = -2
    #   y = 127 * 2 - (-2 * 2) + tz(-9, 3) - 1 = 254 + 4 - 1 - 1 = 256, saturates to 127
    # t1, channel 0, u = -2: state 0 re = tz(0.5 * 4) + tz(-10, 2) + 1 = 2 - 2 + 1 = 1, im = 0
    #   state 1 re = -tz(0.5 * 2) + tz(14, 2) = -1 + 3 = 2
    #           im = tz(0.5 * -5) + tz(-12, 2) - 2 = -2 - 3 - 2 = -7
    #   y = tz(9, 3) + tz(-6, 3) - tz(-35, 3) - 4 + 1 = 1 + 0 + 4 - 3 = 2
    # t1, channel 1, u = 0: state 0 re = tz(-32767 * 127 = -126.996) = -126; state 1 is 0
    #   y = -126 * 2 - 1 = -253, saturates to -127
    trace = run_on(engine, node, Fixed(8, 1), [[3, 1], [-2, 0]])
    assert values(trace) == [[11, 127], [2, -127]]
    assert trace.states["node.re"].tolist() == [[[1, 2], [-126, 0]]]
    assert trace.states["node.im"].tolist() == [[[0, -7], [0, 0]]]
    assert trace.counts["node"] == Counts(
        dendrite_updates=2 * 2 * 2, spikes_in=3, axon_out=4, spikes_out=4, saturations=3
    )


@BOTH
def test_a_constant_drive_moves_the_state_without_input(engine):
    node = one_state(
        a_re=integers([[16384]], 15, 16), a_im=integers([[0]], 15, 16),
        drive_re=integers([[7]], [0], 24), drive_im=integers([[-7]], [0], 24),
        c_re=integers([[2]], [1]), c_im=integers([[-2]], [1]), bias=integers([0], 0, 24),
    )  # fmt: skip
    # re: 7, 3 + 7 = 10, 5 + 7 = 12, 6 + 7 = 13, 6 + 7 = 13; im mirrors it: the real limit is 14
    # y = 2 re - (-2 im) = 2 (re + im) = 0, as im = -re
    trace = run_on(engine, node, Fixed(8), [[0]] * 5)
    assert trace.states["node.re"].tolist() == [[[13]]]
    assert trace.states["node.im"].tolist() == [[[-13]]]
    assert values(trace) == [[0]] * 5


@BOTH
def test_real_and_imaginary_parts_saturate_each_by_itself(engine):
    node = one_state(
        drive_re=integers([[0]], [0], 8), drive_im=integers([[0]], [0], 8),
        b_re=integers([[100]], [0]), b_im=integers([[-100]], [0]),
    )  # fmt: skip
    trace = run_on(engine, node, Fixed(8), [[2]])
    assert trace.states["node.re"].tolist() == [[[127]]]  # 200
    assert trace.states["node.im"].tolist() == [[[-127]]]  # -200
    assert trace.counts["node"].saturations == 2


# -- the other nodes -----------------------------------------------------------


@BOTH
def test_a_threshold_fires_at_equality(engine):
    node = Threshold(theta=integers([2, -1], 0, 24))
    trace = run_on(engine, node, Fixed(8), [[2, -2], [1, -1], [3, 0]])
    assert values(trace) == [[1, 0], [0, 1], [1, 1]]
    assert trace.counts["node"] == Counts(dendrite_updates=6, spikes_in=5, axon_out=4, spikes_out=4)


@BOTH
def test_a_ternary_threshold_fires_at_equality_on_both_sides(engine):
    node = TernaryThreshold(delta=integers([2, TOP], 0, 24))
    steps = [[2, TOP], [-2, -TOP], [1, TOP - 1], [-1, 1 - TOP], [0, 0], [-TOP, 0]]
    trace = run_on(engine, node, Fixed(24), steps)
    assert values(trace) == [[1, 1], [-1, -1], [0, 0], [0, 0], [0, 0], [-1, 0]]
    assert trace.counts["node"] == Counts(
        dendrite_updates=12, spikes_in=9, axon_out=5, spikes_out=5
    )


def lif(reset: str, kappa: int = 0, bits: int = 24, **changes: int) -> LIF:
    """Return one neuron: theta 10, tau 1/2, rho 3/4 unless changed."""
    given = {"theta": 10, "tau": 2048, "rho": 3072} | changes
    return LIF(
        theta=integers([given["theta"]], 0, bits), tau=integers([given["tau"]], 12, 14),
        rho=integers([given["rho"]], 12, 13), kappa=integers([kappa], 0, bits), reset=reset,
    )  # fmt: skip


# u' = tz(u / 2) + y; y = 9, 9, -3, 21, 0, 10
# hard: 9; 4 + 9 = 13 spikes, to 0; -3; tz(-1.5) + 21 = 20 spikes, to 0; 0; 10 spikes at equality
# soft: 9; 13 spikes, to 3; 1 - 3 = -2; -1 + 21 = 20 spikes, to 10; 5; 2 + 10 = 12 spikes, to 2
# none: 9; 13 spikes; 6 - 3 = 3; 1 + 21 = 22 spikes; 11 spikes; 5 + 10 = 15 spikes
@BOTH
@pytest.mark.parametrize(
    ("reset", "spikes", "last"),
    [("hard", [0, 1, 0, 1, 0, 1], 0), ("soft", [0, 1, 0, 1, 0, 1], 2),
     ("none", [0, 1, 0, 1, 1, 1], 15)],
)  # fmt: skip
def test_a_membrane_leaks_integrates_fires_and_is_reset(engine, reset, spikes, last):
    trace = run_on(engine, lif(reset), Fixed(8), [[9], [9], [-3], [21], [0], [10]])
    assert [value for (value,) in values(trace)] == spikes
    assert trace.states["node.u"].tolist() == [[last]]
    assert set(trace.states) == {"node.u"}  # no trace is kept
    fired = sum(spikes)
    assert trace.counts["node"] == Counts(
        dendrite_updates=6, spikes_in=5, axon_out=fired, spikes_out=fired
    )


# without leak: u' = u + y, theta 10; y = 9, -5, 5, 9, 12, -12
# hard: 9; 4; 9; 18 spikes, to 0; 12 spikes, to 0; -12
# soft: 9; 4; 9; 18 spikes, to 8; 20 spikes, to 10; -2
@BOTH
@pytest.mark.parametrize(("reset", "last"), [("hard", -12), ("soft", -2)])
def test_a_membrane_that_does_not_leak_keeps_all_of_itself(engine, reset, last):
    node = lif(reset, tau=4096)
    trace = run_on(engine, node, Fixed(8), [[9], [-5], [5], [9], [12], [-12]])
    assert [value for (value,) in values(trace)] == [0, 0, 0, 1, 1, 0]
    assert trace.states["node.u"].tolist() == [[last]]
    # and saturates, if inputs never let it fire: 8 bits, -100 twice
    low = run_on(engine, lif(reset, tau=4096, bits=8), Fixed(8), [[-100], [-100], [1]])
    assert low.states["node.u"].tolist() == [[-126]]
    assert low.counts["node"].saturations == 1


# the input has 2 fraction bits, the membrane 4: y comes in as 4 y; theta 40, tau 1/2
# 36; 18 + 36 = 54 spikes, to 0; -12; -6 + 84 = 78 spikes, to 0; 0; 40 spikes at equality
@BOTH
@pytest.mark.parametrize(("leak", "half"), [(12, 2**11), (20, 2**19)])
def test_a_membrane_finer_than_its_input_takes_it_exactly(engine, leak, half):
    node = replace(lif("hard"), theta=integers([40], 4, 24), kappa=integers([0], 4, 24),
                   tau=integers([half], leak, 22), rho=integers([0], leak, 22))  # fmt: skip
    trace = run_on(engine, node, Fixed(8, 2), [[9], [9], [-3], [21], [0], [10]])
    assert values(trace) == [[0], [1], [0], [1], [0], [1]]
    trace = run_on(engine, node, Fixed(8, 2), [[9], [-3]])
    assert trace.states["node.u"].tolist() == [[18 - 12]]


# exponents by channel: 1 and 3 behind 2, so y comes in as tz(y / 2) and 2 y
# theta 4: 4 spikes; -1; 0 + 4 spikes; 0          theta 20: 18; 9 - 6 = 3; 1 + 18 = 19; 9 + 2 = 11
@BOTH
def test_membranes_may_have_exponents_of_their_own_by_channel(engine):
    node = LIF(theta=integers([4, 20], [1, 3], 24), kappa=integers([0, 0], [1, 3], 24),
               tau=integers([2048, 2048], 12, 14), rho=integers([0, 0], 12, 14),
               reset="hard")  # fmt: skip
    steps = [[9, 9], [-3, -3], [9, 9], [1, 1]]
    trace = run_on(engine, node, Fixed(8, 2), steps)
    assert values(trace) == [[1, 0], [0, 0], [1, 0], [0, 0]]
    assert trace.states["node.u"].tolist() == [[0, 11]]


# rows in units of 1/2 and 1/64 send 3 and 3 + 1; the membranes count in 1/4 and 1/32: 6 and 2
@BOTH
def test_rows_may_have_exponents_of_their_own_before_neurons(engine):
    mix = Affine(weight=integers([[3], [3]], [1, 6]), bias=integers([0, 1], [1, 6], 24),
                 out=Fixed(24, 1))  # fmt: skip
    node = LIF(theta=integers([16, 6], [2, 5], 24), kappa=integers([0, 0], [2, 5], 24),
               tau=integers([4096, 4096], 12, 14), rho=integers([0, 0], 12, 14),
               reset="soft")  # fmt: skip
    nodes = {"in": Input(channels=1, out=Fixed.binary()), "mix": mix, "node": node,
             "out": Output(channels=2, out=Fixed.binary())}  # fmt: skip
    graph = Graph(nodes, (("in", "mix"), ("mix", "node"), ("node", "out")))
    trace = run(graph, np.ones((1, 4, 1), int), engine)
    assert values(trace, "mix") == [[3, 4]] * 4
    # 6, 12, 18 spikes to 2, 8; and 2, 4, 6 spikes to 0, 2
    assert values(trace) == [[0, 0], [0, 0], [1, 1], [0, 0]]
    assert trace.states["node.u"].tolist() == [[8, 2]]


@BOTH
def test_a_refractory_trace_raises_what_the_next_steps_must_reach(engine):
    # kappa 7, rho 3/4, soft reset, theta 10; r is what a step compares with
    # y = 12: u' = 12, r = 0, spikes; u = 2, r = 7
    # y = 15: u' = 1 + 15 = 16, 16 - 7 = 9: silent; u = 16, r = tz(5.25) = 5
    # y = 7: u' = 8 + 7 = 15, 15 - 5 = 10: spikes at equality; u = 5, r = tz(3.75) + 7 = 10
    # y = 18: u' = 2 + 18 = 20, 20 - 10 = 10: spikes; u = 10, r = tz(7.5) + 7 = 14
    # y = 0: u' = 5: silent; u = 5, r = tz(10.5) = 10
    trace = run_on(engine, lif("soft", kappa=7), Fixed(8), [[12], [15], [7], [18], [0]])
    assert values(trace) == [[1], [0], [1], [1], [0]]
    assert trace.states["node.u"].tolist() == [[5]]
    assert trace.states["node.r"].tolist() == [[10]]
    assert trace.counts["node"] == Counts(
        dendrite_updates=10, spikes_in=4, axon_out=3, spikes_out=3
    )


@BOTH
def test_membrane_and_trace_saturate_and_the_soft_reset_does_not(engine):
    # 8 bits: +-127. theta 1, kappa 100, rho 4095/4096, tau 4095/4096, input 127
    # u' = 127 spikes; u = 126, r = 100
    # u' = 125 + 127 clips to 127, 127 - 100 = 27 spikes; u = 126, r = tz(99.98) + 100 clips to 127
    # u' clips to 127, 127 - 127 = 0: silent; r = 126
    # y = -127: u' = 126 - 127 = -1; r = 125.  y = -127: 0 - 127 = -127; r = 124
    # y = -127: tz(-126.97) - 127 clips to -127; r = 123
    node = lif("soft", kappa=100, bits=8, theta=1, tau=4095, rho=4095)
    steps = [[127], [127], [127], [-127], [-127], [-127]]
    trace = run_on(engine, node, Fixed(8), steps)
    assert values(trace) == [[1], [1], [0], [0], [0], [0]]
    assert trace.states["node.u"].tolist() == [[-127]]
    assert trace.states["node.r"].tolist() == [[123]]
    assert trace.counts["node"].saturations == 4


@BOTH
def test_the_comparison_is_that_of_the_exact_difference(engine):
    # membrane -TOP, trace TOP: the difference -2 TOP would wrap 24 bits to a positive number
    node = lif("none", kappa=TOP, theta=TOP, tau=0, rho=4095)
    trace = run_on(engine, node, Fixed(24), [[TOP], [-TOP], [TOP]])
    assert values(trace) == [[1], [0], [0]]
    # TOP 4095/4096 = 8386559.0002, and once more 8384511.5
    assert trace.states["node.r"].tolist() == [[8384511]]


@BOTH
def test_edges_into_a_membrane_saturate_on_entry(engine):
    graph = behind(lif("hard", tau=0), {"a": Fixed(24), "b": Fixed(24)})
    inputs = {"a": np.array([[[TOP], [-TOP]]]), "b": np.array([[[TOP], [TOP]]])}
    trace = run(graph, inputs, engine)
    assert values(trace) == [[1], [0]]
    assert trace.counts["node"].saturations == 1


@BOTH
def test_a_sum_brings_its_operands_to_one_exponent_first(engine):
    graph = behind(Sum(channels=1, out=Fixed(5, 2)), {"a": Fixed(8, 3), "b": Fixed(8, 1)})
    inputs = {"a": np.array([[[-5], [5], [-127]]]), "b": np.array([[[3], [-3], [1]]])}
    trace = run(graph, inputs, engine)
    # tz(-5, 1) + 3 * 2 = -2 + 6 (floor: 3); 2 - 6; tz(-127, 1) + 2 = -63 + 2, saturates to -15
    assert values(trace) == [[4], [-4], [-15]]
    assert trace.counts["node"] == Counts(
        dendrite_updates=3, spikes_in=6, axon_out=3, spikes_out=3, saturations=1
    )


@BOTH
def test_a_sum_of_three_shifts_each_operand_by_itself(engine):
    graph = behind(Sum(channels=1, out=Fixed(8)), dict.fromkeys("abc", Fixed(8, 1)))
    inputs = {name: np.array([[[1]]]) for name in "abc"}
    # 0.5 three times: each is 0; the shifted sum would be 1
    assert values(run(graph, inputs, engine)) == [[0]]


@BOTH
@pytest.mark.parametrize(
    ("frac", "expected"),
    [
        (1, [[-3], [3], [127]]),  # tz(-15, 2) = -3.75; tz(14, 2) = 3.5; 16129 / 4 saturates
        (4, [[-30], [28], [127]]),  # left by one
    ],
)
def test_a_product_is_shifted_toward_zero(engine, frac, expected):
    graph = behind(Product(channels=1, out=Fixed(8, frac)), {"a": Fixed(8, 2), "b": Fixed(8, 1)})
    inputs = {"a": np.array([[[-5], [7], [127]]]), "b": np.array([[[3], [2], [127]]])}
    trace = run(graph, inputs, engine)
    assert values(trace) == expected
    assert trace.counts["node"] == Counts(
        dendrite_updates=3, spikes_in=6, axon_out=3, spikes_out=3, saturations=1
    )


@BOTH
def test_a_knot_belongs_to_the_segment_on_its_right(engine):
    node = PiecewiseLinear(
        function="gelu", max_error=0.0, channels=1, knots=integers([-4, 3], 1, 24),
        slopes=integers([-3, 5, 2], 2), offsets=integers([1, -2, 10], 1, 24), out=Fixed(4, 1),
    )  # fmt: skip
    # shift 2 + 1 - 1 = 2; 4 bits: +-7
    trace = run_on(engine, node, Fixed(8, 1), [[-5], [-4], [-3], [2], [3]])
    assert values(trace) == [
        [4],  # tz(15, 2) + 1
        [-7],  # tz(-20, 2) - 2
        [-5],  # tz(-15, 2) - 2, the floor would give -6
        [0],  # tz(10, 2) - 2
        [7],  # tz(6, 2) + 10 = 11, saturates
    ]
    assert trace.counts["node"] == Counts(
        dendrite_updates=5, spikes_in=5, axon_out=4, spikes_out=4, saturations=1
    )


@BOTH
def test_an_accumulator_saturates_the_term_and_the_sum(engine):
    node = Accumulate(channels=1, steps=2, term_bits=4, out=Fixed(5, 1))
    # shift 2 - 1 = 1; terms +-7, sum +-15
    # tz(-5, 1) = -2; 15 clips to 7: 5; 20 clips to 7: 12; 7: 19 clips to 15
    trace = run_on(engine, node, Fixed(7, 2), [[-5], [30], [40], [14]])
    assert values(trace) == [[-2], [5], [12], [15]]
    assert trace.states["node.sum"].tolist() == [[15]]
    assert trace.counts["node"] == Counts(
        dendrite_updates=4, spikes_in=4, axon_out=4, spikes_out=4, saturations=3
    )


@BOTH
def test_an_accumulator_shifts_left_exactly(engine):
    node = Accumulate(channels=1, steps=1, term_bits=8, out=Fixed(12, 3))
    trace = run_on(engine, node, Fixed(7, 0), [[-5], [2], [20]])  # -40, +16, 160 clips to 127
    assert values(trace) == [[-40], [-24], [103]]
    assert trace.counts["node"].saturations == 1


# -- what is counted -----------------------------------------------------------


@BOTH
def test_a_spike_is_sent_once_and_leaves_by_as_many_axons_as_nodes_receive_it(engine):
    graph = Graph(
        {
            "in": Input(channels=2, out=Fixed.binary()),
            "left": MIX,
            "right": Threshold(theta=integers([1, 1], 0, 24)),
            "out": Output(channels=2, out=Fixed.binary()),
        },
        (("in", "left"), ("in", "right"), ("in", "out")),
    )
    trace = run(graph, np.array([[[1, 0], [1, 1]]]), engine)
    assert trace.counts["in"] == Counts(axon_out=9, spikes_out=3)
    assert trace.counts["left"].axon_out == 0  # nobody listens
    assert trace.counts["right"].spikes_in == 3


@BOTH
def test_counts_add_up_over_samples_and_states_do_not_mix(engine):
    node = Accumulate(channels=1, steps=9, term_bits=8, out=Fixed(24))
    graph = behind(node, {"in": Fixed(8)})
    trace = run(graph, np.array([[[1], [2]], [[10], [0]]]), engine)
    assert trace.values["node"].tolist() == [[[1], [3]], [[10], [10]]]
    assert trace.counts["node"] == Counts(dendrite_updates=4, spikes_in=3, axon_out=4, spikes_out=4)
