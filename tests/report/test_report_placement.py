"""What the report says of placement and of accuracy, and whether its colors can be read."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib import resources

import pytest
from spiking_block import model_graph, model_input

from neurossm.energy import estimate
from neurossm.engine import run
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.placement import place
from neurossm.report import Accuracy, Report, graph_svg, html_of
from neurossm.report.units import si_range


class Words(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def words_of(page: str) -> str:
    return " ".join(" ".join(Words(page).found).replace("\u202f", "").split())


@pytest.fixture(scope="module")
def report() -> Report:
    graph, chip = model_graph(blocks=1, channels=6, modes=2, classes=3), load_hardware("loihi2")
    metrics = measure(graph, run(graph, model_input(12), "fast"))
    placement = place(graph, chip, ssm_mapping="channel")
    energy = estimate(metrics, graph, chip, placement=placement)
    return Report(
        title="x", graph=graph, metrics=metrics, energy=energy,
        accuracy=Accuracy(data="a set", samples=8, integer=0.75, float_graph=1.0, agreement=0.5),
    )  # fmt: skip


def test_the_placement_is_drawn_listed_and_called_a_plan(report):
    page = html_of(report)
    words, (found,) = words_of(page), report.placements
    assert f"{len(found.cores)} cores on 1 chip of Intel Loihi 2" in words
    assert "one neuron for all states of a channel" in words
    assert f"on it: {si_range(report.energy.total, 'J')}" in words
    assert "was not compiled for a chip" in words and "Placement, by the published limits" in words
    assert page.count('class="rim"') == len(found.cores)
    for name in found.populations:
        assert name in words
    for sentence in found.assumptions:
        assert " ".join(sentence.split()) in words


def test_both_placements_are_drawn_with_the_joules_of_each(report):
    both = estimate(report.metrics, report.graph, report.energy.hardware)
    words = words_of(html_of(replace(report, energy=both)))
    assert "both mappings of the state space models, each placed on cores, allow" in words
    assert "one neuron for each complex state" in words
    assert "one neuron for all states of a channel" in words
    totals = [part.total for part in both.by_mapping.values()]
    assert len(totals) == 2 and totals[0] != totals[1]
    for total in totals:
        assert f"on it: {si_range(total, 'J')}" in words


def test_a_network_that_does_not_fit_is_an_answer(report):
    large = replace(report, energy=None, placement_problem="'mix': expected <4096 words")
    words = words_of(html_of(large))
    assert "Not placed: 'mix': expected <4096 words" in words
    assert "by the published limits" not in words
    assert "Not placed" not in words_of(html_of(replace(large, placement_problem="")))


def test_accuracy_says_how_many_and_how_sure(report):
    words = words_of(html_of(report))
    assert "measured, 6 of 8 samples, a set" in words
    assert "Accuracy 100.00% of the float network; 50.00% equal predictions." in words
    # Wilson: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n), with z^2 = 3.8415, n = 8
    # (0.75 + 0.24009 -+ 1.95996 sqrt(0.0234375 + 0.0150058)) / 1.480183
    low, high = report.accuracy.interval
    assert (low, high) == pytest.approx(((0.990092 - 0.384287) / 1.480183,
                                         (0.990092 + 0.384287) / 1.480183), abs=2e-5)  # fmt: skip
    assert f"95% interval (Wilson) is {100 * low:.2f}% to {100 * high:.2f}%" in words
    # n of n: from n / (n + z^2)
    assert Accuracy(data="", samples=16, integer=1.0).interval == pytest.approx(
        (16 / 19.8415, 1.0), abs=1e-5
    )


def test_long_names_leave_room_for_the_format(report):
    node = report.graph.nodes["input"]
    renamed = {("blocks.0.mix.sigmoid" if n == "input" else n): report.graph.nodes[n]
               for n in report.graph.nodes}  # fmt: skip
    edges = tuple(("blocks.0.mix.sigmoid" if a == "input" else a, b) for a, b in report.graph.edges)
    drawing = graph_svg(replace(report.graph, nodes=renamed, edges=edges))
    name = re.search(rf'class="name"[^>]*>(…[^<]*)</text><text[^>]*>{node.out}<', drawing)[1]
    assert name == "…0.mix.sigmoid"  # whole words of it


@pytest.mark.parametrize("scheme", [0, 1])
def test_text_stands_out_from_what_is_behind_it(scheme):
    """WCAG 2.2 asks 4.5 to 1 of text, 3 to 1 of the bars."""
    text = ("ink", "soft", "link")
    style = (resources.files("neurossm.report") / "style.css").read_text(encoding="utf-8")
    blocks = re.findall(r":root\{([^}]*)\}", style)
    colors = dict(re.findall(r"--([a-z]+):(#[0-9a-f]{3,6})\b", blocks[scheme]))
    assert len(colors) == 18
    for behind in ("page", "card"):
        for name in set(colors) - {"page", "card", "rim", "on"}:
            least = 4.5 if name in text else 3
            a, b = sorted((luminance(colors[name]), luminance(colors[behind])))
            assert (b + 0.05) / (a + 0.05) >= least, (name, behind)
    # counts on a confusion matrix: on blue dark up to half a shade, light from 0.82 on
    right = [("ink", "right", 0.5), ("on", "right", 0.82), ("on", "right", 1)]
    for over, cell, shade in [*right, *(("ink", "wrong", k / 10) for k in range(11))]:
        a, b = sorted((luminance(colors[over]), luminance(blend(colors, cell, shade))))
        assert (b + 0.05) / (a + 0.05) >= 4.5, (over, cell, shade)


def blend(colors: dict[str, str], name: str, opacity: float) -> str:
    top, below = (channels(colors[n]) for n in (name, "card"))
    mixed = (round(opacity * a + (1 - opacity) * b) for a, b in zip(top, below, strict=True))
    return "#" + "".join(f"{value:02x}" for value in mixed)


def channels(color: str) -> list[int]:
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    return [int(digits[i : i + 2], 16) for i in (0, 2, 4)]


def luminance(color: str) -> float:
    parts = [value / 255 for value in channels(color)]
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
