"""Altered files are refused (2); a graph that computes other integers fails its check (1)."""

from __future__ import annotations

import shutil
from dataclasses import replace

import h5py
import numpy as np
import pytest

from neurossm.fixed import Quantized
from neurossm.store import Golden, load, load_golden, load_trace, save, save_trace
from neurossm_models.data import load as load_data

DATA = ("--data", "digits:test:2")


def with_one_more(parameter: Quantized) -> Quantized:
    """Return a parameter with its first value changed by one."""
    values = parameter.values.copy()
    values.flat[0] += 1 if values.flat[0] < 0 else -1
    return Quantized(values, parameter.frac, parameter.bits)


@pytest.fixture(scope="module")
def spoiled(files, tmp_path_factory):
    """A whole file whose second layer computes other integers than its golden vectors say."""
    graph = load(files.integer)
    vectors = load_golden(files.integer, graph)
    node = graph.nodes["blocks.1.mix.value"]
    other = graph.with_nodes({"blocks.1.mix.value": replace(node, bias=with_one_more(node.bias))})
    path = tmp_path_factory.mktemp("spoiled") / "spoiled.nssm"
    save(path, other, vectors)
    return path


@pytest.mark.parametrize(
    "dataset",
    [
        "graph/nodes/encoder/weight/values", "graph/nodes/blocks.0.ssm/a_re/values",
        "golden/0/values/blocks.0.spike", "golden/1/inputs/input", "golden/2/states/readout.sum",
    ],
)  # fmt: skip
def test_a_tampered_file_is_refused(neurossm, files, tmp_path, dataset):
    copy = tmp_path / "tampered.nssm"
    shutil.copy(files.integer, copy)
    with h5py.File(copy, "r+") as file:
        array = file["neurossm"][dataset]
        values = array[...]
        values.flat[0] = 1 if values.flat[0] == 0 else 0
        array[...] = values
    for command in (("verify", copy), ("run", copy, *DATA), ("show", copy)):
        ended = neurossm(*command)
        assert ended.status == 2
        assert "the file was altered or damaged" in ended.err and ended.err.count("\n") == 1


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_verify_of_a_spoiled_graph_names_the_first_node(neurossm, spoiled, engine):
    ended = neurossm("verify", spoiled, "--engine", engine, "--json")
    assert ended.status == 1
    assert ended.document["mismatches"] > 0
    # a bias is added at every step, so the first step is wrong already
    assert ended.document["first"].startswith("vector 0, 'blocks.1.mix.value', step 0, channel 0: ")
    spoken = neurossm("verify", spoiled, "--engine", engine)
    assert spoken.status == 1 and "first mismatch" in spoken.out
    assert "'blocks.1.mix.value'" in spoken.out


def test_verify_finds_a_wrong_final_state_where_every_message_is_right(neurossm, files, tmp_path):
    graph = load(files.integer)
    vector = load_golden(files.integer, graph)[0]
    states = {name: array.copy() for name, array in vector.states.items()}
    states["blocks.1.ssm.im"][0, 0] += 1
    path = tmp_path / "state.nssm"
    save(path, graph, (Golden(vector.inputs, vector.values, states),))
    ended = neurossm("verify", path, "--json")
    assert ended.status == 1
    assert ended.document["mismatches"] == 1
    assert ended.document["first"] == "vector 0, state 'blocks.1.ssm.im' after the last step"


def test_verify_refuses_a_state_that_the_graph_does_not_have(neurossm, files, tmp_path):
    graph = load(files.integer)
    vector = load_golden(files.integer, graph)[0]
    states = dict(vector.states)
    states["readout.total"] = states.pop("readout.sum")  # as many numbers, under another name
    path = tmp_path / "state.nssm"
    save(path, graph, (Golden(vector.inputs, vector.values, states),))
    ended = neurossm("verify", path)
    assert ended.status == 2 and "golden vector 0 states" in ended.err


