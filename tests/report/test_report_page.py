import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from spiking_block import TINY_INPUT, model_graph, model_input, tiny_graph

from neurossm.energy import LABEL, Interval, RateRow, estimate
from neurossm.engine import run
from neurossm.errors import InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.nodes import Input, Output
from neurossm.report import (
    Accuracy,
    Report,
    TimingRow,
    Timings,
    counts_table,
    energy_table,
    graph_svg,
    html_of,
    node_table,
    write_html,
)
from neurossm.report.charts import Bar, BarGroup, interval_chart
from neurossm.report.layout import BOX_HEIGHT, BOX_WIDTH, lay_out, ranks_of
from neurossm.report.raster import raster_svg
from neurossm.trace import Trace

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Balance(HTMLParser):
    """Fails where an element is closed that is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def report_of(chip: str = "loihi2", **changes: object) -> Report:
    graph = model_graph(blocks=2, channels=6, modes=2, classes=3)
    trace = run(graph, model_input(12), "reference")
    metrics = measure(graph, trace)
    report = Report(
        title="A demo",
        graph=graph,
        metrics=metrics,
        energy=estimate(metrics, graph, load_hardware(chip)),
        accuracy=Accuracy(data="a set", samples=1, integer=0.5, float_graph=1.0, agreement=0.5),
        sample=trace,
        file_name="demo.nssm",
        file_hash="ab" * 32,
        versions={"neurossm": "0.1.0"},
        seeds={"data": 7},
        date="2025-11-22",
    )
    return replace(report, **changes)


def words_of(page: str) -> str:
    parser = Balance()
    parser.feed(page)
    parser.close()
    assert parser.open == []
    return " ".join(" ".join(parser.words).split())


def test_page_is_balanced_html_and_well_formed_xml() -> None:
    page = html_of(report_of())
    words_of(page)
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def test_page_loads_nothing_and_runs_nothing() -> None:
    page = html_of(report_of()).replace('xmlns="http://www.w3.org/2000/svg"', "")
    links = re.findall(r'\bhref="([^"]*)"', page)
    own = re.compile(r"#[a-z]+|data:(image/svg\+xml|text/csv);charset=utf-8;base64,[A-Za-z0-9+/=]+")
    assert links and all(own.fullmatch(link) for link in links)
    page = re.sub(r'\bhref="[^"]*"', "", page)
    assert not re.search(r"https?:|//[a-z]|\bsrc=|\bhref=|url\(|@import|<script|\bon[a-z]+=", page)


def test_page_says_what_is_measured_counted_modeled_and_left_out() -> None:
    words = words_of(html_of(report_of()))
    for phrase in (
        LABEL,
        "Accuracy 50.00% on 1 samples of a set, integer network.",
        "host input and output",
        "No energy per operation of Loihi 2 is published",
        "Davies et al., Loihi",
        "ab" * 32,
        "seed data",
        "Spikes or tokens select weights, nothing multiplies, in block0.value, block0.gate,"
        " block1.value, block1.gate.",
    ):
        assert phrase in words, phrase


def test_page_of_a_chip_without_static_power_says_so() -> None:
    words = words_of(html_of(report_of("loihi1")))
    assert "static power not known" in words
    assert "not known, and in no sum" in words
    assert "mean power without static" in words


def test_page_shows_energy_against_spike_rate_and_what_the_cpu_took() -> None:
    full = report_of()
    assert "Energy against spike rate" not in html_of(full)
    assert "Measured on this machine" not in html_of(full)
    rows = (
        RateRow(0.5, 0.1, (), Interval(1e-6, 2e-6), Interval(3e-6, 4e-6)),
        RateRow(4.0, 0.75, ("<b>spike",), Interval(5e-6, 6e-6), Interval(7e-6, 8e-6)),
    )
    timings = Timings(
        machine="CPU <X>", float_network="none", boundary="all", energy="RAPL",
        rows=(
            TimingRow(form="step", batch=4, threads=1, seconds_a_sample=2e-3,
                      median_seconds_a_sample=3e-3, seconds_a_step=5e-4,
                      joules_a_sample=(("package-0", 0.25),)),
            TimingRow(form="whole", batch=1, threads=2, seconds_a_sample=0.4,
                      median_seconds_a_sample=0.5, seconds_a_step=0.1),
        ),
    )  # fmt: skip
    page = html_of(replace(full, rates=rows, timings=timings, steps_per_second=250.0))
    words = words_of(page)
    for said in ("\u00d7 0.5, mean rate 10.00%", "1.00 to 2.00 µJ", "3.00 to 4.00 µJ",
                 "5.00 to 6.00 µJ",
                 "At the limit of one spike per step: \u00d7 4 <b>spike."):  # fmt: skip
        assert said in words, said
    for said in ("Measured on this machine", "CPU <X>", "2.00 ms", "3.00 ms", "500 µs", "500",
                 "package-0 250 mJ", "not available", "2.5", "Times on the CPU"):  # fmt: skip
        assert said in words, said
    # 12 steps at the rate that was given, not at the graph's own
    assert "at 250 steps per second, one inference takes 0.048 s" in words
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def test_page_of_a_graph_alone_has_no_numbers_of_a_run() -> None:
    bare = report_of(metrics=None, energy=None, accuracy=None, sample=None)
    words = words_of(html_of(bare))
    assert "The graph was not run: nothing was counted." in words
    assert LABEL not in words


def test_hostile_names_stay_text() -> None:
    name = '<script>alert("x")</script>&\x07\''[:30].replace("/", "|")
    nodes = {name: Input(channels=1, out=Fixed(8)), "output": Output(channels=1, out=Fixed(8))}
    graph = Graph(nodes, ((name, "output"),))
    page = html_of(Report(title="<b>&</b>", graph=graph, versions={"<i>": "</td>"}))
    assert "<script" not in page and "<b>" not in page and "<i>" not in page
    assert "\x07" not in page
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def test_writing_where_nothing_can_be_written_is_a_named_error(tmp_path: Path) -> None:
    write_html(tmp_path / "report.html", report_of())
    assert (tmp_path / "report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(InputError, match="expected a file that can be written, got No such"):
        write_html(tmp_path / "missing" / "report.html", report_of())


def test_accuracy_is_a_part_of_one() -> None:
    with pytest.raises(InputError, match=r"accuracy integer: expected 0 to 1, got 96\.8"):
        Accuracy(data="a set", samples=1, integer=96.8)


def test_graph_svg_is_well_formed_and_names_every_node() -> None:
    graph = model_graph(channels=6, modes=2)
    root = ElementTree.fromstring(graph_svg(graph))
    titles = {item.text.split(":")[0] for item in root.iter("{http://www.w3.org/2000/svg}title")}
    assert set(graph.nodes) <= titles
    shown = " ".join(item.text or "" for item in root.iter("{http://www.w3.org/2000/svg}text"))
    assert "sigmoid ± 0.02" in shown
    assert "DiagonalSSM · 6 × 2 modes" in shown  # noqa: RUF001


def test_layout_keeps_boxes_apart_inside_the_drawing_and_draws_every_edge_downward() -> None:
    graph = model_graph(blocks=3, channels=2, modes=1)
    layout, ranks = lay_out(graph), ranks_of(graph)
    boxes = list(layout.boxes.values())
    for index, box in enumerate(boxes):
        assert box.x >= 0 and box.x + BOX_WIDTH <= layout.width
        assert box.y >= 0 and box.y + BOX_HEIGHT <= layout.height
        for other in boxes[:index]:
            apart = abs(box.x - other.x) >= BOX_WIDTH or abs(box.y - other.y) >= BOX_HEIGHT
            assert apart
    assert {line.edge for line in layout.lines} == set(graph.edges)
    assert all(ranks[source] < ranks[target] for source, target in graph.edges)
    residuals = [line for line in layout.lines if line.in_lane]
    assert {line.edge[1] for line in residuals} == {f"block{i}.residual" for i in range(3)}
    # one follows on another, so that a single lane holds all
    assert len({line.points[1][0] for line in residuals}) == 1


def test_node_table_has_a_row_for_each_node_with_its_largest_error() -> None:
    graph = model_graph(blocks=1, channels=4, modes=2, classes=3)
    rows = {row.name: row for row in node_table(graph)}
    assert tuple(rows) == graph.order
    ssm = rows["block0.ssm"]
    assert (ssm.type, ssm.format, ssm.states) == ("DiagonalSSM", "s24.12", 16)
    assert ssm.parameters == 8 * 8 + 2 * 4
    assert rows["encode"].channels == "1 → 4"
    assert rows["block0.sigmoid"].note == "sigmoid by 3 segments, largest error 0.02"


def test_counts_table_is_of_one_sample_and_ends_with_the_total() -> None:
    graph = tiny_graph()
    metrics = measure(graph, run(graph, np.concatenate([TINY_INPUT] * 3), "reference"))
    rows = counts_table(graph, metrics)
    assert [row.name for row in rows] == [*graph.order, "total"]
    assert rows[-1].syn_ops == pytest.approx(6)
    assert [row.spike_rate for row in rows if row.name == "spike"] == [0.5]


def test_energy_table_leaves_unknown_parts_none() -> None:
    energy = report_of("loihi1").energy
    rows = {row.name: row for row in energy_table(energy)}
    assert rows["KerasSpiking"].routing is None and rows["KerasSpiking"].static is None
    assert rows["int8 ANN, 8-bit recurrence, dense"].total.low < (
        rows["int8 ANN, 8-bit recurrence, dense"].total.high
    )


def test_raster_marks_exactly_the_spikes() -> None:
    graph = tiny_graph()
    trace = run(graph, TINY_INPUT, "reference")
    root = ElementTree.fromstring(raster_svg(graph, trace))
    drawn = [item.get("d") for item in root.iter("path")]
    # input: channel 0 at steps 0 and 1, channel 1 at step 0; threshold: both at step 0
    assert drawn == ["M0 0h2v1h-2zM0 1h1v1h-1z", "M0 0h1v1h-1zM0 1h1v1h-1z"]


def test_long_raster_shares_cells_and_shades_them() -> None:
    spikes = np.zeros((1, 1600, 2), np.int64)
    spikes[0, ::2, 0] = 1  # every second step: half of each cell of two steps
    spikes[0, :800, 1] = 1
    trace = Trace("reference", {"spike": spikes}, 1, 1600)
    root = ElementTree.fromstring(raster_svg(tiny_graph(), trace))
    drawn = {item.get("fill-opacity"): item.get("d") for item in root.iter("path")}
    assert drawn == {"0.5": "M0 0h800v1h-800z", "1": "M0 1h400v1h-400z"}


def test_bars_stand_at_their_places_on_the_logarithmic_axis() -> None:
    bars = (Bar("one", Interval(1e-6, 1e-5), "total"), Bar("zero", Interval(0, 1e-4), "neuron"))
    root = ElementTree.fromstring(interval_chart([BarGroup("group", bars)], "title", "J"))
    rects = [(item.get("x"), item.get("width")) for item in root.iter("rect")]
    # axis from 1 to 100 microjoules over 99 per cent: one decade is half of it
    assert rects == [("0.500%", "49.500%"), ("0.500%", "99.000%")]
    ticks = [item.text for item in root.iter("text") if item.get("class") == "tick"]
    assert ticks == ["1 µJ", "10 µJ", "100 µJ"]
