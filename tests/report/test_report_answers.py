"""The report's section on predictions: scores, confusion, each class, labels and residuals."""

from __future__ import annotations

import re

import numpy as np
import pytest
from small_networks import network

from neurossm.graph import Graph
from neurossm.report import Answers, Report, html_of
from neurossm.report.charts import round_range
from neurossm_converters.formats.torch import from_torch

GRAPH: Graph = from_torch(network(), steps=8, scale=1.0)


def page(**answers: object) -> str:
    found = Answers(integer="accuracy 75.00% (macro F1 0.7)", count=4, **answers)  # type: ignore[arg-type]
    return html_of(Report(title="t", graph=GRAPH, answers=found))


def rows_of(html: str, head: str) -> list[list[str]]:
    """Return the cells of the table of predictions whose first head is this."""
    section = html.partition("<h2>Predictions</h2>")[2].partition("</section>")[0]
    for table in re.findall(r"<table>(.*?)</table>", section, re.DOTALL):
        rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)
                for row in re.findall(r"<tr>(.*?)</tr>", table)]  # fmt: skip
        if rows[0][0] == head:
            return rows
    return []


def test_a_matrix_is_a_heat_map_and_each_class_has_its_scores():
    matrix = np.array([[2, 0], [1, 1]])
    html = page(confusion=matrix, class_names=("<cat>", "dog"), float_graph="accuracy 80.00%")
    # cat: 2 of 3 predictions, 2 of 2 samples; dog: 1 of 1, 1 of 2; F1 = 2 TP / (both together)
    assert rows_of(html, "Class") == [
        ["Class", "Precision", "Recall", "F1", "Support"],
        ["&lt;cat&gt;", "0.6667", "1.0000", "0.8000", "2"],
        ["dog", "1.0000", "0.5000", "0.6667", "2"],
        ["macro average", "0.8333", "0.7500", "0.7333", "4"],
        ["weighted average", "0.8333", "0.7500", "0.7333", "4"],
    ]
    cell = r'<title>([^<]*)</title><rect class="cell (\w+)"[^>]*fill-opacity="([\d.]+)"'
    drawn = re.findall(cell, html)
    assert [(about, kind) for about, kind, _ in drawn] == [
        ("&lt;cat&gt; predicted as &lt;cat&gt;: 2 (100.0%)", "right"),
        ("&lt;cat&gt; predicted as dog: 0 (0.0%)", "wrong"),
        ("dog predicted as &lt;cat&gt;: 1 (50.0%)", "wrong"),
        ("dog predicted as dog: 1 (50.0%)", "right"),
    ]
    assert [float(shade) for *_, shade in drawn] == [1, 0, 0.707, 0.82]
    assert "Float network, on the same: accuracy 80.00%" in html


@pytest.mark.parametrize(("classes", "drawn", "counted"), [(20, 1, 1), (30, 1, 0), (31, 0, 0)])
def test_the_more_classes_the_less_is_drawn(classes, drawn, counted):
    html = page(confusion=7 * np.eye(classes, dtype=int))
    assert html.count('class="chart heat"') == drawn
    assert html.count('<text class="on"') == counted * classes


def test_of_many_classes_the_pairs_that_are_confused_most():
    matrix = 10 * np.eye(40, dtype=int)
    matrix[3, 7], matrix[8, 1], matrix[0, 29] = 5, 2, 10
    html = page(confusion=matrix)
    assert rows_of(html, "True class") == [
        ["True class", "Predicted class", "Samples", "Of the true class"],
        ["0", "29", "10", "50.0%"], ["3", "7", "5", "33.3%"], ["8", "1", "2", "16.7%"],
    ]  # fmt: skip
    assert "Nothing is confused, of 40 classes." in page(confusion=np.eye(40, dtype=int))


def test_numbers_are_drawn_against_numbers():
    points = np.array([[0.0, 0.5], [10.0, 9.0], [5.0, 5.0]])
    html = page(points=points)
    marks = re.findall(r'class="point" cx="([\d.]+)%" cy="([\d.]+)"', html)
    across = [float(x) for x, _ in marks]
    assert across == [0.5, 99.5, 50.0]  # the range is 0 to 10
    heights = [float(y) for _, y in marks]
    assert heights[1] < heights[2] < heights[0]
    assert "upward, from 0 to 10" in html


def test_nothing_is_shown_where_there_are_no_labels():
    assert "Predictions</h2>" not in html_of(Report(title="t", graph=GRAPH))


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0.0, 0.18, (0.0, 0.2, 0.05)),
        (-3.4, 2.9, (-4.0, 4.0, 2.0)),
        (5.0, 5.0, (5.0, 6.0, 1.0)),
        (0.0, 0.0, (0.0, 0.2, 0.2)),
    ],
)
def test_a_scatter_stands_between_round_numbers(low, high, found):
    points = np.array([[low, high], [high, low]])
    assert round_range(points) == pytest.approx(found)
