"""The whole path, train to profile, command by command: what each prints and writes."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields

import h5py
import numpy as np
import pytest

from neurossm.engine import run
from neurossm.store import load, load_trace
from neurossm.trace import Counts
from neurossm_models.data import load as load_data

WIDTH, MODES, STEPS, CLASSES = 8, 4, 64, 10
GLU_NODES = 19  # input, encoder, 2 blocks of 7, decoder, readout, output
CHANNELS = 1 + WIDTH + 2 * 7 * WIDTH + 3 * CLASSES
NOT_IN_NIR = [f"blocks.{i}.mix.{part}" for i in (0, 1) for part in ("sigmoid", "product")]


def test_train_says_what_it_reached_and_resumes_only_what_is_there(neurossm, files, tmp_path):
    sets = ("--set=train.epochs=1", "--set=data.limit=40", "--set=data.valid=8",
            "--set=model.width=4", "--set=model.state=2")  # fmt: skip
    trained = neurossm("train", "binary-s4d-digits", *sets, "--out", tmp_path / "r", "--json")
    assert trained.status == 0
    document = trained.document
    assert document["run"] == str(tmp_path / "r")
    assert (document["finished"], document["epoch"], document["step"]) == (True, 1, 1)
    assert document["valid_accuracy"] * 8 == pytest.approx(
        round(document["valid_accuracy"] * 8)
    )  # 8 images are held out
    assert "epoch 1/1" in trained.err
    again = neurossm("train", "binary-s4d-digits", *sets, "--out", tmp_path / "r")
    assert again.status == 2 and "--resume" in again.err
    resumed = neurossm(
        "train", "binary-s4d-digits", *sets, "--out", tmp_path / "r", "--resume", "--json"
    )
    assert resumed.status == 0 and resumed.document["step"] == 1


def test_export_writes_the_graph_and_says_what_nir_lacks(neurossm, files, tmp_path):
    target = tmp_path / "m.nssm"
    exported = neurossm("export", files.run, "-o", target, "--json")
    assert exported.status == 0
    assert exported.document["nodes"] == GLU_NODES and exported.document["nir"] is False
    reasons = exported.document["nir_reasons"]
    assert [reason.split("'")[1] for reason in reasons] == NOT_IN_NIR
    assert load(target) == load(files.floating)
    spoken = neurossm("export", files.run, "-o", target)
    assert "NIR: not written" in spoken.out and NOT_IN_NIR[0] in spoken.out


def test_export_strict_refuses_glu_by_name_and_writes_nothing(neurossm, files, tmp_path):
    target = tmp_path / "m.nssm"
    refused = neurossm("export", files.run, "-o", target, "--nir", "strict")
    assert refused.status == 1
    assert refused.err.count("\n") == 1
    assert all(repr(name) in refused.err for name in NOT_IN_NIR)
    assert not target.exists()


def test_export_strict_writes_nir_that_the_nir_package_reads(neurossm, files, tmp_path):
    import nir

    target = tmp_path / "linear.nssm"
    exported = neurossm("export", files.linear_run, "-o", target, "--nir", "strict", "--json")
    assert exported.status == 0 and exported.document["nir"] is True
    graph = nir.read(target)
    weight = load(target).nodes["encoder"].weight
    assert np.array_equal(graph.nodes["encoder"].weight, weight)
    without = neurossm("export", files.linear_run, "-o", target, "--nir", "off", "--json")
    assert without.document["nir"] is False and without.document["nir_reasons"] == []


def test_export_with_proposed_nodes_writes_what_only_import_proposed_reads(
    neurossm, files, tmp_path
):
    import nir

    target, alone = tmp_path / "linear.nssm", tmp_path / "alone.nir"
    exported = neurossm("export", files.linear_run, "-o", target, "--nir", "proposed")
    assert exported.status == 0
    assert "NIR: written to /node with proposed nodes, which the nir library" in exported.out
    with pytest.raises(AssertionError):
        nir.read(target)
    graph = load(target)
    shutil.copy(target, alone)
    with h5py.File(alone, "r+") as file:
        del file["neurossm"]
    refused = neurossm("import", alone, "-o", tmp_path / "back.nssm")
    assert refused.status == 2 and "got StateSpace; import it with --proposed" in refused.err
    back = neurossm("import", alone, "-o", tmp_path / "back.nssm", "--proposed")
    assert back.status == 0 and dict(load(tmp_path / "back.nssm").nodes) == dict(graph.nodes)


def test_export_with_proposed_nodes_refuses_a_product_by_name(neurossm, files, tmp_path):
    refused = neurossm("export", files.run, "-o", tmp_path / "m.nssm", "--nir", "proposed")
    assert refused.status == 1 and not (tmp_path / "m.nssm").exists()
    assert "export --nir proposed: expected a graph that NIR can express, proposed nodes" in (
        refused.err
    )
    assert all(repr(name) in refused.err for name in NOT_IN_NIR)


def test_quantize_makes_every_node_an_integer_node(neurossm, files, tmp_path):
    target = tmp_path / "q.nssm"
    quantized = neurossm("quantize", files.floating, "-o", target, "--calibrate",
                         "digits:train:16", "--json")  # fmt: skip
    assert quantized.status == 0
    document = quantized.document
    assert document["calibration_samples"] == 16 and document["golden_vectors"] == 3
    graph = load(target)
    assert graph.is_integer and graph == load(files.integer)
    assert document["formats"] == {name: str(node.out) for name, node in graph.nodes.items()}
    narrow = neurossm("quantize", files.floating, "-o", target, "--calibrate", "digits:train:16",
                      "--poles", 12)  # fmt: skip
    assert narrow.status == 0
    assert load(target).nodes["blocks.0.ssm"].a_re.bits == 12


@pytest.mark.parametrize("engine", ["reference", "fast", "float"])
def test_run_reports_the_accuracy_of_the_trace_that_it_writes(neurossm, files, tmp_path, engine):
    trace = tmp_path / "t.h5"
    ran = neurossm("run", files.integer, "--engine", engine, "--data", "digits:test:9",
                   "--trace", trace, "--json")  # fmt: skip
    assert ran.status == 0
    document = ran.document
    assert (document["engine"], document["samples"], document["steps"]) == (engine, 9, STEPS)
    assert document["steps_per_second"] == pytest.approx(9 * STEPS / document["seconds"])
    read, data = load_trace(trace), load_data("digits:test:9")
    assert set(read.values) == set(load(files.integer).nodes)
    predicted = read.values["output"][:, -1].argmax(axis=1)
    assert document["accuracy"] == (predicted == data.labels).mean()


def test_run_tells_people_the_same_as_machines(neurossm, files):
    ran = neurossm("run", files.integer, "--data", "digits:test:4")
    assert ran.status == 0 and ran.out.startswith("fast: accuracy ")
    assert "on 4 samples" in ran.out and ran.err == ""


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_verify_replays_every_value_and_state(neurossm, files, engine):
    verified = neurossm("verify", files.integer, "--engine", engine, "--json")
    assert verified.status == 0
    states = 2 * 2 * WIDTH * MODES + CLASSES  # two layers of complex states, the readout
    expected = 3 * (STEPS * CHANNELS + states)
    assert verified.document == {
        "engine": engine, "nodes": GLU_NODES, "vectors": 3, "values_compared": expected,
        "mismatches": 0, "first": None,
    }  # fmt: skip
    assert "0 mismatches" in neurossm("verify", files.integer, "--engine", engine).out


def test_profile_counts_what_the_reference_counts(neurossm, files, tmp_path):
    page = tmp_path / "r.html"
    profiled = neurossm("profile", files.integer, "--data", "digits:test:5", "--hardware",
                        "loihi2", "--html", page, "--json")  # fmt: skip
    assert profiled.status == 0
    document, graph = profiled.document, load(files.integer)
    counts = document["counts"]
    assert set(counts) == {*graph.nodes, "total"}
    reference = run(graph, load_data("digits:test:5").inputs, "reference", "outputs")
    for name, count in reference.counts.items():
        assert counts[name] == vars(count), name
    for field in fields(Counts):
        assert counts["total"][field.name] == sum(counts[n][field.name] for n in graph.nodes)
    energy = document["energy"]
    assert 0 < energy["low_j"] < energy["high_j"]
    assert energy["by_constant_set"] and energy["breakdown"]
    text = page.read_text()
    assert text.startswith("<!DOCTYPE html>") and "blocks.1.ssm" in text
    assert "modeled" in neurossm("profile", files.integer, "--data", "digits:test:1").out


def test_show_lists_and_draws(neurossm, files, tmp_path):
    drawing = tmp_path / "g.svg"
    shown = neurossm("show", files.integer, "--svg", drawing, "--json")
    assert shown.status == 0
    document = shown.document
    assert document["integer"] is True and len(document["nodes"]) == GLU_NODES
    assert document["states"] == 2 * 2 * WIDTH * MODES + CLASSES
    assert document["meta"]["steps"] == STEPS and document["meta"]["data"] == "digits"
    assert drawing.read_text().lstrip().startswith("<svg")
    people = neurossm("show", files.floating)
    assert people.status == 0 and "float graph" in people.out
    assert "sigmoid by 8 segments, largest error" in people.out


def test_data_list_and_doctor(neurossm):
    listed = neurossm("data", "list", "--json")
    assert {"digits", "mnist", "psmnist"} <= {e["name"] for e in listed.document["data"]}
    doctor = neurossm("doctor", "--json")
    assert doctor.status == 0 and doctor.document["ok"] is True
    names = {check["name"] for check in doctor.document["checks"]}
    assert {"python", "numpy", "torch", "nir", "lava-nc", "lava-loihi", "data: mnist"} <= names
    for check in doctor.document["checks"]:
        assert check["ok"] or check["remedy"], check["name"]
    assert "lava-loihi" in neurossm("doctor").out


def test_data_fetch_leaves_a_complete_copy_alone(neurossm):
    # `make test` has fetched MNIST before: no network is needed
    fetched = neurossm("data", "fetch", "mnist", "--json")
    assert fetched.status == 0 and fetched.document["name"] == "mnist"
    assert fetched.err == ""


@pytest.mark.parametrize(
    "command",
    [
        ("run", "{integer}", "--data", "digits:test:2"), ("verify", "{integer}"),
        ("profile", "{integer}", "--data", "digits:test:2"), ("show", "{floating}"),
        ("diff", "{floating}", "{integer}", "--data", "digits:test:2"), ("doctor",),
        ("data", "list"),
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_json_is_one_document_and_nothing_else(neurossm, files, command):
    ended = neurossm(*(part.format(**vars(files)) for part in command), "--json")
    assert ended.status == 0
    document, end = json.JSONDecoder().raw_decode(ended.out)
    assert isinstance(document, dict) and ended.out[end:] == "\n"
