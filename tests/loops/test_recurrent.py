"""Edges may form a cycle through a Delay: every executor runs it, and each as by hand."""

from __future__ import annotations

import numpy as np
import pytest
from recurrent import IN, by_hand, recurrent_lif

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Delay, Input, Output, Sum

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
