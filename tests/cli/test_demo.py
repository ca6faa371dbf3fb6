"""What `demo` prints: few lines that a newcomer takes in, each of them true."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from neurossm.store import load
from neurossm_cli.presentation.console import Console
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.demonstration import print_demo
from neurossm_models.data import load as load_data
from neurossm_workflows import parity as parities
from neurossm_workflows.parity import Parity
from neurossm_workflows.profile import profile


@pytest.fixture(scope="module")
def shown(neurossm, tmp_path_factory):
    """A short demo without Lava, as people read it, and the folder."""
    out = tmp_path_factory.mktemp("demo")
    ended = neurossm("demo", "--samples", 3, "--lava-samples", 0, "--out", out)
    assert ended.status == 0, ended.err
    return ended.out, out


def test_results_are_at_most_15_lines_of_80_columns(shown, neurossm):
    out, folder = shown
    lines = out.splitlines()
    assert len(lines) <= 15 and all(line.strip() for line in lines)
    wide = [line for line in lines if len(line) > 80]
    assert all(str(folder) in line for line in wide)  # the path of this test is a long one
    said = re.search(r"^accuracy +float (\S+)%, integer (\S+)%; 100.00% equal predictions$", out,
                     re.M)  # fmt: skip
    run = ("run", "--data", "mnist:test:3", "--json")
    for shown_there, file, engine in zip(
        said.groups(), ("model.nssm", "model.int.nssm"), ("float", "fast"), strict=True
    ):
        ran = neurossm(*run, folder / file, "--engine", engine).document
        assert shown_there == f"{100 * ran['accuracy']:.2f}"
    channels = sum(node.out_channels for node in load(folder / "model.int.nssm").nodes.values())
    assert f"bit-exact    {3 * 784 * channels:,} values on 3 images: reference = fast\n" in out
    assert re.search(r"^spike rates  \S+% to \S+% per neuron per time step; \d+ satur", out, re.M)
    assert "per inference (modeled, not measured)\n" in out
    assert re.search(r"^ {13}Intel Loihi 2: static \S+ to \S+ \wJ, dynamic ", out, re.M)
    assert "(Lava left out)" in out and "reference and fast engine on 3 images" in (
        folder / "report.html"
    ).read_text(encoding="utf-8")
    assert f"report       {folder / 'report.html'}\n" in out
    assert "Operations per inference" not in out  # the tables are for who asks


def test_what_to_do_next_is_three_commands_that_exist(shown, neurossm):
    out, _ = shown
    told = [line.split()[1:] for line in out.splitlines() if line.startswith("  neurossm ")]
    assert len(told) == 3
    for words in told:
        names = [word for word in words if not word.startswith("-")]
        at = 2 if names[0] == "data" else 1
        helped = neurossm(*names[:at], "--help")
        assert helped.status == 0
        for option in (word for word in words if word.startswith("-")):
            assert re.search(rf"(^| ){option}[ ,]", helped.out, re.M), option


def test_a_mismatch_is_said_loudly_and_lava_by_its_two_speeds(files, capsys):
    found = profile(files.integer, "digits:test:2")
    three = (Path("a"), Path("b"), Path("c"))
    same = Parity(1234, 0, "", 180.0, 8081.0)
    print_demo(Console(False), "x", found, same, 1, three)
    out = capsys.readouterr().out
    assert "bit-exact    1,234 values on 1 image: reference = fast = Lava\n" in out
    assert "; Lava 8,081, as deployed 180\n" in out
    print_demo(Console(False), "x", found, replace(same, mismatches=3, first="node 'e'"), 2, three)
    assert "NO: 3 of 1,234 values differ; first: node 'e'" in capsys.readouterr().out
    without = replace(found, energy=None, energy_problem="it does not fit")
    print_demo(Console(False), "x", without, same, 2, three)
    assert "energy       not estimated: it does not fit\n" in capsys.readouterr().out


def test_without_lava_the_fast_engine_is_still_held_against_the_reference(files, monkeypatch):
    graph, data = load(files.integer), load_data("digits:test:2")
    found = parities.check_parity(graph, data, lava=False)
    channels = sum(node.out_channels for node in graph.nodes.values())
    assert found == Parity(2 * 64 * channels, 0, "")
    right = parities.run

    def wrong(graph, inputs, engine):
        trace = right(graph, inputs, engine)
        if engine == "fast":
            values = dict(trace.values)
            values["output"] = values["output"].copy()
            values["output"][1, 5, 3] += 1
            trace = replace(trace, values=values)
        return trace

    monkeypatch.setattr(parities, "run", wrong)
    found = parities.check_parity(graph, data, lava=False)
    assert found.mismatches == 1 and "'output'" in found.first


@pytest.mark.parametrize(
    ("count", "words", "said"),
    [(0, ("sample",), "0 samples"), (1, ("sample",), "1 sample"), (2000, ("step",), "2,000 steps"),
     (1, ("mismatch", "mismatches"), "1 mismatch"), (2, ("mismatch", "mismatches"), "2 mismatches")]
)  # fmt: skip
def test_counts_with_their_nouns(count, words, said):
    assert plural(count, *words) == said
