"""Tokens, ternary weights and leaky neurons in counts, energy, tables and drawings, by hand."""

import re
from dataclasses import replace

import numpy as np
import pytest
from spiking_block import integers

from neurossm.energy import Interval, estimate
from neurossm.energy.digital import baselines
from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics import (
    GROUPS,
    check_multiplications,
    dense_operations,
    measure,
    multiplications,
)
from neurossm.nodes import LIF, Affine, Embedding, Input, Node, Output, TernaryThreshold, Threshold
from neurossm.report import (
    Report,
    graph_svg,
    html_of,
    multiplication_rows,
    multiplication_sentences,
    node_table,
)


def lif(kappa: int, reset: str = "soft") -> LIF:
    leaks = integers([2048, 2048], 12, 13)
    return LIF(theta=integers([3, 100], 0, 24), tau=leaks, rho=leaks,
               kappa=integers([kappa, 0], 0, 24), reset=reset)  # fmt: skip


def tokens_graph(kappa: int = 1) -> Graph:
    """Tokens, their rows of 2, neurons, and ternary weights behind the rows."""
    nodes: dict[str, Node] = {
        "token": Input(channels=1, out=Fixed(4)),
        "row": Embedding(table=integers([[4, -1], [0, 2], [7, 7]]), out=Fixed(8)),
        "neurons": lif(kappa),
        "signs": TernaryThreshold(delta=integers([2, 2], 0, 24)),
        "ternary": Affine(
            weight=integers([[1, -1], [0, 1], [1, 0]]), bias=integers([0, 0, 0], 0, 24),
            out=Fixed(24),
        ),
        "spikes": Output(channels=2, out=Fixed.binary()),
        "out": Output(channels=3, out=Fixed(24)),
    }  # fmt: skip
    edges = (("token", "row"), ("row", "neurons"), ("row", "signs"), ("row", "ternary"),
             ("neurons", "spikes"), ("ternary", "out"))  # fmt: skip
    return Graph(nodes, edges)


TOKENS = np.array([[[0], [1], [2]]])


def test_metrics_of_tokens_and_ternary_weights_by_hand() -> None:
    graph = tokens_graph()
    found = measure(graph, run(graph, TOKENS, "reference"))
    # rows 4 -1, 0 2, 7 7; each value of channel 0 meets 2 weights, of channel 1 also 2
    assert found.nodes["ternary"].syn_ops == 2 * 5
    assert (found.multiplies_from_spikes, found.multiplies_from_graded) == (0, 0)
    assert found.additions_of_graded == 10
    assert found.nodes["row"].syn_ops == 3 * 2
    # two membranes and two traces, three steps
    assert found.state_updates == 3 * 4
    assert found.spike_rates == {"neurons": 2 / 6, "signs": 4 / 6}
    # NeuroBench knows no look-up, and takes ternary weights for any others
    assert found.neurobench["Effective_MACs"] == 10
    assert found.neurobench["Effective_ACs"] == 0
    assert found.neurobench["Dense"] == 6 * 3
    assert found.neurobench["Footprint"] == 6 + 6 + 9 + 2 * 3 + 2 * (3 + 3 + 2 + 2)
    assert found.as_json()["additions_of_graded"] == 10


def test_a_neuron_without_a_trace_updates_half_as_much() -> None:
    graph = tokens_graph(kappa=0)
    found = measure(graph, run(graph, TOKENS, "reference"))
    assert found.state_updates == found.nodes["neurons"].dendrite_updates == 3 * 2


def test_dense_operations_by_hand() -> None:
    found = dense_operations(tokens_graph())
    assert found["row"].macs == found["row"].adds == found["signs"].macs == 0
    assert (found["neurons"].state_macs, found["neurons"].adds) == (4, 4)  # trace, soft reset
    plain = Graph(
        {"x": Input(channels=2, out=Fixed(8)), "n": lif(0, "hard"),
         "y": Output(channels=2, out=Fixed.binary())},
        (("x", "n"), ("n", "y")),
    )  # fmt: skip
    assert (dense_operations(plain)["n"].state_macs, dense_operations(plain)["n"].adds) == (2, 0)


def test_work_of_a_table_is_that_of_synapses() -> None:
    nodes: dict[str, Node] = {
        "token": Input(channels=1, out=Fixed(4)),
        "row": Embedding(table=integers([[4, 1], [3, 2]]), out=Fixed(8)),
        "fire": Threshold(theta=integers([4, 4], 0, 24)),
        "out": Output(channels=2, out=Fixed.binary()),
    }
    graph = Graph(nodes, (("token", "row"), ("row", "fire"), ("fire", "out")))
    chip, metrics = load_hardware("loihi2"), measure(graph, run(graph, TOKENS[:, :2], "fast"))
    energy = estimate(metrics, graph, chip)
    work, fired = energy.work, metrics.nodes["fire"].spikes_out
    # the row is the sum of the neuron that compares it: no neuron of its own; 2 tokens of 2
    # channels, each one message from outside; 2 receivers of spikes
    assert work.syn_ops == Interval(4 + fired, 4 + fired)
    assert work.passes == Interval(4 + 4, 2 * (4 + 4))
    assert work.messages == Interval(2 + fired, 2 + fired)
    assert energy.chips == (1, 1)


