"""`check` and `place` from the command line; plans for recipes that have no weights."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from neurossm.hardware import load_hardware
from neurossm.placement import place
from neurossm.report.chip_drawing import cores_svg
from neurossm.store import load
from neurossm_workflows.planning import shape_like

SVG = "{http://www.w3.org/2000/svg}"


def test_check_of_an_integer_graph_ends_with_0(neurossm: Any, files: Any) -> None:
    outcome = neurossm("check", files.integer, "--json")
    assert outcome.status == 0
    found = outcome.document
    assert found["ok"] and found["fits"] and found["chips"] == 1
    assert [node["name"] for node in found["nodes"]] == list(load(files.integer).order)
    assert "FAIL" not in neurossm("check", files.integer).out


def test_check_of_a_float_graph_ends_with_1_and_says_quantize(neurossm: Any, files: Any) -> None:
    outcome = neurossm("check", files.floating)
    assert outcome.status == 1
    line = next(line for line in outcome.out.splitlines() if line.startswith("FAIL encoder "))
    assert "expected an integer node" in line and line.endswith("; quantize the graph first")


def test_check_on_loihi1_ends_with_1_and_names_the_nodes(neurossm: Any, files: Any) -> None:
    outcome = neurossm("check", files.integer, "--hardware", "loihi1", "--json")
    assert outcome.status == 1
    failed = {n["name"]: n["findings"] for n in outcome.document["nodes"] if not n["ok"]}
    assert "no microcode" in failed["blocks.0.ssm"][0]["reason"]
    assert outcome.document["fits"] is None


def test_place_writes_cores_and_a_drawing(neurossm: Any, files: Any, tmp_path: Path) -> None:
    svg = tmp_path / "cores.svg"
    outcome = neurossm(
        "place", files.integer, "--ssm-mapping", "channel", "--svg", svg, "--json",
        "--data", "digits:test:3",
    )  # fmt: skip
    assert outcome.status == 0, outcome.err
    found = outcome.document
    placed = place(load(files.integer), load_hardware("loihi2"), ssm_mapping="channel")
    assert found["cores_in_use"] == len(found["cores"]) == len(placed.cores)
    assert found["neurons"] == sum(p["neurons"] for p in found["populations"])
    assert found["activity"]["basis"] == "3 samples of 64 steps, fast engine"
    time = found["step_time"]
    assert time["low_s"] <= time["high_s"] and time["label"] == "modeled, not measured"
    assert time["binds_low"] in [term["name"] for term in time["terms"]]
    assert check_svg(svg.read_text()) == len(placed.cores)


def check_svg(text: str) -> int:
    """Return how many cores are drawn as in use; it is one file, with title and description."""
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    root = ElementTree.fromstring(text)
    labels = root.attrib["aria-labelledby"].split()
    by_id = {item.attrib["id"]: item for item in root.iter() if "id" in item.attrib}
    assert root.attrib["role"] == "img"
    assert [by_id[label].tag for label in labels] == [f"{SVG}title", f"{SVG}desc"]
    assert "prefers-color-scheme:dark" in text
    return sum(item.attrib.get("class") == "load" for item in root.iter(f"{SVG}rect"))


def test_a_system_of_many_chips_is_drawn_as_one_square_a_chip() -> None:
    chip = load_hardware("loihi2")
    one = replace(chip.limits.cores, low=1, high=1)
    few = replace(chip, limits=replace(chip.limits, cores=one))
    shape, _ = shape_like("binary-s4d-digits", ["model.layers=8"])
    placed = place(shape, few)
    assert placed.chips > 24
    assert check_svg(cores_svg(placed, few)) == placed.chips


def test_place_like_plans_a_language_model_within_the_largest_system(neurossm: Any) -> None:
    outcome = neurossm(
        "place",
        "--like",
        "spikingssm-wikitext103",
        "--set",
        "model.layers=1",
        "--set",
        "model.vocabulary=30000",
        "--set",
        "model.cutoffs=[]",
        "--set",
        "model.embedding_dropout=0",
        "--set",
        "model.softmax_dropout=0",
        "--json",
    )
    assert outcome.status == 0, outcome.err
    found = outcome.document
    assert found["not_in_the_plan"] and found["chips"] <= 1152
    # 267,735 outputs of 1024 axons: each axon takes a word itself and one a part of 3.1 synapses,
    # so at most 14 words of synapses an axon fit beside it, which is 43 outputs a core
    decoder = next(p for p in found["populations"] if p["name"] == "decoder")
    assert decoder["cores"] in (6227, 6228)
    assert all(core["neuron_words"] <= 4095 for core in found["cores"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "place: expected a file, or --like RECIPE, got neither"),
        (["FILE", "--like", "gsu-digits"], "place: expected a file, or --like RECIPE, got both"),
        (["FILE", "--set", "model.width=4"], "--set requires --like RECIPE"),
        (["--like", "gsu-digits", "--data", "digits:test:2"], "--data: expected a file"),
        (["--like", "gsu-digit"], "did you mean 'gsu-digits'?"),
        (["FILE", "--chips", "0"], "chips: expected a whole number of at least 1, got 0"),
        (["FILE", "--ssm-mapping", "neuron"], "neurossm: --ssm-mapping: expected state | channel"),
        (["FILE", "--hardware", "loihi3"], "did you mean"),
        (["FILE", "--svg", "/nowhere/x.svg"], "--svg /nowhere/x.svg: expected a file that can be"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value) or "nothing",
)
def test_wrong_use_is_one_clear_line(
    neurossm: Any, files: Any, arguments: list[str], message: str
) -> None:
    given = [str(files.integer) if item == "FILE" else item for item in arguments]
    outcome = neurossm("place", *given)
    assert outcome.status == 2
    assert message in outcome.err and len(outcome.err.strip().splitlines()) == 1
