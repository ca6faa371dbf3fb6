"""The drawing of a sweep."""

from __future__ import annotations

import re
from dataclasses import asdict, replace

import pytest

from neurossm.errors import InputError
from neurossm.report.sweep_plot import (
    COLORS,
    _panels,
    _within_percent,
    draw_sweep,
    write_sweep_data,
)
from neurossm_workflows.sweep_table import SweepRow

ROW = SweepRow("abc", "digits:test:20", "digits:train:8", "loihi2", 8, 8, 24, 24, 20, 0.5, 1e-6,
               2e-6, 0.125, 3, 1.5)  # fmt: skip


def rows(*widths: tuple[int, int, int]) -> list[dict]:
    return [asdict(replace(ROW, poles=p, state=s, activations=m)) for p, s, m in widths]


def test_a_grid_is_drawn_in_columns():
    grid = rows(*((p, s, m) for p in (8, 12, 16) for s in (16, 24) for m in (8, 24)))
    panels = _panels(grid)
    assert [(p.title, p.along, p.line, len(p.rows)) for p in panels] == [
        ("activations 8 bits", "poles", "state", 6), ("activations 24 bits", "poles", "state", 6)
    ]  # fmt: skip


def test_one_width_at_a_time_is_a_column_each():
    star = rows((8, 24, 24), (16, 24, 24), (12, 24, 24), (16, 16, 24))
    panels = _panels(star)
    found = [(p.along, sorted(row[p.along] for row in p.rows)) for p in panels]
    assert found == [("poles", [8, 12, 16]), ("state", [16, 24])]


def test_nothing_to_draw_is_said(tmp_path):
    with pytest.raises(InputError, match="expected a point that was measured, got none"):
        draw_sweep(tmp_path / "s.svg", [asdict(replace(ROW, accuracy=None))], "t")


def test_the_figure_has_its_text_as_text_and_its_numbers_beside_it(tmp_path):
    floating = replace(ROW, poles=0, weights=0, state=0, activations=0, accuracy=0.75)
    points = [*rows((8, 16, 24), (16, 24, 24), (8, 24, 24), (16, 16, 24)),
              asdict(floating), asdict(replace(ROW, accuracy=None))]  # fmt: skip
    draw_sweep(tmp_path / "s.svg", points, "A sweep")
    write_sweep_data(tmp_path / "s.svg", points)
    drawn = (tmp_path / "s.svg").read_text()
    assert all(f">{said}</text>" in drawn for said in ("A sweep", "poles, bits", "state 16 bits"))
    used = set(re.findall(r"stroke: (#[0-9a-f]{6})", drawn))
    assert set(COLORS[:2]) <= used and "#1f77b4" not in used
    lines = (tmp_path / "s-data.csv").read_text().splitlines()
    assert lines[0] == "poles,weights,state,activations,score,value,energy_low_j,energy_high_j"
    assert lines[1] == '8,8,16,24,"accuracy, %",50.0,1e-06,2e-06'
    assert lines[-1].startswith('0,0,0,0,"accuracy, %",75.0,') and len(lines) == 6


def test_numbers_that_no_sweep_wrote_are_kept(tmp_path):
    (tmp_path / "s-data.csv").write_text("mine\n")
    with pytest.raises(InputError, match=r"s-data\.csv: expected a new file"):
        draw_sweep(tmp_path / "s.svg", rows((8, 24, 24)), "t")
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("s-data.csv", "mine\n")]


@pytest.mark.parametrize(
    ("ends", "found"), [((94.5, 105.5), (94.5, 100.5)), ((-3.0, 40.0), (-0.5, 40.0))]
)
def test_no_axis_shows_more_than_all_or_less_than_none(ends, found):
    assert _within_percent(*ends) == found
