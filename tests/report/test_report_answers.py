"""The report's section on answers: scores, what is taken for what, numbers against numbers."""

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


def cells(html: str) -> list[list[str]]:
    section = html.partition("<h2>Predictions</h2>")[2].partition("</section>")[0]
    rows = re.findall(r"<tr>(.*?)</tr>", section)
    return [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]


def test_a_small_matrix_is_shown_whole_with_the_share_of_each_class():
    matrix = np.array([[2, 0], [1, 1]])
    html = page(confusion=matrix, class_names=("<cat>", "dog"), float_graph="accuracy 80.00%")
    assert cells(html) == [
        ["Class", "&lt;cat&gt;", "dog", "correct"],
        ["&lt;cat&gt;", "2", "", "100.00%"],
        ["dog", "1", "1", "50.00%"],
    ]
    assert "Float graph, on the same: accuracy 80.00%" in html


def test_of_many_classes_the_pairs_that_are_confused_most():
    matrix = 10 * np.eye(30, dtype=int)
    matrix[3, 7], matrix[8, 1], matrix[0, 29] = 5, 2, 9
    assert cells(page(confusion=matrix)) == [
        ["True class", "Predicted class", "Count"],
        ["0", "29", "9"], ["3", "7", "5"], ["8", "1", "2"],
    ]  # fmt: skip


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
