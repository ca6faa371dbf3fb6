"""``neurossm quantize``: widths and ranges as they are typed, and the report of what was chosen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Input, Output
from neurossm.store import load, save
from neurossm_cli.presentation.quantization import pole_width, range_rules

CALIBRATE = ("--calibrate", "digits:train:16")


def test_poles_by_profile_or_width():
    assert [pole_width(text) for text in ("q15", "q12", "8", "16")] == [16, 12, 8, 16]
    for text in ("q8", "", "-3", "1e1", "12.0", "²"):
        with pytest.raises(InputError, match=r"--poles: expected q15 \| q12 \| a number of bits"):
            pole_width(text)


def test_ranges_of_single_nodes():
    assert range_rules(["a=bound", "b=c=observed"]) == (("a", "bound"), ("b=c", "observed"))
    for text in ("bound", "=bound"):
        with pytest.raises(InputError, match=r"--range: expected NODE=RULE"):
            range_rules([text])


def test_every_width_reaches_the_graph(neurossm, files, tmp_path):
    target = tmp_path / "q.nssm"
    made = neurossm("quantize", files.floating, "-o", target, *CALIBRATE, "--poles", "q12",
                    "--weights", 6, "--state", 20, "--messages", 14, "--json")  # fmt: skip
    assert made.status == 0
    node = load(target).nodes["blocks.0.ssm"]
    assert (node.a_re.bits, node.c_re.bits, node.drive_re.bits) == (12, 6, 20)
    assert node.out.bits <= 14 and load(target).nodes["blocks.0.mix.value"].weight.bits == 6
    assert made.document["settings"]["pole_bits"] == 12


def test_the_report_says_what_the_file_holds(neurossm, files, tmp_path, monkeypatch):
    target, report = tmp_path / "q.nssm", tmp_path / "report.json"
    made = neurossm("quantize", files.floating, "-o", target, *CALIBRATE, "--report", report,
                    "--json")  # fmt: skip
    document = made.document
    assert json.loads(report.read_text()) == document
    graph = load(target)
    assert graph == load(files.integer), "the report changes the graph"
    messages = {c["node"]: c["format"] for c in document["choices"] if c["what"] == "messages"}
    assert messages == document["formats"] == {n: str(x.out) for n, x in graph.nodes.items()}
    assert [p["node"] for p in document["poles"]] == ["blocks.0.ssm", "blocks.1.ssm"]
    assert set(document["saturations"]) == set(graph.nodes)
    rooms = {room["node"] for room in document["headroom"]}
    assert {"blocks.0.ssm", "blocks.0.mix.value", "readout"} <= rooms
    monkeypatch.setenv("COLUMNS", "400")  # no head of a column folds
    spoken = neurossm("quantize", files.floating, "-o", target, *CALIBRATE, "--details").out
    for said in (
        "Number formats and activation ranges",
        "moved inward",
        "Headroom",
        "proven for 64 steps",
        "observed",
        "its range in 16 bits",
        "not proven; 0 values clipped in 16 samples",
    ):
        assert said in spoken, said


def test_ranges_are_chosen_node_by_node_and_shown(neurossm, files, tmp_path):
    target = tmp_path / "q.nssm"
    made = neurossm("quantize", files.floating, "-o", target, *CALIBRATE, "--ranges", "percentile",
                    "--percentile", 99, "--range", "blocks.*.mix.sigmoid=bound",
                    "--range", "blocks.1.add=observed", "--json")  # fmt: skip
    assert made.status == 0 and made.document["percentile"] == 99
    rules = {c["node"]: c["rule"] for c in made.document["choices"] if c["what"] == "messages"}
    assert rules["blocks.0.add"] == "percentile" and rules["blocks.1.add"] == "observed"
    assert rules["blocks.0.mix.sigmoid"] == rules["blocks.1.mix.sigmoid"] == "bound"
    held = {c["node"]: (c["held"], c["seen"], c["bound"]) for c in made.document["choices"]
            if c["what"] == "messages"}  # fmt: skip
    value, seen, _ = held["blocks.0.add"]
    assert value < 2 * seen, "a percentile of 99 is not the largest"
    assert held["blocks.1.add"][0] == 2 * held["blocks.1.add"][1]
    assert held["blocks.0.mix.sigmoid"][0] == held["blocks.0.mix.sigmoid"][2]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--ranges", "largest"), "neurossm: --ranges: expected observed | percentile | bound"),
        (("--range", "blocks.9.ssm=bound"), "got 'blocks.9.ssm'"),
        (("--range", "encoder"), "--range: expected NODE=RULE"),
        (("--ranges", "percentile", "--percentile", "50"), "percentile: expected 99 to 100"),
        (("--poles", "q9"), "--poles: expected q15 | q12"),
        (("--state", "7"), "--state: expected 8 to 24, got 7"),
        (("--headroom", "9"), "headroom: expected 0 to 8, got 9"),
        (("--report", "{tmp}/no/r.json"), "expected a file that can be written, got no folder"),
    ],
)
def test_what_is_refused(neurossm, files, tmp_path, options, said):
    ended = neurossm("quantize", files.floating, "-o", tmp_path / "q", "--calibrate",
                     "digits:train:2", *(p.format(tmp=tmp_path) for p in options))  # fmt: skip
    assert ended.status == 2 and said in ended.err and ended.err.count("\n") == 1


def test_what_the_formats_cannot_hold_is_said_with_the_option_that_would(neurossm, tmp_path):
    ones, graph = np.ones(10), tmp_path / "slow.nssm"
    weight, theta, tau = np.full((10, 1), 0.5), 0.9 * ones, 0.9 * ones
    weight[2], theta[1], tau[0] = 1e-4, 1e30, 1 - 1e-4
    nodes = {
        "in": Input(channels=1, out=Fixed(9, 8)),
        "fc": Affine(weight=weight, bias=0 * ones),
        "lif": LIF(theta=theta, tau=tau, rho=0 * ones, kappa=0 * ones, reset="soft"),
        "out": Output(channels=10),
        "sums": Output(channels=10),  # reads rows in one unit
    }  # fmt: skip
    edges = (("in", "fc"), ("fc", "lif"), ("lif", "out"), ("fc", "sums"))
    save(graph, Graph(nodes, edges))
    command = ("quantize", graph, "-o", tmp_path / "i.nssm", *CALIBRATE)
    made = neurossm(*command, "--leaks", 12, "--json")
    lost = {loss["what"]: loss for loss in made.document["losses"]}
    assert set(lost) == {"weights", "tau", "threshold"}
    assert lost["weights"]["reason"] == "1 of 10 became 0, all of row 2"
    assert lost["tau"]["setting"] == "leak_bits" and lost["tau"]["bits"] == 20
    assert lost["threshold"]["channels"] == [1, 2]  # 1e-4 in a step, 1e-3 with its leak, below 0.9
    assert made.document["settings"]["leak_bits"] == 12
    theta = next(row for row in made.document["choices"] if row["what"] == "theta")
    assert theta["error"] < 1e-3  # of those that inputs reach; 1e30 is not rounded but out of reach
    summary = neurossm(*command, "--leaks", 12).out
    assert "What the formats could not represent, in 2 nodes (the worst of each)" in summary
    row = next(line for line in summary.splitlines() if line.startswith("lif "))
    assert "tau" in row and "20 (--leaks)" in summary  # the row that an option would keep is first
    spoken = neurossm(*command, "--leaks", 12, "--details").out
    assert "What the formats could not represent" in spoken and "20 (--leaks)" in spoken
    # the remedy works, and leaks are said in time constants
    wide = neurossm(*command, "--leaks", lost["tau"]["bits"])
    assert "20 (--leaks)" not in wide.out
    assert load(tmp_path / "i.nssm").nodes["lif"].tau.frac == 20
    wrong = neurossm(*command, "--leaks", 21)
    assert wrong.status == 2 and "--leaks: expected 12 to 20, got 21" in wrong.err