def test_diff_of_a_spoiled_graph_and_of_its_trace_names_the_first_node(
    neurossm, files, spoiled, tmp_path
):
    graphs = neurossm("diff", files.integer, spoiled, *DATA, "--json")
    assert graphs.status == 1 and graphs.document["exact"]
    first = "'blocks.1.mix.value', sample 0, step 0, channel 0"
    assert graphs.document["first"].startswith(first)
    for name, path in (("right", files.integer), ("wrong", spoiled)):
        assert neurossm("run", path, *DATA, "--trace", tmp_path / name).status == 0
    traces = neurossm("diff", tmp_path / "right", tmp_path / "wrong", "--json")
    assert traces.status == 1
    assert traces.document["first"] == graphs.document["first"]
    equal = [row["node"] for row in traces.document["nodes"] if row["mismatches"] == 0]
    order = list(load(files.integer).order)
    assert set(order[: order.index("blocks.1.mix.value")]) <= set(equal)
    assert "first divergence: 'blocks.1.mix.value'" in neurossm(
        "diff", tmp_path / "right", tmp_path / "wrong"
    ).out  # fmt: skip


def test_diff_of_one_wrong_value_says_where_it_is(neurossm, files, tmp_path):
    neurossm("run", files.integer, *DATA, "--trace", tmp_path / "t")
    trace = load_trace(tmp_path / "t")
    values = {name: array.copy() for name, array in trace.values.items()}
    values["decoder"][1, 40, 7] += 3
    save_trace(tmp_path / "u", replace(trace, values=values))
    ended = neurossm("diff", tmp_path / "t", tmp_path / "u", "--json")
    assert ended.status == 1 and ended.document["mismatches"] == 1
    right = trace.values["decoder"][1, 40, 7]
    assert ended.document["first"] == (
        f"'decoder', sample 1, step 40, channel 7: {right:g} against {right + 3:g}"
    )


def test_diff_refuses_what_cannot_be_compared(neurossm, files, tmp_path):
    for engine in ("fast", "float"):
        neurossm("run", files.integer, "--engine", engine, *DATA, "--trace", tmp_path / engine)
    mixed = neurossm("diff", tmp_path / "fast", tmp_path / "float")
    assert mixed.status == 2 and "expected two integer or two float traces" in mixed.err
    unlike = neurossm("diff", tmp_path / "fast", files.integer)
    assert unlike.status == 2 and "got a trace and a graph" in unlike.err
    spare = neurossm("diff", tmp_path / "fast", tmp_path / "fast", *DATA)
    assert spare.status == 2 and "expected nothing, for two traces" in spare.err
    neurossm("run", files.integer, "--data", "digits:test:3", "--trace", tmp_path / "three")
    lengths = neurossm("diff", tmp_path / "fast", tmp_path / "three")
    assert lengths.status == 2 and "expected shape (2, 64, 1), got (3, 64, 1)" in lengths.err


def test_a_graph_beyond_the_contract_is_refused_by_node(neurossm, files, tmp_path):
    graph = load(files.integer)
    node = graph.nodes["blocks.0.mix.value"]
    wrong = replace(node, weight=replace(node.weight, frac=node.weight.frac + 1))
    path = tmp_path / "beyond.nssm"
    save(path, graph.with_nodes({"blocks.0.mix.value": wrong}))
    ended = neurossm("run", path, *DATA)
    assert ended.status == 2
    assert "node 'blocks.0.mix.value': expected output exponent" in ended.err


def test_accuracy_is_one_where_the_labels_are_the_answers(neurossm, files, tmp_path, monkeypatch):
    """The accuracy follows the labels, not the engine's opinion of itself."""
    data = load_data("digits:test:6")
    neurossm("run", files.integer, "--data", "digits:test:6", "--trace", tmp_path / "t")
    answers = load_trace(tmp_path / "t").values["output"][:, -1].argmax(axis=1)
    told = replace(data, labels=answers.astype(np.int64))
    monkeypatch.setattr("neurossm_models.data.load", lambda spec, root: told)
    ended = neurossm("run", files.integer, "--data", "digits:test:6", "--json")
    assert ended.document["accuracy"] == 1.0
