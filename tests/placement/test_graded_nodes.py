"""Where complex states that are sent and raised thresholds go on a chip, with words by hand."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from node_examples import ssm

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.nodes import AdaptiveThreshold, Affine, ComplexDiagonal, Input, Node, Output
from neurossm.placement import check, place
from neurossm.placement.budget import budget_of
from neurossm.placement.mapping import assumptions, populations_of
from neurossm.placement.shape import shape_of
from neurossm.quantization import Quantize, calibrate

LOIHI2 = load_hardware("loihi2")
BUDGET = budget_of(LOIHI2)


def chain(nodes: dict[str, Node]) -> Graph:
    return Graph(nodes, tuple(pairwise(nodes)), 1e-3, {"steps": 9})


def raised(channels: int) -> AdaptiveThreshold:
    return AdaptiveThreshold(theta=np.ones(channels), taps=np.ones((channels, 5)))


def test_a_raised_threshold_joins_the_states_in_front_as_a_threshold_does():
    nodes: dict[str, Node] = {
        "x": Input(channels=3, out=Fixed.binary()), "ssm": ssm(np.random.default_rng(0), 3, 2),
        "fire": raised(3), "out": Output(channels=3),
    }  # fmt: skip
    (neurons, _) = populations_of(shape_of(chain(nodes)))
    assert (neurons.nodes, neurons.neurons) == (("ssm", "fire"), 3)
    # 2 complex states of 3 words, and one word whose bits are the last five candidates
    assert neurons.neuron_words(BUDGET) == 2 * 3 + 1
    assert neurons.work == (("DiagonalSSM", 2), ("AdaptiveThreshold", 1))
    assert neurons.passes(LOIHI2) == (2, 2 * 2 + 2)


def network(states: int = 4) -> Graph:
    rng = np.random.default_rng(0)
    return chain({
        "x": Input(channels=6, out=Fixed.binary()),
        "b": Affine(weight=rng.normal(size=(2 * states, 6)), bias=np.zeros(2 * states)),
        "states": ComplexDiagonal(a_re=np.full(states, 0.5), a_im=np.full(states, 0.5),
                                  gate="relu"),
        "c": Affine(weight=rng.normal(size=(3, 2 * states)), bias=np.zeros(3)),
        "fire": raised(3), "out": Output(channels=3),
    })  # fmt: skip


def test_each_part_of_a_complex_state_is_a_neuron_under_both_mappings():
    for mapping in ("channel", "state"):
        states, fire, _ = populations_of(shape_of(network()), mapping)
        assert (states.nodes, states.neurons, states.sums) == (("states",), 8, 1)
        assert states.neuron_words(BUDGET) == 2  # the words of a real state
        assert states.passes(LOIHI2) == (1, 2)
        (dense,) = states.inputs
        assert (dense.kind, dense.axons, dense.node) == ("dense", 6, "b")
        assert (fire.nodes, fire.neuron_words(BUDGET)) == (("fire",), 1)
        assert fire.inputs[0].axons == 8
    said = " ".join(assumptions((states, fire)))
    assert "takes two neurons, one for each part, with the words of a real state each" in said
    assert "two neurons" not in " ".join(assumptions((fire,)))


def test_it_is_placed_and_its_cores_hold_all_neurons():
    graph = network()
    inputs = np.random.default_rng(1).integers(0, 2, (1, 9, 6))
    integer = Quantize()(graph, calibrate(graph, run(graph, inputs, "float")))
    placed = place(integer, LOIHI2)
    held = sum(s.neurons for core in placed.cores for s in core.slices if s.population == "states")
    assert held == 8
    assert check(integer, LOIHI2).fits
    found = check(integer, load_hardware("loihi1")).nodes
    reasons = {node.name: " ".join(f.reason for f in node.findings) for node in found}
    assert "no complex state" in reasons["states"]
    assert "no threshold that earlier spikes raise" in reasons["fire"]