def test_baselines_fetch_one_row_and_no_membranes() -> None:
    graph, digital = tokens_graph(), load_hardware("cmos45")
    metrics = measure(graph, run(graph, TOKENS, "reference"))
    floats, int8, _, narrow, own = baselines(graph, metrics, digital)
    # 3 steps of 6 float MACs of 4.6 pJ; fetched are a row of 2, 6 weights and 3 biases
    assert 1e12 * floats.arithmetic_j == pytest.approx(3 * 6 * 4.6)
    fetched = 1e12 * (floats.with_memory_j - floats.arithmetic_j)
    assert fetched == pytest.approx(3 * 10 / 8 * 4 * (2 + 6 + 3))
    assert 1e12 * int8.arithmetic_j == pytest.approx(3 * 6 * 0.3)
    assert narrow.arithmetic_j == int8.arithmetic_j  # no recurrence to be narrow
    # the spiking network adds: 10 ternary weights and 6 of rows at 0.1 pJ; 12 updates of neurons
    # and 6 of signs compare; a leak by a half is an addition, 4 a step, beside 4 additions
    expected = 0.1 * (10 + 6 + 12 + 6) + 3 * (4 * 0.1 + 4 * 0.1)
    assert 1e12 * own.arithmetic_j == pytest.approx(expected)


def test_tables_and_drawing_name_what_the_nodes_are() -> None:
    rows = {row.name: row for row in node_table(tokens_graph())}
    assert rows["row"].channels == "3 tokens → 2"
    assert (rows["neurons"].states, rows["neurons"].note) == (4, "soft reset, refractory variable")
    assert rows["ternary"].note == "ternary weights"
    assert rows["signs"].format == "ternary"
    svg = graph_svg(tokens_graph())
    assert "3 tokens → 2" in svg and "soft reset, refractory variable" in svg


def test_the_report_says_who_multiplies_from_the_counts() -> None:
    graph = tokens_graph()
    metrics = measure(graph, run(graph, TOKENS, "reference"))
    recorded = check_multiplications(graph, {"token": TOKENS})
    report = Report(title="tokens", graph=graph, metrics=metrics, recorded=recorded)
    plain = re.sub(r"<[^>]+>", " ", html_of(report))
    assert "Weights of one power of two shift and add activations in ternary." in plain
    assert "Spikes or tokens select weights, nothing multiplies, in row." in plain
    # two membranes and two traces, three steps, each leak a half
    assert "100% of the multiplications in recurrences are by a parameter that is 0" in plain
    assert "over 3 steps of one sequence: the same in every node" in plain
    found = multiplications(graph, metrics)
    assert [found.total(group) for group in GROUPS] == [0, 3 * 4, 0]
    assert found.trivial == 3 * 4
    assert "3 tokens" in html_of(report)
    spoiled = replace(report, recorded=replace(recorded, differing=("row",)))
    assert "NOT what an integer that records counts" in html_of(spoiled)


def test_nothing_is_said_to_add_only_where_weights_multiply() -> None:
    graph = tokens_graph()
    weight = integers([[1, -3], [0, 1], [1, 0]])
    nodes = {**graph.nodes, "ternary": replace(graph.nodes["ternary"], weight=weight)}
    graph = replace(graph, nodes=nodes)
    metrics = measure(graph, run(graph, TOKENS, "reference"))
    said = " ".join(multiplication_sentences(graph, multiplications(graph, metrics), None))
    assert "shift and add" not in said
    assert multiplication_rows(multiplications(graph, metrics))[0] == ("Synapses", "10", "ternary")


def test_the_rate_of_a_network_is_the_mean_over_its_nodes_that_spike():
    nodes: dict[str, Node] = {
        "in": Input(channels=2, out=Fixed.binary()),
        "often": Threshold(theta=integers([1, 1], 0, 24)),
        "never": Threshold(theta=integers([2, 2], 0, 24)),
        "out": Output(channels=2, out=Fixed.binary()),
    }
    graph = Graph(nodes, (("in", "often"), ("in", "never"), ("never", "out")))
    metrics = measure(graph, run(graph, np.ones((1, 4, 2), int), "reference"))
    assert metrics.spike_rates == {"often": 1.0, "never": 0.0}
    assert (metrics.mean_spike_rate, metrics.max_spike_rate) == (0.5, 1.0)
