"""Silence decays to exactly zero: the reason why every product is shifted toward zero."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_graphs import QUICK
from spiking_block import integers

from neurossm.engine import run
from neurossm.fixed import Fixed, project_poles
from neurossm.graph import Graph
from neurossm.nodes import LIF, DiagonalSSM, Input, Output

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
