"""Delays and cycles on the network that goes to the chip: in its synapses, and bit for bit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
from hypothesis import assume, given, settings
from random_graphs import QUICK, Case, cases
from recurrent import IN, recurrent_lif

from neurossm.comparison import compare
from neurossm.engine import run
from neurossm.errors import TargetError
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Delay, Input, Node, Output, Sum, Threshold
from neurossm.store import Golden, save
from neurossm_chip import nssm
from neurossm_chip.plan import make_plan
from neurossm_chip.refusal import Refusal
from neurossm_chip.wiring import wire
from neurossm_converters.backends.lava.shim import status
from neurossm_converters.backends.loihi2 import Settings, script

NEEDS_LAVA = pytest.mark.skipif(not status().usable, reason="no Lava")
FAKE = Path(__file__).with_name("fake_loihi")
STEADY, C = Fixed(16, 2), 3


def later(steps: int | list[int], out: Fixed = STEADY) -> Delay:
    return Delay(channels=C, steps=np.asarray(steps), out=out)


def add(out: Fixed = STEADY) -> Sum:
    return Sum(channels=C, out=out)


def mix(in_frac: int, out: Fixed = STEADY) -> Affine:
    weight = np.array([[9, -5, 0], [-7, 11, 3], [2, 0, -12]])
    return Affine(weight=Quantized(weight, out.frac - in_frac, 8),
                  bias=Quantized(np.array([3, -2, 1]), out.frac, 24), out=out)  # fmt: skip


def few(in_frac: int) -> Affine:
    """Two of nine synapses, and one neuron without any."""
    weight = np.array([[0, -5, 0], [0, 0, 0], [7, 0, 0]])
    return replace(mix(in_frac), weight=Quantized(weight, 2 - in_frac, 8), sparse=True)


def lif(reset: str = "soft") -> LIF:
    def ints(values: list[int], frac: int, bits: int) -> Quantized:
        return Quantized(np.array(values), frac, bits)

    return LIF(theta=ints([9, 30, 20], 2, 24), tau=ints([4000, 3000, 0], 12, 13),
               rho=ints([3000, 0, 9], 12, 13), kappa=ints([5, 0, 9], 2, 24),
               reset=reset)  # fmt: skip


def of(nodes: Mapping[str, Node], *paths: str) -> Graph:
    """Return a graph of paths such as ``a -> b -> c``; ``x`` of 3 channels is there."""
    edges: dict[tuple[str, str], None] = {}
    for path in paths:
        names = path.split()
        edges |= dict.fromkeys(pairwise(names))
    return Graph({"x": Input(channels=C, out=STEADY), **nodes}, tuple(edges))


def out(fmt: Fixed = STEADY) -> Output:
    return Output(channels=C, out=fmt)


SPIKES = Fixed.binary()
GRAPHS = {
    "spikes round, one step": recurrent_lif(np.random.default_rng(0)),
    "spikes round, a delay a channel": recurrent_lif(np.random.default_rng(0), [1, 2, 63, 5, 1]),
    "in a row, read by the host": of(
        {"a": later([1, 4, 9]), "b": later(2), "add": add(), "y": out(), "z": out()},
        "x a b y",
        "b add z",
    ),
    "paths of unlike delays meet": of(
        {
            "s": add(),
            "a": later([1, 3, 1]),
            "mix": mix(2),
            "add": add(Fixed(18, 3)),
            "fire": Threshold(theta=Quantized(np.array([4, -3, 60]), 3, 24)),
            "b": later(6, SPIKES),
            "back": mix(0),
            "y": out(),
        },
        "x s a mix add fire b back y",
        "s add",
        "x add",
        "s mix",
        "fire back",
    ),
    "sparse synapses with delays": of(
        {
            "s": add(),
            "few": few(2),
            "n": lif(),
            "d": later([2, 4, 3], SPIKES),
            "back": few(0),
            "y": out(SPIKES),
            "z": out(),
        },
        "x s few n d back s",
        "n y",
        "s z",
    ),
    "neurons reach themselves without weights": of(
        {"n": lif(), "d": later([1, 2, 5], SPIKES), "sum": add(), "y": out(SPIKES)},
        "x sum n d sum",
        "n y",
    ),
    "two synapses round in two steps": of(
        {
            "s": add(),
            "a": lif("hard"),
            "mix": mix(0),
            "b": lif("none"),
            "d": later(2, SPIKES),
            "back": mix(0),
            "y": out(SPIKES),
            "z": out(SPIKES),
        },
        "x s a mix b d back s",
        "b y",
        "a z",
    ),
    "a residual inside of a cycle": of(
        {
            "s": add(),
            "mix": mix(2, Fixed(16, 2)),
            "join": add(Fixed(12, 0)),
            "d": later([3, 2, 4], Fixed(12, 0)),
            "y": out(Fixed(12, 0)),
            "z": out(),
        },
        "x s mix join d s",
        "s join",
        "join y",
        "s z",
    ),
    "what goes round changes its unit": of(
        {
            "s": add(),
            "d": later([1, 2, 3], Fixed(9, -1)),
            "mix": mix(-1),
            "z": out(Fixed(9, -1)),
            "e": later(4, Fixed(9, -1)),
            "y": out(),
        },
        "x s d mix s",
        "s y",
        "d e z",
    ),
    "two ways round in one neuron": of(
        {
            "s": add(),
            "a": later(1),
            "b": later([7, 2, 3]),
            "mix": mix(2),
            "also": mix(2),
            "n": lif(),
            "y": out(SPIKES),
        },
        "x s a mix s",
        "s b also s",
        "mix n y",
    ),
}


def busy_to_the_end(graph: Graph, samples: int = 3, steps: int = 9) -> np.ndarray:
    """Inputs whose last messages still travel when the next sample begins."""
    (name,) = graph.inputs
    node = graph.nodes[name]
    top = 1 if node.out.is_spike else 60
    x = np.random.default_rng(2).integers(0, top + 1, (samples, steps, node.out_channels))
    x[:, -3:] = top
    return x


@pytest.mark.parametrize("name", GRAPHS)
@pytest.mark.lava
@NEEDS_LAVA
def test_values_and_states_equal_the_reference(name):
    graph = GRAPHS[name]
    x = busy_to_the_end(graph)
    expected = run(graph, x, "reference")
    assert any(state.any() for key, state in expected.states.items() if "waiting" in key)
    assert all(values.any() for values in expected.values.values())
    found = run(graph, x, "bundle")
    assert compare(expected, found, graph.order).first is None
    assert set(found.values) == set(graph.order)
    assert found.states.keys() == expected.states.keys()
    for key, state in expected.states.items():
        np.testing.assert_array_equal(found.states[key], state, key)


@pytest.mark.lava
@NEEDS_LAVA
def test_random_graphs_with_cycles_equal_the_reference():
    sizes = []

    @settings(QUICK, max_examples=8)
    @given(cases())
    def check(case: Case) -> None:
        graph = case.graph
        assume(graph.loops and nx.is_connected(nx.Graph(graph.edges)))
        assume(all(graph.sources[name] or graph.targets[name] for name in graph.nodes))
        expected = run(graph, case.inputs, "reference")
        found = run(graph, case.inputs, "bundle")
        assert compare(expected, found, graph.order).first is None
        for key, state in expected.states.items():
            np.testing.assert_array_equal(found.states[key], state, key)
        sizes.append(len(graph.nodes))

    check()
    assert len(sizes) == 8


def file_of(graph: Graph, folder: Path, steps: int = 9) -> Path:
    x = busy_to_the_end(graph, 2, steps)
    trace = run(graph, x, "reference")
    given = {graph.inputs[0]: x}
    save(folder / "x.nssm", graph, [Golden.from_trace(given, trace, n) for n in range(2)])
    return folder / "x.nssm"


def planned(graph: Graph, folder: Path):
    file = nssm.read(str(file_of(graph, folder)))
    return wire(file), make_plan(file)


def test_a_delay_is_no_process_and_a_sum_in_a_cycle_shares_a_neuron(tmp_path):
    wiring, plan = planned(GRAPHS["spikes round, one step"], tmp_path)
    assert set(wiring.units.values()) == {("x",), ("into",), ("back", "lif"), ("y",)}
    # round the cycle: one step in synapses, which is the delay
    assert plan.latencies == {"x": 0, "into": 1, "lif": 2, "back": 2, "y": 2}
    assert plan.gap == 1 and plan.period == 10 and plan.steps == 10 + 9 + 2
    (loop,) = (one for one in wiring.wires if one.by == "later")
    assert (loop.source, loop.target, loop.steps.tolist()) == ("lif", "back", [1] * 5)
    assert plan.delay(loop.source, loop.target, 1, loop.steps, loop.by) == 0


def test_what_cannot_share_a_neuron_takes_a_step_more(tmp_path):
    # s reaches join at once and through synapses: no neuron can have both
    wiring, plan = planned(GRAPHS["a residual inside of a cycle"], tmp_path)
    assert wiring.units["join"] == ("mix", "join") and wiring.units["s"] == ("s",)
    assert plan.latencies == {"x": 0, "s": 1, "mix": 2, "join": 2, "y": 2, "z": 1}


def test_a_cycle_with_too_short_a_delay_is_refused_and_the_remedy_works(tmp_path):
    graph = GRAPHS["two synapses round in two steps"]
    short = graph.with_nodes({**graph.nodes, "d": later([2, 1, 2], SPIKES)})
    with pytest.raises(Refusal) as caught:
        planned(short, tmp_path)
    said = str(caught.value)
    assert "a cycle of 2 synapses needs a Delay of at least 2 steps on Lava and on the chip" in said
    assert "got 1;" in said and "raise those of d" in said
    planned(graph, tmp_path)
    run(short, busy_to_the_end(short), "fast")  # the other remedy
    with pytest.raises(TargetError, match="a cycle of 2 synapses needs a Delay of at least 2"):
        script.check(file_of(short, tmp_path), Settings("lava"))


def test_a_delay_that_synapses_do_not_have_is_refused_by_its_edge(tmp_path):
    nodes = {"a": later(60), "b": later([1, 5, 1]), "add": add(), "y": out()}
    graph = of(nodes, "x a b add y")
    with pytest.raises(TargetError, match=r"edge b -> add: .* wait 64 steps.*put a Sum between"):
        script.check(file_of(graph, tmp_path), Settings("lava"))
    graph = of({**nodes, "between": add()}, "x a between b add y")
    assert "6 nodes" in script.check(file_of(graph, tmp_path), Settings("lava"))


def test_delays_that_go_round_alone_are_refused(tmp_path):
    graph = of(
        {"a": later(1), "b": later(2), "add": add(), "y": out()}, "x add y", "a b a", "b add"
    )
    with pytest.raises(TargetError, match="a cycle of delays alone, which nothing enters"):
        script.check(file_of(graph, tmp_path), Settings("lava"))


def test_lavas_own_neurons_are_refused_in_a_cycle(tmp_path):
    path = file_of(GRAPHS["spikes round, one step"], tmp_path)
    with pytest.raises(TargetError, match="'lif' is in a cycle, where it shares a neuron"):
        script.check(path, Settings("lava", processes="lif"))


@pytest.mark.lava
@NEEDS_LAVA
def test_the_script_says_what_it_compared_of_a_delay(tmp_path):
    done = script.run(file_of(GRAPHS["spikes round, one step"], tmp_path), Settings("lava"))
    assert done.equal and done.models["AffineLIF"] == "AffineLIFModel"
    assert "not compared, as delays of synapses cannot be read: later\n" in done.log
    # into, back, lif and y of 2 samples of 9 steps and 5 channels; the membrane, also through Lava
    assert done.compared == 4 * 2 * 9 * 5 + 2 * 5 + 5


NEURO_CORE = """
from fake_models import *
shared = neurons.sharing("Affine", "LIF")
model = type("NcAffineLIFModel", (neurons.AffineLIFModel, AbstractNcProcessModel),
             {"required_resources": [Loihi2NeuroCore], "__module__": __name__})
