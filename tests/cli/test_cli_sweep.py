"""``neurossm sweep``: its points, its table that survives a kill, its plot."""

from __future__ import annotations

import csv
from dataclasses import asdict, replace
from importlib import resources

import pytest

from neurossm.errors import InputError
from neurossm.report.sweep_plot import _panels, _within_percent, draw_sweep
from neurossm_cli.sweeping import COLUMNS, FLOAT, Point, SweepFile, SweepRow, points

SWEEP = ("sweep", "{floating}", "--data", "digits:test:20", "--calibrate", "digits:train:8")
ROW = SweepRow("abc", "digits:test:20", "digits:train:8", "loihi2", 8, 8, 24, 24, 20, 0.5, 1e-6,
               2e-6, 0.125, 3, 1.5)  # fmt: skip


def test_points_of_a_grid_and_of_one_width_at_a_time():
    given = {"poles": (8, 16), "state": (16, 24)}
    assert points(given, grid=True) == [
        Point(8, 8, 16, 24), Point(8, 8, 24, 24), Point(16, 8, 16, 24), Point(16, 8, 24, 24)
    ]  # fmt: skip
    # the default point is in both lists, and measured once
    assert points(given, grid=False) == [Point(8, 8, 24, 24), Point(), Point(16, 8, 16, 24)]


def test_a_row_is_on_the_disk_as_soon_as_it_is_added_and_read_back(tmp_path):
    path = tmp_path / "s.csv"
    table = SweepFile(path)
    problem = replace(ROW, poles=4, accuracy=None, energy_low_j=None, saturations=None,
                      problem="node 'a', \"b\": no, format")  # fmt: skip
    for row in (ROW, problem):
        table.add(row)
        assert SweepFile(path).rows == table.rows
    with path.open(newline="") as file:
        lines = list(csv.reader(file))
    assert tuple(lines[0]) == COLUMNS and len(lines) == 3
    assert SweepFile(path).find(replace(ROW, accuracy=None, seconds=None)) == ROW
    for other in ({"graph": "x"}, {"data": "x"}, {"hardware": "x"}, {"messages": 16}):
        assert SweepFile(path).find(replace(ROW, **other)) is None


def test_a_line_cut_by_a_kill_is_measured_again(tmp_path):
    path = tmp_path / "s.csv"
    table = SweepFile(path)
    table.add(ROW)
    table.add(replace(ROW, poles=16))
    whole = path.read_bytes()
    for cut in range(len(whole.splitlines(keepends=True)[-1]), 0, -7):
        path.write_bytes(whole[:-cut])
        again = SweepFile(path)
        assert again.rows == [ROW]
        again.add(replace(ROW, poles=12))
        assert [row.poles for row in SweepFile(path).rows] == [8, 12]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"a,b\n1,2\n", "expected a table of a sweep"),
        (b"\xff\xfe\n", "expected a table of a sweep, got no text"),
        ((",".join(COLUMNS) + "\n1,2\n").encode(), "line 2: expected 18 cells"),
        ((",".join(COLUMNS) + "\n" + ",".join("x" * 18) + "\n").encode(), "line 2"),
    ],
)
def test_another_file_is_left_alone(tmp_path, text, said):
    path = tmp_path / "s.csv"
    path.write_bytes(text)
    with pytest.raises(InputError, match=said):
        SweepFile(path)
    assert path.read_bytes() == text


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
    assert [line.split()[0] for line in again.out.splitlines()[:4]] == [
        "poles", "float", "4", "16"
    ]  # fmt: skip


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
        (("--poles", "8,17"), "pole_bits: expected 3 to 16, got 17"),
        (("--poles", "8", "--plot", "{tmp}/s.txt"), "expected a name that ends in .svg, .png"),
        (("--poles", "8", "-o", "{integer}"), "expected a table of a sweep"),
        (("--poles", "8", "--hardware", "tpu"), "cmos45 | loihi1"),
    ],
)
def test_what_is_refused(neurossm, files, tmp_path, options, said):
    command = [part.format(floating=files.floating) for part in SWEEP]
    given = [part.format(tmp=tmp_path, integer=files.integer) for part in options]
    ended = neurossm(*command, *given)
    assert ended.status == 2 and said in ended.err and ended.err.count("\n") == 1


# -- the plot ------------------------------------------------------------------


def rows(*widths: tuple[int, int, int]) -> list[dict]:
    return [asdict(replace(ROW, poles=p, state=s, messages=m)) for p, s, m in widths]


def test_a_grid_is_drawn_in_columns():
    grid = rows(*((p, s, m) for p in (8, 12, 16) for s in (16, 24) for m in (8, 24)))
    panels = _panels(grid)
    assert [(p.title, p.along, p.line, len(p.rows)) for p in panels] == [
        ("messages 8 bits", "poles", "state", 6), ("messages 24 bits", "poles", "state", 6)
    ]  # fmt: skip


def test_one_width_at_a_time_is_a_column_each():
    star = rows((8, 24, 24), (16, 24, 24), (12, 24, 24), (16, 16, 24))
    panels = _panels(star)
    found = [(p.along, sorted(row[p.along] for row in p.rows)) for p in panels]
    assert found == [("poles", [8, 12, 16]), ("state", [16, 24])]


def test_nothing_to_draw_is_said(tmp_path):
    with pytest.raises(InputError, match="expected a point that was measured, got none"):
        draw_sweep(tmp_path / "s.svg", [asdict(replace(ROW, accuracy=None))], "t")


@pytest.mark.parametrize("split", ["held-out", "test"])
def test_a_sweep_on_test_data_says_what_that_does(split, neurossm, files):
    ended = neurossm("sweep", files.floating, "--data", f"digits:{split}:4",
                     "--calibrate", "digits:train:4", "--poles", "8")  # fmt: skip
    assert ended.status == 0
    assert ("note: this is test data" in ended.err) is (split == "test")


@pytest.mark.parametrize(
    ("ends", "found"), [((94.5, 105.5), (94.5, 100.5)), ((-3.0, 40.0), (-0.5, 40.0))]
)
def test_no_axis_shows_more_than_all_or_less_than_none(ends, found):
    assert _within_percent(*ends) == found
