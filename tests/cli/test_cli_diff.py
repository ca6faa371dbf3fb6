"""``neurossm diff``: float against integer, per layer and end to end; unlike formats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from spoiled import chain, integers, made

from neurossm.engine import run
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import Threshold
from neurossm.store import load, save
from neurossm_models.data import load as load_data

STEPS, CHANNELS = 64, 1 + 8 + 2 * 7 * 8 + 3 * 10
DATA = ("--data", "digits:test:10")


def test_diff_of_equal_traces(neurossm, files, tmp_path):
    for engine in ("reference", "fast"):
        neurossm("run", files.integer, "--engine", engine, "--data", "digits:test:2",
                 "--trace", tmp_path / engine)  # fmt: skip
    same = neurossm("diff", tmp_path / "reference", tmp_path / "fast", "--json")
    assert same.status == 0
    assert same.document["exact"] and same.document["first"] is None
    assert same.document["tolerance"] == 0 and same.document["over_tolerance"] == []
    assert same.document["values_compared"] == 2 * STEPS * CHANNELS
    assert {node["agreement"] for node in same.document["nodes"]} == {1.0}
    spoken = neurossm("diff", tmp_path / "fast", tmp_path / "fast").out
    assert "no divergence" in spoken and "per-layer" not in spoken


@pytest.fixture(scope="module")
def rounded(neurossm, files):
    return neurossm("diff", files.floating, files.integer, *DATA, "--json")


def test_float_against_integer(neurossm, files, rounded):
    # of ten samples, more than one part is run
    assert rounded.status == 0 and not rounded.document["exact"]
    document = rounded.document
    assert document["mismatches"] > 0 and document["tolerance"] == 0.1
    assert document["values_compared"] == 10 * STEPS * CHANNELS
    nodes = {node["node"]: node for node in document["nodes"]}
    assert list(nodes) == list(load(files.floating).order)
    # thresholds decide exactly as the real numbers do, though what arrives is not the same
    assert nodes["blocks.1.spike"]["per_layer"]["agreement"] == 1
    assert nodes["blocks.1.spike"]["agreement"] < 1
    assert nodes["blocks.0.mix.value"]["saturations_right"] == 0
    assert nodes["blocks.0.mix.value"]["saturations_left"] is None
    # the order in which the graphs are named does not matter
    assert neurossm("diff", files.integer, files.floating, *DATA, "--json").out == rounded.out


def test_what_the_check_says(neurossm, files, rounded):
    found = rounded.document["check"]
    assert found["passed"] and found["findings"] == [] and found["samples"] == 10
    assert found["predictions"] == 10 and 0 <= found["predictions_equal"] <= 10
    assert found["verdict"].startswith("check: 10 samples: largest per-layer error ")
    spoken = neurossm("diff", files.floating, files.integer, *DATA).out
    assert found["verdict"] in spoken and "Saturations: 0." in spoken
    spoken = neurossm("diff", files.floating, files.integer, *DATA, "--details").out
    assert found["verdict"] in spoken
    spike = {node["node"]: node for node in rounded.document["nodes"]}["blocks.0.spike"]
    floating = run(load(files.floating), load_data("digits:test:10").inputs, "float")
    counts = [int(floating.values["blocks.0.spike"].sum())]
    counts.append(int(run(load(files.integer), load_data("digits:test:10").inputs)
                      .values["blocks.0.spike"].sum()))  # fmt: skip
    assert [spike["spikes"]["float"], spike["spikes"]["integer"]] == counts
    assert f"{counts[0]:,} -> {counts[1]:,}" in spoken


def test_the_tolerance_is_held_against_the_per_layer_error(neurossm, files, rounded):
    # what is allowed of graded messages is proportional to the tolerance
    allowed = [
        node["per_layer"]["of_allowed"]
        for node in rounded.document["nodes"]
        if "spike" not in node["node"]
    ]
    just = 0.1 * max(allowed)
    graphs = ("diff", files.floating, files.integer, *DATA)
    assert neurossm(*graphs, "--tolerance", just * 1.001).status == 0
    over = neurossm(*graphs, "--tolerance", just * 0.999, "--json")
    assert over.status == 1 and len(over.document["over_tolerance"]) == 1
    spoken = neurossm(*graphs, "--tolerance", just * 0.999)
    assert f"first over tolerance ({just * 0.999:g})" in spoken.out
    assert over.document["over_tolerance"][0] in spoken.out.splitlines()[-1]
    assert "check FAILED: 10 samples: " in spoken.out


def test_a_spoiled_node_is_named_first_although_errors_travel(neurossm, files, tmp_path):
    graph = load(files.integer)
    node = graph.nodes["blocks.0.mix.value"]
    flipped = Quantized(-node.weight.values, node.weight.frac, node.weight.bits)
    path = tmp_path / "spoiled.nssm"
    save(path, graph.with_nodes({"blocks.0.mix.value": replace(node, weight=flipped)}))
    ended = neurossm("diff", files.floating, path, *DATA)
    assert ended.status == 1
    assert "first over tolerance (0.1): blocks.0.mix.value" in ended.out
    exact = neurossm("diff", files.integer, path, *DATA, "--json")
    assert exact.status == 1 and exact.document["over_tolerance"][0] == "blocks.0.mix.value"
    assert exact.document["first"].startswith("'blocks.0.mix.value'")


def test_integers_of_unlike_formats_are_compared_as_real_numbers(neurossm, files, tmp_path):
    narrow = tmp_path / "narrow.nssm"
    neurossm("quantize", files.floating, "-o", narrow, "--calibrate", "digits:train:16",
             "--messages", 12)  # fmt: skip
    ended = neurossm("diff", files.integer, narrow, *DATA, "--json")
    assert ended.status == 1 and ended.document["exact"]
    nodes = {node["node"]: node for node in ended.document["nodes"]}
    assert nodes["encoder"]["mismatches"] == 0
    assert 0 < nodes["blocks.0.ssm"]["largest"] < 0.05 * nodes["blocks.0.ssm"]["range_left"]
    # with a tolerance they need not be equal
    worst = max(n["largest"] / n["range_left"] for n in nodes.values() if n["range_left"])
    assert neurossm("diff", files.integer, narrow, *DATA, "--tolerance", worst * 1.01).status == 0


def dead_by_small_weights() -> tuple[Graph, Graph]:
    """Units of 4, in which 1, 1.5 and 1.9 are 0: three of four neurons never spike."""
    floating = chain(Fixed(6, 4), [500.0, 1.0, 1.5, 1.9], [1000.0, 3.0, 4.0, 5.0], [0.95] * 4)
    return floating, made(floating, [125, 0, 0, 0], -2, [4000, 12, 16, 20], [3891] * 4)


def membrane_in_the_unit_of_its_weight() -> tuple[Graph, Graph]:
    """A slow leak, tz(tau u, 12), that loses a unit of 1/16 at a step: spikes weigh 16 of them."""
    leak = float(np.exp(-1 / 200))
    direct = chain(Fixed.binary(), [1.0], [2.5], [leak])
    coarse = made(direct, [16], 4, [40], [int(leak * 4096)])
    edges = (("in", "full"), ("full", "linear"), *direct.edges[1:])

    def behind_pixels(graph: Graph, threshold: Threshold) -> Graph:
        inputs = chain(Fixed(6, 4), [1.0], [1.0], [0.5]).nodes["in"]
        return Graph({"in": inputs, "full": threshold, **{
            name: node for name, node in graph.nodes.items() if name != "in"}}, edges)  # fmt: skip

    full = behind_pixels(direct, Threshold(theta=np.array([1.0])))
    return full, behind_pixels(coarse, Threshold(theta=integers([16], 4)))


@pytest.mark.parametrize(
    ("networks", "first"),
    [(dead_by_small_weights, "linear"), (membrane_in_the_unit_of_its_weight, "lif")],
)
def test_networks_that_lost_spikes_fail_with_the_right_node_first(
    neurossm, tmp_path, networks, first
):
    names = tmp_path / "f.nssm", tmp_path / "i.nssm"
    for name, graph in zip(names, networks(), strict=True):
        save(name, graph)
    ended = neurossm("diff", *names, "--data", "digits:test:100")
    assert ended.status == 1
    over = [line for line in ended.out.splitlines() if line.startswith("over the tolerance: ")]
    assert over[0].startswith(f"over the tolerance: {first} channel")
    assert f"first over tolerance (0.1): {first}" in ended.out + ended.err