register(shared, model)
"""


@pytest.mark.lava
@NEEDS_LAVA
@pytest.mark.skipif(status().loihi_installed, reason="there is a lava-loihi here")
def test_a_neuron_that_nodes_share_has_a_model_of_its_own(tmp_path, monkeypatch):
    path = file_of(GRAPHS["spikes round, a delay a channel"], tmp_path)
    (tmp_path / "shared_models.py").write_text(NEURO_CORE)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(FAKE), str(tmp_path)]))
    with pytest.raises(TargetError, match=r"for AffineLIF \(neurons.sharing\('Affine', 'LIF'\)\);"):
        script.run(path, Settings("loihi2", models=("fake_models",)))
    done = script.run(path, Settings("loihi2", models=("shared_models",)))
    assert done.equal and done.models["AffineLIF"] == "NcAffineLIFModel"
    # outputs of both samples, and the membrane of the last, read from the process of two nodes
    assert done.compared == 2 * 9 * 5 + 5


def test_messages_of_the_sample_before_would_change_the_next(tmp_path):
    """The gap between samples is needed: without it this graph answers otherwise."""
    graph = GRAPHS["spikes round, a delay a channel"]
    x = busy_to_the_end(graph, 2)
    apart = run(graph, x, "reference").values["y"]
    joined = run(graph, x.reshape(1, -1, IN), "reference").values["y"].reshape(apart.shape)
    assert not np.array_equal(apart[1], joined[1])
    assert planned(graph, tmp_path)[1].gap == 63
