"""Where bars, points and ticks stand, in per cent of the width and pixels of the height."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from neurossm.energy import Interval
from neurossm.report.charts import Bar, BarGroup, interval_chart, rate_chart, scatter_chart

# all places lie from 0.5 to 99.5 per cent of the width


def drawn(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def ticks(chart: ElementTree.Element) -> list[tuple[str | None, float]]:
    return [(t.text, float(t.get("x", "").rstrip("%"))) for t in chart.iter("text")
            if t.get("class") == "tick"]  # fmt: skip


def rule(chart: ElementTree.Element) -> float:
    """Height of the axis."""
    return next(float(line.get("y1", "")) for line in chart if line.get("class") == "rule")


def test_ticks_of_rates_stand_where_the_bars_would_end() -> None:
    chart = drawn(rate_chart([("a", 0.25), ("b", 0.125)], "t", "spikes"))
    assert [label for label, _ in ticks(chart)] == ["0", "0.1", "0.2", "0.3"]
    assert [place for _, place in ticks(chart)] == pytest.approx([0.5, 33.5, 66.5, 99.5], abs=1e-3)
    # two rows of 40; the axis begins 4 below them, and 34 and a line of 16 are for its words
    assert rule(chart) == 2 * 40 + 4 and float(chart.get("height", "")) == 2 * 40 + 34 + 16
    assert [float(bar.get("y", "")) for bar in chart.iter("rect")] == [22, 62]
    under = [t for t in chart.iter("text") if t.text == "spikes"]
    assert [(t.get("x"), t.get("text-anchor")) for t in under] == [("50%", "middle")]
    assert 80 < float(under[0].get("y", "")) < 130


def test_bars_of_energy_stand_on_the_logarithm_and_end_at_the_rim_where_there_is_0() -> None:
    bars = (
        Bar("from 0", Interval(0.0, 1e-7), "total"),
        Bar("one value", Interval(1e-6, 1e-6), "total"),
        Bar("nothing", Interval(0.0, 0.0), "total"),
        Bar("a decade", Interval(1e-8, 1e-7), "total"),
        Bar("the next", Interval(1e-7, 1e-6), "total"),
    )
    chart = drawn(interval_chart([BarGroup("g", bars)], "t", "J"))
    assert [label for label, _ in ticks(chart)] == ["10 nJ", "100 nJ", "1 µJ"]
    # two decades of 49.5 each; a single value is as thin as can be seen
    assert [(bar.get("x"), bar.get("width")) for bar in chart.iter("rect")] == [
        ("0.500%", "49.500%"), ("99.500%", "0.400%"), ("0.500%", "0.400%"), ("0.500%", "49.500%"),
        ("50.000%", "49.500%"),
    ]  # fmt: skip
    assert {bar.get("class") for bar in chart.iter("rect")} == {"bar total"}
    # an arrow for each end at 0, in the rows of "from 0" and "nothing": under a heading of 30
    arrows = list(chart.iter("svg"))[1:]
    assert [float(arrow.get("y", "")) for arrow in arrows] == [30 + 21, 30 + 2 * 40 + 21]
    assert {arrow.get("x") for arrow in arrows} == {"0"}
    assert rule(chart) == 30 + 5 * 40 + 4 and float(chart.get("height", "")) == 30 + 5 * 40 + 34


def test_labels_and_values_stand_at_both_rims_above_their_bar() -> None:
    chart = drawn(interval_chart([BarGroup("g", (Bar("b", Interval(2, 20), "total"),))], "t", "J"))
    places = {t.get("class"): (t.get("x"), t.get("text-anchor")) for t in chart.iter("text")}
    assert places["label"] == ("0.5%", None) and places["value"] == ("99.5%", "end")
    (bar,) = chart.iter("rect")
    # log10(2) of two decades, and one decade
    assert (bar.get("x"), bar.get("width")) == ("15.401%", "49.500%")
    said = [t for t in chart.iter("text") if t.get("class") in ("label", "value")]
    assert all(30 < float(t.get("y", "")) < float(bar.get("y", "")) for t in said)


def test_points_stand_across_by_the_right_number_and_upward_by_the_answer() -> None:
    svg = scatter_chart(np.array([[2.0, 4.0], [6.0, 8.0]]))
    chart = drawn(svg)
    assert [label for label, _ in ticks(chart)] == ["2", "4", "6", "8"]
    assert [place for _, place in ticks(chart)] == pytest.approx([0.5, 33.5, 66.5, 99.5], abs=1e-3)
    # 2 to 8, up from 320 to 6
    points = [(dot.get("cx"), float(dot.get("cy", ""))) for dot in chart.iter("circle")]
    assert [across for across, _ in points] == ["0.500%", "66.500%"]
    assert [down for _, down in points] == pytest.approx([320 - 314 / 3, 6.0], abs=0.01)
    (equal,) = [line for line in chart if line.tag == "line" and line.get("y2") == "6"]
    assert (equal.get("x1"), equal.get("x2"), equal.get("y1")) == ("0.5%", "99.5%", "320")
    assert float(chart.get("height", "")) == 320 + 34
    assert not re.search("nan|inf", svg)
