"""The commands that run Lava: on a tiny graph, and the whole demo with a tiny network on MNIST."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hostile.examples import golden_of, integer_graph

from neurossm.fixed import Quantized
from neurossm.store import save

pytestmark = pytest.mark.lava


def test_verify_on_lava(neurossm, tmp_path):
    graph = integer_graph()
    vectors = golden_of(graph, steps=6, count=1)
    save(tmp_path / "g.nssm", graph, vectors)
    ended = neurossm("verify", tmp_path / "g.nssm", "--engine", "lava", "--json")
    assert ended.status == 0
    # 2 + 3 + 3 + 3 + 3 channels over 6 steps, and 3 channels of 2 complex states
    assert ended.document == {
        "engine": "lava", "nodes": 5, "vectors": 1, "values_compared": 6 * 14 + 12,
        "mismatches": 0, "first": None,
    }  # fmt: skip

    theta = graph.nodes["fire"].theta
    moved = Quantized(theta.values + 10**6, theta.frac, theta.bits)
    other = graph.with_nodes({"fire": replace(graph.nodes["fire"], theta=moved)})
    assert vectors[0].values["fire"].any()  # so a threshold out of reach must show
    save(tmp_path / "other.nssm", other, vectors)
    spoiled = neurossm("verify", tmp_path / "other.nssm", "--engine", "lava", "--json")
    assert spoiled.status == 1 and "'fire'" in spoiled.document["first"]


def test_run_on_lava_with_a_bar_on_a_terminal(neurossm, files, monkeypatch):
    expected = neurossm("run", files.integer, "--data", "digits:test:5", "--json").document
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal, for Rich
    ended = neurossm("run", files.integer, "--engine", "lava:batch=2", "--data", "digits:test:5",
                     "--json")  # fmt: skip
    assert ended.status == 0, ended.err
    bars = [int(done) for done in re.findall(r"(\d)/5", ended.err)]
    assert "lava engine" in ended.err and bars[-1] == 5 and bars == sorted(bars)
    document = ended.document
    for key in ("accuracy", "counts", "saturations", "samples", "steps"):
        assert document[key] == expected[key], key
    assert document["startup_seconds"] > 0 == expected["startup_seconds"]
    assert document["engine"] == "lava:batch=2"
    assert document["notes"]["ran on"] == "Lava's CPU simulator"


def test_the_demo_goes_the_whole_way(neurossm, tmp_path):
    sets = ("--set=train.epochs=1", "--set=train.batch=16", "--set=data.limit=96",
            "--set=data.valid=48", "--set=model.width=4", "--set=model.state=4")  # fmt: skip
    run, out = tmp_path / "run", tmp_path / "demo"
    assert neurossm("train", "binary-s4d-smnist", *sets, "--out", run).status == 0
    ended = neurossm("demo", "--checkpoint", run, "--samples", 8, "--lava-samples", 2,
                     "--out", out, "--json")  # fmt: skip
    assert ended.status == 0, ended.err
    document = ended.document
    for key in ("accuracy", "accuracy_float", "agreement"):
        assert document[key] * 8 == int(document[key] * 8), key
    # reference against fast and against Lava on 2 images, against Lava's default mode on 1
    channels = 1 + 4 + 2 * 7 * 4 + 3 * 10
    assert document["values_compared"] == (2 + 2 + 1) * 784 * channels
    assert (document["samples"], document["mismatches"]) == (8, 0)
    nodes = document["multiplications"]["synapses"]["nodes"]
    assert nodes["blocks.0.mix.value"] == 0 < nodes["encoder"]
    # 8 products a complex state (state 4 keeps 2 of 4 channels) and one of D, each of two layers
    assert document["multiplications"]["recurrence"]["total"] == 8 * 784 * 2 * 4 * (8 * 2 + 1)
    assert document["recorded"]["differing"] == []
    assert document["steps_per_second_fast"] > 0 and document["steps_per_second_lava"] > 0
    assert 0 < document["energy"]["low_j"] < document["energy"]["high_j"]
    assert document["report"] == str(out / "report.html")
    assert "modeled" in (out / "report.html").read_text()
    assert neurossm("verify", out / "model.int.nssm").status == 0
