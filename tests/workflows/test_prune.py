"""Pruning a float graph: which weights, which nodes become sparse, and what the command says."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout
from itertools import pairwise

import numpy as np
import pytest

from neurossm import load, prune, save
from neurossm.engine import run
from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, ComplexDiagonal, Input, Node, Output
from neurossm.quantization import Quantize, Ranges, calibrate
from neurossm_cli.app import main

RNG = np.random.default_rng(0)
FIRST, SECOND = RNG.standard_normal((10, 12)), RNG.standard_normal((4, 10))


def network() -> Graph:
    ones = np.ones(10)
    nodes: dict[str, Node] = {
        "x": Input(channels=12, out=Fixed.binary()),
        "first": Affine(weight=FIRST, bias=np.ones(10)),
        "fire": LIF(theta=ones, tau=0.5 * ones, rho=0 * ones, kappa=0 * ones, reset="hard"),
        "second": Affine(weight=SECOND, bias=np.zeros(4)),
        "y": Output(channels=4),
    }
    return Graph(nodes, tuple(pairwise(nodes)), 1e-3, {"steps": 5})


def ranges(graph: Graph) -> Ranges:
    return calibrate(graph, run(graph, RNG.integers(0, 2, (2, 5, 12)), "float"))


@pytest.fixture
def path(tmp_path):
    save(tmp_path / "a.nssm", network())
    return tmp_path / "a.nssm"


def command(*words: object) -> tuple[int, str]:
    out = io.StringIO()
    with redirect_stdout(out), pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code, out.getvalue()


def test_the_largest_weights_are_left(path, tmp_path):
    found = prune(path, tmp_path / "b.nssm", 0.75, "global")
    graph = load(tmp_path / "b.nssm")
    every = np.sort(np.abs(np.concatenate([FIRST.ravel(), SECOND.ravel()])))
    least = every[-40]  # of 160
    for name, weight in (("first", FIRST), ("second", SECOND)):
        expected = np.where(np.abs(weight) >= least, weight, 0)
        np.testing.assert_array_equal(graph.nodes[name].weight, expected)
    assert sum(one.kept for one in found.layers) == 40 and found.density == 0.25
    assert (found.metric, found.before, found.is_run) == ("", None, False)
    # a small matrix stays as it is
    assert graph.nodes["first"].sparse and not graph.nodes["second"].sparse
    np.testing.assert_array_equal(graph.nodes["first"].bias, np.ones(10))


def test_other_nodes_and_layers_stay(path, tmp_path):
    prune(path, tmp_path / "b.nssm", 0.9, "layer", ["first"])
    graph, before = load(tmp_path / "b.nssm"), network()
    assert np.count_nonzero(graph.nodes["first"].weight) == 12
    assert {n for n in graph.nodes if graph.nodes[n] != before.nodes[n]} == {"first"}
    assert (graph.edges, graph.dt, graph.meta) == (before.edges, before.dt, before.meta)


def test_a_drive_of_complex_states_loses_both_parts_of_a_weight(tmp_path):
    states = ComplexDiagonal(a_re=0.5 * np.ones(5), a_im=0.5 * np.ones(5), gate="relu")
    nodes = {"x": Input(channels=12, out=Fixed(8)), "into": Affine(weight=FIRST, bias=np.ones(10)),
             "states": states, "y": Output(channels=10)}  # fmt: skip
    save(tmp_path / "a.nssm", Graph(nodes, tuple(pairwise(nodes))))
    prune(tmp_path / "a.nssm", tmp_path / "b.nssm", 0.5)
    real, imaginary = np.split(load(tmp_path / "b.nssm").nodes["into"].weight != 0, 2)
    assert np.array_equal(real, imaginary) and np.count_nonzero(real) == 30


def test_a_lightly_pruned_matrix_is_not_sparse(path, tmp_path):
    prune(path, tmp_path / "b.nssm", 0.4, "layer")
    assert not any(getattr(n, "sparse", False) for n in load(tmp_path / "b.nssm").nodes.values())


def test_zeros_stay_zeros_as_integers_and_what_rounds_to_zero_is_counted(path, tmp_path):
    prune(path, tmp_path / "b.nssm", 0.5, "layer")
    graph = load(tmp_path / "b.nssm")
    weight = np.array(graph.nodes["first"].weight)
    place = tuple(np.argwhere(weight != 0)[0])
    weight[place] = 1e-6  # of a unit of 2**-5 or so
    graph = graph.with_nodes({"first": Affine(weight=weight, bias=np.ones(10), sparse=True)})
    made = Quantize(weight_bits=4).explained(graph, ranges(graph))
    integers = made.graph.nodes["first"].weight.values
    assert np.all(integers[weight == 0] == 0) and integers[place] == 0
    lost = [loss for loss in made.losses if loss.node == "first" and "became 0" in loss.reason]
    gone = np.count_nonzero((weight != 0) & (integers == 0))
    assert gone >= 1 and lost[0].count == gone and lost[0].of == np.count_nonzero(weight)
    (weights,) = [c for c in made.choices if (c.node, c.what) == ("first", "weights")]
    kept, all_ = np.count_nonzero(integers), np.count_nonzero(weight)
    assert f"{kept} of {all_} synapses are not 0" in weights.reason
    assert made.graph.nodes["first"].synapses == np.count_nonzero(weight) - gone


def test_an_integer_graph_and_a_layer_that_there_is_not_are_refused(path, tmp_path):
    with pytest.raises(InputError, match=r"layers: expected layers of first, second, got 'third'"):
        prune(path, tmp_path / "b.nssm", 0.5, layers=["third"])
    with pytest.raises(InputError, match="sparsity: expected a share of zeros from 0 to below 1"):
        prune(path, tmp_path / "b.nssm", 1.0)
    save(tmp_path / "i.nssm", Quantize()(network(), ranges(network())))
    with pytest.raises(GraphError, match="prune the float graph, then quantize it"):
        prune(tmp_path / "i.nssm", tmp_path / "b.nssm", 0.5)
    assert not (tmp_path / "b.nssm").exists()


def test_the_command_lists_what_each_layer_keeps(path, tmp_path):
    status, text = command("prune", path, "--sparsity", "0.75", "--scope", "layer",
                           "-o", tmp_path / "b.nssm")  # fmt: skip
    assert status == 0
    rows = [line.split() for line in text.splitlines()]
    assert ["first", "120", "30", "25.0%"] in rows and ["all", "160", "40", "25.0%"] in rows
    assert f"nothing was measured; next: neurossm quantize {tmp_path / 'b.nssm'}" in text
    status, text = command("prune", path, "--sparsity", "0.5", "-o", tmp_path / "c.nssm", "--json")
    found = json.loads(text)
    assert status == 0 and found["density"] == 0.5 and found["layers"][0]["name"] == "first"


def test_the_command_replaces_nothing_but_graphs(path, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    for taken in (tmp_path / "notes.txt", path):
        status, _ = command("prune", path, "--sparsity", "0.5", "-o", taken)
        assert status == 2
    assert (tmp_path / "notes.txt").read_text() == "mine" and load(path) == network()
