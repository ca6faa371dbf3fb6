"""``neurossm sweep``: its points, its table that survives a kill, its plot."""

from __future__ import annotations

from importlib import resources

import pytest

from neurossm_workflows.sweep_table import FLOAT, Point

SWEEP = ("sweep", "{floating}", "--data", "digits:test:20", "--calibrate", "digits:train:8")


def test_a_sweep_measures_writes_and_goes_on_where_it_was(neurossm, files, tmp_path):
    table, plot = tmp_path / "s.csv", tmp_path / "s.svg"
    command = [part.format(floating=files.floating) for part in SWEEP]
    first = neurossm(*command, "--poles", "q15", "-o", table, "--json")
    assert first.status == 0 and len(first.document["points"]) == 1
    before = table.read_text()
    both = neurossm(*command, "--poles", "4,q15", "--with-float", "-o", table, "--plot", plot,
                    "--json")  # fmt: skip
    assert "2 of 3 points to measure, 20 samples each" in both.err
    assert table.read_text().startswith(before)
    found = {Point(*(p[n] for n in ("poles", "weights", "state", "messages"))): p
             for p in both.document["points"]}  # fmt: skip
    assert list(found) == [FLOAT, Point(poles=4), Point()]
    assert found[Point()] == first.document["points"][0]
    assert found[FLOAT]["energy_low_j"] is None
    # what run and profile say of the same integers
    ran = neurossm("run", files.floating, "--engine", "float", "--data", "digits:test:20", "--json")
    assert found[FLOAT]["accuracy"] == ran.document["accuracy"]
    made = tmp_path / "m.int.nssm"
    neurossm("quantize", files.floating, "-o", made, "--calibrate", "digits:train:8")
    profiled = neurossm("profile", made, "--data", "digits:test:20", "--json").document
    default = found[Point()]
    assert default["accuracy"] == profiled["accuracy"]
    assert default["energy_low_j"] == profiled["energy"]["low_j"]
    assert default["energy_high_j"] == profiled["energy"]["high_j"]
    assert default["saturations"] == profiled["counts"]["total"]["saturations"]
    assert "<svg" in plot.read_text() and "poles, bits" in plot.read_text()
    # nothing is left to do, and people see the table
    again = neurossm(*command, "--poles", "4,q15", "--with-float", "-o", table)
    assert "0 of 3 points to measure" in again.err and "calibrating" not in again.err
    head, *lines = [line for line in again.out.splitlines() if line[:1] != " "]  # names may fold
    assert head.split()[:4] == ["poles", "weights", "state", "activations"]
    assert [line.split()[0] for line in lines[:3]] == ["float", "4", "16"]


def test_a_point_that_the_chip_cannot_hold_has_a_score_and_a_reason(neurossm, files, tmp_path):
    text = (resources.files("neurossm.hardware") / "loihi2.toml").read_text(encoding="utf-8")
    chip, plot = tmp_path / "small.toml", tmp_path / "s.svg"
    chip.write_text(
        text.replace("words_per_neuron = { value = 512", "words_per_neuron = { value = 2")
    )
    command = [part.format(floating=files.floating) for part in SWEEP]
    ended = neurossm(*command, "--poles", "q15", "--hardware", chip, "--plot", plot, "--json")
    assert ended.status == 0
    (row,) = ended.document["points"]
    assert row["energy_low_j"] is None and "words a neuron, got 3" in row["problem"]
    # one state a neuron is what was tried first: the other mapping needs more
    assert "use a chip whose neurons have more words" in row["problem"]
    assert 0 <= row["accuracy"] <= 1 and "<svg" in plot.read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "sweep: expected widths to vary, such as --poles 8,12,16, got none"),
        (("--state", "16,x"), "--state: expected numbers of bits, such as 16,24, got '16,x'"),
        (("--poles", "8,17"), "neurossm: --poles: expected 3 to 16, got 17"),
        (("--poles", "8", "--plot", "{tmp}/s.txt"), "expected a name that ends in .svg, .png"),
        (("--poles", "8", "-o", "{integer}"), "got a graph or a trace; give another name"),
        (("--poles", "8", "--hardware", "tpu"), "cmos45 | loihi1"),
    ],
)
def test_what_is_refused(neurossm, files, tmp_path, options, said):
    command = [part.format(floating=files.floating) for part in SWEEP]
    given = [part.format(tmp=tmp_path, integer=files.integer) for part in options]
    ended = neurossm(*command, *given)
    assert ended.status == 2 and said in ended.err and ended.err.count("\n") == 1


# -- the plot ------------------------------------------------------------------


@pytest.mark.parametrize("split", ["valid", "test"])
def test_a_sweep_on_test_data_says_what_that_does(split, neurossm, files):
    ended = neurossm("sweep", files.floating, "--data", f"digits:{split}:4",
                     "--calibrate", "digits:train:4", "--poles", "8")  # fmt: skip
    assert ended.status == 0
    assert ("note: this is test data" in ended.err) is (split == "test")
