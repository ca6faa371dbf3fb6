"""Points of a sweep, and their table: nothing is lost, nothing is measured twice."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest

from neurossm import sweep
from neurossm.errors import InputError
from neurossm_workflows.sweep_table import (
    BEFORE,
    COLUMNS,
    Point,
    SweepFile,
    SweepRow,
    points,
)

ROW = SweepRow("abc", "digits:test:20", "digits:train:8", "loihi2", 8, 8, 24, 24, 20, 0.5, 1e-6,
               2e-6, 0.125, 3, 1.5)  # fmt: skip


def test_points_of_a_grid_and_of_one_width_at_a_time():
    given = {"poles": (8, 16), "state": (16, 24)}
    assert points(given, grid=True) == [
        Point(8, 8, 16, 24), Point(8, 8, 24, 24), Point(16, 8, 16, 24), Point(16, 8, 24, 24)
    ]  # fmt: skip
    # the default point is in both lists, and measured once
    assert points(given, grid=False) == [Point(8, 8, 24, 24), Point(), Point(16, 8, 16, 24)]


@pytest.mark.parametrize("widths", [{}, {"poles": []}, {"poles": [8], "state": []}])
def test_a_sweep_without_widths_says_what_the_function_takes(widths):
    with pytest.raises(InputError, match=r"such as {'poles': \[8, 12, 16\]}, got no"):
        sweep("none.nssm", "digits:test:1", "digits:train:1", widths)


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
    for other in ({"graph": "x"}, {"data": "x"}, {"hardware": "x"}, {"activations": 16}):
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


@pytest.mark.parametrize("spikes", ["spike_rate", "spikes_per_neuron"])
def test_a_table_from_before_other_tasks_goes_on(tmp_path, spikes):
    path = tmp_path / "s.csv"
    cells = "abc,d:test,d:train,loihi2,8,8,24,24,20,0.5,1e-06,2e-06,0.125,3,1.5,"
    path.write_text(",".join(BEFORE).replace("spike_rate", spikes) + "\n" + cells + "\n")
    (row,) = SweepFile(path).rows
    assert row == SweepRow("abc", "d:test", "d:train", "loihi2", 8, 8, 24, 24, 20, 0.5, 1e-6, 2e-6,
                           0.125, 3, 1.5)  # fmt: skip
    assert path.read_text() == ",".join(COLUMNS) + "\n" + cells + ",,\n"
    assert SweepFile(path).rows == [row]
