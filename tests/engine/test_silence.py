"""Silence decays to exactly zero: the reason why every product is shifted toward zero."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import QUICK
from spiking_block import integers

from neurossm import contract
from neurossm.engine import run
from neurossm.engine.compiled import form_of
from neurossm.fixed import Fixed, project_poles
from neurossm.graph import Graph
from neurossm.nodes import LIF, AdaptiveLIF, DiagonalSSM, Input, Output, ResonateAndFire, reals

C, N = 4, 3
DRIVEN, FULL = 20, 2**23 - 1


def bank(radius: np.ndarray, angle: np.ndarray, bits: int, rng: np.random.Generator) -> Graph:
    """Return a graph of C x N states with these poles, driven with random gains."""
    a_re, a_im = project_poles(radius * np.cos(angle), radius * np.sin(angle), bits)
    none = integers(np.zeros((C, N)), 0, 24)
    ssm = DiagonalSSM(
        a_re=integers(a_re, bits - 1, bits), a_im=integers(a_im, bits - 1, bits),
        b_re=integers(rng.integers(-127, 128, (C, N))),
        b_im=integers(rng.integers(-127, 128, (C, N))),
        c_re=integers(np.full((C, N), 64)), c_im=integers(np.full((C, N), -64)),
        d=integers(np.zeros(C)), drive_re=none, drive_im=none,
        bias=integers(np.zeros(C), 0, 24), step_size=np.ones(C), method="zoh", out=Fixed(24),
    )  # fmt: skip
    nodes = {"in": Input(channels=C, out=Fixed(24)), "ssm": ssm}
    nodes["out"] = Output(channels=C, out=Fixed(24))
    return Graph(nodes, (("in", "ssm"), ("ssm", "out")))


def decay(graph: Graph, drive: int, silent: int, rng: np.random.Generator) -> np.ndarray:
    """Return how the largest state is after random drive, and after silence."""
    inputs = np.zeros((1, DRIVEN + silent, C), np.int64)
    inputs[:, :DRIVEN] = rng.integers(-drive, drive + 1, (1, DRIVEN, C))
    after = [run(graph, inputs[:, :steps], "fast", record=()) for steps in (DRIVEN, None)]
    return np.array([max(np.abs(state).max() for state in t.states.values()) for t in after])


@given(
    st.integers(0, 2**32 - 1), st.sampled_from([8, 12, 16]), st.sampled_from([0.0, 1e-4, 0.1, 1])
)
@QUICK
def test_states_reached_by_random_drive_decay_to_exactly_zero(seed, bits, spread):
    rng = np.random.default_rng(seed)
    # on the circle before they are projected, or within `spread` of it; on the axes and between
    radius = 1 - spread * rng.random((C, N))
    angle = rng.choice([0, np.pi / 4, np.pi / 2, np.pi, *rng.uniform(-4, 4, 4)], (C, N))
    before, after = decay(bank(radius, angle, bits, rng), 8, 60_000, rng)
    assert before > 100
    assert after == 0


@pytest.mark.parametrize("angle", [0.0, np.pi / 4, 2.0])
def test_a_full_state_of_the_slowest_pole_decays_to_exactly_zero(angle):
    rng = np.random.default_rng(3)
    # 1 - 2**-15 a step takes 2**23 below 2**15 in 2**15 ln(2**8) = 182 thousand steps; from there
    # on at least one part loses a unit at every other step
    graph = bank(np.ones((C, N)), np.full((C, N), angle), 16, rng)
    before, after = decay(graph, FULL, 300_000, rng)
    assert before == FULL
    assert after == 0


@pytest.mark.parametrize("reset", LIF.resets)
def test_membranes_and_traces_decay_to_exactly_zero(reset):
    rng = np.random.default_rng(4)
    # 4095/4096 a step: from 2**23 below 4096 in 4096 ln(2**11) = 31 thousand steps, from there on a
    # unit at every step
    leaks = integers([4095, 4095, 2048, 1], 12, 13)
    node = LIF(theta=integers([5, FULL, 5, 1], 0, 24), tau=leaks, rho=leaks,
               kappa=integers([FULL, 1, 77, 0], 0, 24), reset=reset)  # fmt: skip
    nodes = {"in": Input(channels=C, out=Fixed(24)), "lif": node}
    nodes["out"] = Output(channels=C, out=Fixed.binary())
    before, after = decay(Graph(nodes, (("in", "lif"), ("lif", "out"))), FULL, 40_000, rng)
    assert before > 2**20
    assert after == 0


def alone(node: AdaptiveLIF | ResonateAndFire) -> Graph:
    """Return a graph of one layer of neurons."""
    nodes = {"in": Input(channels=node.in_channels, out=Fixed(24)), "node": node}
    nodes["out"] = Output(channels=node.out_channels, out=Fixed.binary())
    return Graph(nodes, (("in", "node"), ("node", "out")))


def driven(graph: Graph, drive: int, silent: int) -> np.ndarray:
    """Return random drive, then silence, ``(S, T, C)``."""
    rng, channels = np.random.default_rng(5), graph.nodes["in"].out_channels
    inputs = np.zeros((2, DRIVEN + silent, channels), np.int32)
    inputs[:, :DRIVEN] = rng.integers(-drive, drive + 1, (2, DRIVEN, channels))
    return inputs


def left_after(graph: Graph, drive: int, silent: int) -> np.ndarray:
    """Return which neurons have a state left after random drive and silence, ``(S, C)``."""
    states = run(graph, driven(graph, drive, silent), "fast", record=()).states.values()
    return np.any([state != 0 for state in states], axis=0)


LEAKS = np.array([0, 400, 2048, 3700, 4000, 4091, 4095])  # of 4096
SHARES = np.array([1e-4, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999, 0.99997])  # of the largest a


def grid(fires: bool, finer: int, reset: str, side: str) -> AdaptiveLIF:
    """Return a neuron for each pair of leaks and each coupling within its range.

    The least is ``-(1 - tau)(1 - rho)``, below which the real neuron does not decay either.
    """
    tau, rho, share = (x.ravel() for x in np.meshgrid(LEAKS, LEAKS, [*SHARES, -0.9]))
    most = np.where(share > 0, 1.0, (1 - tau / 4096) * (1 - rho / 4096))
    if fires:  # as in SiLIF
        most = most * (1 - tau / 4096)
    a = np.trunc(np.minimum(share * most, 1) * 2**15)
    ones = np.ones(len(a))
    return AdaptiveLIF(
        theta=integers(ones * (50 if fires else FULL), 0, 24), tau=integers(tau, 12, 14),
        rho=integers(rho, 12, 14), a=integers(a, 15, 16),
        b=integers(ones * (5 << max(finer, 0)) * fires, finer, 24), reset=reset, adapts_on=side,
    )  # fmt: skip


@pytest.mark.parametrize("finer", [-3, 0, 8])
@pytest.mark.parametrize("drive", [3, 2000])
def test_membranes_and_adaptations_decay_to_exactly_zero(finer, drive):
    graph = alone(grid(False, finer, "none", "before"))
    assert contract.problems(graph) == ()
    assert left_after(graph, drive, 0).any(axis=0).mean() > 0.6
    assert not left_after(graph, drive, 60_000).any()


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("side", AdaptiveLIF.sides)
def test_neurons_that_adapted_decay_to_exactly_zero_where_real_ones_fall_silent(reset, side):
    """What was held back for long may spike again and again by itself, real neurons too."""
    made, drive, silent = grid(True, 8, reset, side), 200, 20_000
    graph, numbers = alone(made), {name: reals(getattr(made, name)) for name in made.roles}
    y = driven(graph, drive, silent).astype(float)
    state = {part: np.zeros((len(y), made.in_channels)) for part in made.state_parts()}
    real = AdaptiveLIF(**numbers, reset=reset, adapts_on=side)
    sent = form_of(AdaptiveLIF).evaluate(real, [y], state).sent
    spikes_on = sent[:, -1000:].any(axis=1)
    assert sent[:, :DRIVEN].any(axis=1).mean() > 0.9 and spikes_on.mean() < 0.1
    assert not left_after(graph, drive, silent)[~spikes_on].any()


def test_a_coupling_of_one_would_oscillate_and_is_refused():
    # u' = -w, w' = tz(0.3 w) + u': from w = 1 on it is -1, 1, -1 for ever
    u, w, seen = 0, 1, []
    for _ in range(6):
        u = -w
        w = int(0.3 * w) + u
        seen.append((u, w))
    assert seen == [(-1, -1), (1, 1)] * 3
    node = grid(False, 0, "none", "before")
    one = replace(node, a=integers(np.full(node.in_channels, 2**14), 14, 16))
    (problem,) = contract.problems(alone(one))
    assert "expected a above -1 and below 1, got 1" in str(problem.error())


@pytest.mark.parametrize("drive", [3, 1000])
@pytest.mark.parametrize("reset", ResonateAndFire.resets)
def test_resonators_decay_to_exactly_zero(reset, drive):
    # 1 - 2**-15 and faster, at every eighth of a turn and between
    radius, angle = (x.ravel() for x in np.meshgrid(
        [1, 1 - 1e-4, 0.999, 0.99, 0.9, 0.5, 0.1],
        [*np.arange(-3, 5) * np.pi / 4, *np.linspace(-3, 3, 23)]))  # fmt: skip
    a_re, a_im = project_poles(radius * np.cos(angle), radius * np.sin(angle), 16)
    theta = np.where(np.arange(len(a_re)) % 2, FULL, 50)
    node = ResonateAndFire(a_re=integers(a_re, 15, 16), a_im=integers(a_im, 15, 16),
                           theta=integers(theta, 0, 24), reset=reset, drive="complex")  # fmt: skip
    graph = alone(node)
    assert left_after(graph, drive, 0).any(axis=0).mean() > 0.6
    assert not left_after(graph, drive, 100_000 if drive > 3 else 5000).any()
