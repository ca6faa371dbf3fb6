"""Tokens are drawn as text, with what each spike layer does under them."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from report_examples import TEXT, tokens

from neurossm.report import figures_of, html_of
from neurossm.report.tokens import spelled, token_svg
from neurossm.trace import Trace

NAMES = (" ", "\n", "", "a", "\x00", "a long word that goes on and on")


@pytest.fixture(scope="module")
def report():
    return tokens()


def small(report, spikes: list[list[int]]) -> Trace:
    """A trace of ``a, blank`` and these spikes of the first layer."""
    first = np.array(spikes)[None]
    return Trace("reference", {"token": np.array([[[97], [32]]]), "layer0.spike": first}, 1, 2)


def test_what_is_not_visible_has_a_sign():
    assert [spelled(k, NAMES) for k in range(6)] == [
        "␣", "↵", "∅", "a", "·", "a␣long␣word␣that␣goes␣o…",
    ]  # fmt: skip
    assert (spelled(6, NAMES), spelled(-1, NAMES), spelled(3, ())) == ("6", "-1", "3")


def test_a_strip_is_the_share_of_its_channels_over_the_largest(report):
    trace = small(report, [[1] * 6 + [0] * 6, [1] * 3 + [0] * 9])  # a half, then a quarter
    drawn = ElementTree.fromstring(token_svg(report.graph, trace, report.token_names))
    strips = [r for r in drawn.iter("rect") if r.get("fill-opacity")]
    assert [r.get("fill-opacity") for r in strips] == ["1.00", "0.50"]
    words = [t.text for t in drawn.iter("text") if t.get("class") == "token"]
    assert words == ["a", "␣"]
    legend = [t.text for t in drawn.iter("text") if t.get("class") == "tick"]
    assert legend == ["layer0.spike: spike rate 0.375, at most 0.500 in one step"]


def test_a_layer_that_is_silent_has_no_strip(report):
    drawn = token_svg(report.graph, small(report, [[0] * 12] * 2), report.token_names)
    assert 'fill-opacity="' not in drawn


def test_the_page_shows_the_text_and_no_raster(report):
    page = html_of(report)
    assert 'class="chart tokens"' in page and 'class="chart raster"' not in page
    figure = figures_of(report)["sample"]
    drawn = ElementTree.fromstring(figure.svg)
    shown = "".join(t.text for t in drawn.iter("text") if t.get("class") == "token")
    assert shown == TEXT.replace(" ", "␣").replace("\n", "↵").replace("\t", "→")
    assert figure.rows[0] == ("step", "token", "text", "layer0.spike", "layer1.spike")
    assert [row[2] for row in figure.rows[1:]] == list(TEXT)


def test_without_names_numbers_are_shown_and_of_long_samples_the_first(report):
    long = np.tile(report.sample.values["token"], (1, 2, 1))
    trace = Trace("reference", {"token": long}, 1, long.shape[1])
    drawn = ElementTree.fromstring(token_svg(report.graph, trace))
    words = [t.text for t in drawn.iter("text") if t.get("class") == "token"]
    assert len(words) == 400 and words[:2] == [str(ord("S")), str(ord("p"))]
    page = html_of(replace(report, sample=trace))
    assert f"the first 400 of {long.shape[1]}" in page
