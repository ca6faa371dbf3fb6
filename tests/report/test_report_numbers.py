"""Every number of the page against one worked out by hand: its unit, its prefix, its place."""

from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from published_networks import s4d_shape
from random_graphs import QUICK
from spiking_block import TINY_INPUT, model_graph, model_input, tiny_graph

from neurossm.energy import Baseline, BreakEven, Hops, Interval, RateRow, Work, estimate
from neurossm.engine import run
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.placement import place
from neurossm.report import Accuracy, Answers, Report, TimingRow, Timings, html_of
from neurossm.report.charts import Bar, BarGroup, interval_chart, rate_chart
from neurossm.report.chip_drawing import cores_svg
from neurossm.report.data_tables import tables_of
from neurossm.report.predictions import headline
from neurossm.report.raster import raster_svg
from neurossm.report.units import count, mean_count, percent, si, si_range
from neurossm.report.values import population_rows

LOIHI2 = load_hardware("loihi2")
PREFIX = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "µ": 1e-6, "m": 1e-3, "": 1.0, "k": 1e3, "M": 1e6,
          "G": 1e9}  # fmt: skip
VALUES = st.floats(-14.5, 11.5).map(lambda power: 10.0**power)


def read(text: str, unit: str) -> float:
    """What a reader makes of ``3.40 µJ``."""
    number, prefixed = text.split(" ")
    assert prefixed.endswith(unit)
    return float(number) * PREFIX[prefixed.removesuffix(unit)]


# -- prefixes ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (1e-15, "1.00 fJ"), (1e-12, "1.00 pJ"), (1e-9, "1.00 nJ"), (1e-6, "1.00 µJ"),
        (1e-3, "1.00 mJ"), (1.0, "1.00 J"), (1e3, "1.00 kJ"), (1e6, "1.00 MJ"), (1e9, "1.00 GJ"),
        (23.6e-12, "23.6 pJ"), (456e-9, "456 nJ"), (7.89e-6, "7.89 µJ"), (12.3e-3, "12.3 mJ"),
        (999.4e-9, "999 nJ"), (999.6e-9, "1.00 µJ"), (0.9996e-6, "1.00 µJ"), (5e12, "5000 GJ"),
        (0.0, "0 J"), (1.5e-16, "0.150 fJ"),
    ],
)  # fmt: skip
def test_each_prefix_is_its_own_power_of_a_thousand(value: float, shown: str) -> None:
    assert si(value, "J") == shown


@QUICK
@given(value=VALUES)
def test_what_is_shown_is_read_as_the_value(value: float) -> None:
    assert read(si(value, "s"), "s") == pytest.approx(value, rel=0.0051)


@QUICK
@given(low=VALUES, decades=st.floats(0.001, 6))
def test_both_ends_of_a_range_are_read_as_they_are(low: float, decades: float) -> None:
    high = low * 10**decades
    left, right = si_range(Interval(low, high), "J").split(" to ")
    assert read(right, "J") == pytest.approx(high, rel=0.0051)
    own = left if " " in left else f"{left} {right.split(' ')[1]}"  # one prefix, after both
    # by the high end's prefix a low end has three digits behind the point
    assert read(own, "J") == pytest.approx(
        low, rel=0.0051, abs=0.00051 * PREFIX[right[-2:-1].strip()]
    )


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        (200e-9, 31.03e-6, "200 ns to 31.0 µs"),  # more than two decades: each its own
        (0.4e-6, 31e-6, "0.400 to 31.0 µs"),  # fewer: that of the high end
        (990e-9, 1.01e-6, "0.990 to 1.01 µs"),
        (1e-9, 0.0999e-6, "1.00 to 99.9 ns"),
        (1e-9, 0.11e-6, "1.00 ns to 110 ns"),
        (0.0, 4e-9, "0 to 4.00 ns"),
        (3e-12, 3e-12, "3.00 ps"),
    ],
)
def test_a_range_has_the_prefixes_of_its_ends(low: float, high: float, shown: str) -> None:
    assert si_range(Interval(low, high), "s") == shown


def test_thousands_stand_apart_and_means_are_whole_where_a_tenth_says_nothing() -> None:
    assert [count(value) for value in (0, 2.5, 1234567)] == ["0", "2.5", "1\u202f234\u202f567"]
    assert [mean_count(value) for value in (0.5, 99.94, 138.2, 1234.6)] == [
        "0.5", "99.9", "138", "1\u202f235",
    ]  # fmt: skip


def test_percent_is_a_hundredth() -> None:
    assert [percent(part) for part in (0, 0.00126, 0.5, 1)] == [
        "0.00%", "0.13%", "50.00%", "100.00%",
    ]  # fmt: skip
    assert percent(0.3456, 1) == "34.6%"


@pytest.mark.parametrize(
    ("said", "name", "value"),
    [
        ("accuracy 75.00% (macro F1 0.7)", "accuracy", "75.00%"),
        ("macro F1 0.701 (accuracy 80.0%)", "macro F1", "0.701"),
        ("mean squared error 1.2e-05", "mean squared error", "1.2e-05"),
        ("macro F1 unknown: no answer was asked for", "macro F1", "unknown"),
    ],
)
def test_the_main_score_is_name_and_value(said: str, name: str, value: str) -> None:
    assert headline(said) == (name, value)


# -- the page ------------------------------------------------------------------


def page_of(report: Report) -> ElementTree.Element:
    return ElementTree.fromstring(html_of(report).removeprefix("<!DOCTYPE html>\n"))


def words(item: ElementTree.Element) -> str:
    return " ".join("".join(item.itertext()).replace("\u202f", "").replace("\u00a0", " ").split())


def tables(page: ElementTree.Element) -> dict[str, dict[str, dict[str, str]]]:
    """First heads of each table to name of a row to head of a cell to the cell."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for item in page.iter("table"):
        heads = [words(cell) for cell in item.find("thead/tr")]
        rows = [[words(cell) for cell in row] for row in item.find("tbody")]
        name = heads[0] if heads[0] != "Node" else f"Node, {heads[1]}"
        found[name] = {row[0]: dict(zip(heads[1:], row[1:], strict=True)) for row in rows}
    return found


def figures(page: ElementTree.Element) -> dict[str, tuple[str, str]]:
    """Name of each key figure to its value and note."""
    (listed,) = (item for item in page.iter("dl") if item.get("class") == "figures")
    return {words(item[0]): (words(item[1]), words(item[2])) for item in listed}


def bars(page: ElementTree.Element, title: str) -> dict[str, str]:
    """Label of each bar of a chart to the value beside it."""
    (chart,) = [svg for svg in page.iter("svg") if words(svg[0]) == title and svg[0].tag == "title"]
    said = {kind: [words(t) for t in chart.iter("text") if t.get("class") == kind]
            for kind in ("label", "value")}  # fmt: skip
    return dict(zip(said["label"], said["value"], strict=True))


@pytest.fixture(scope="module")
def tiny() -> Report:
    """Three times the tiny network's two steps, counted by hand in `tests/energy`."""
    graph = tiny_graph()
    metrics = measure(graph, run(graph, np.concatenate([TINY_INPUT] * 3), "reference"))
    return Report(title="t", graph=graph, metrics=metrics,
                  energy=estimate(metrics, graph, LOIHI2))  # fmt: skip


@pytest.fixture(scope="module")
def made(tiny: Report) -> Report:
    """Energies of which no two look alike: each has a prefix of its own."""
    energy = tiny.energy
    (name, found), *_ = energy.by_constant_set.items()
    known = replace(
        found, synaptic=Interval(1.5e-9, 2.5e-9), neuron=Interval(3e-12, 4e-6),
        routing=Interval(5e-6, 5e-6), dynamic=Interval(6e-6, 7e-4), total=Interval(8e-3, 9e-3),
    )  # fmt: skip
    rows = (Baseline("ann_int8", "a row", 2e-10, 3e-7, "x", 32, 0.9725, 0.985, "of 8"),)
    work = Work(Interval(1234, 1234567), Interval(20, 30), Interval(4, 4), Interval(5, 6.4),
                Hops(Interval(1, 10), Interval(2, 20)))  # fmt: skip
    energy = replace(
        energy, by_constant_set={name: known}, baselines=rows, work=work,
        step_time=Interval(200e-9, 31.03e-6), static=Interval(43.6e-9, 21.2e-3),
    )  # fmt: skip
    rates = (RateRow(0.5, 0.0312, (), Interval(1e-9, 2e-6), Interval(3e-3, 4e-3)),)
    return replace(tiny, energy=energy, rates=rates)


def test_joules_of_a_set_stand_in_their_columns_with_their_prefixes(made: Report) -> None:
    (row,) = tables(page_of(made))["Set"].values()
    assert row["Synaptic"] == "1.50 to 2.50 nJ"
    assert row["Neuron"] == "3.00 pJ to 4.00 µJ"
    assert row["Routing"] == "5.00 µJ"


def test_the_bars_say_the_same_joules(made: Report) -> None:
    page = page_of(made)
    (known,) = made.energy.by_constant_set.values()
    found = bars(page, "Energy per inference by part, in joules")
    assert found == {
        f"{known.constants.title} [{known.constants.grade}]": "6.00 µJ to 700 µJ",
        "Synaptic": "1.50 to 2.50 nJ", "Neuron": "3.00 pJ to 4.00 µJ", "Routing": "5.00 µJ",
        "Static": "43.6 nJ to 21.2 mJ", "All sets, static included": "8.00 to 9.00 mJ",
        "a row": "200 pJ to 300 nJ",
    }  # fmt: skip
    (headline_words,) = [words(d) for d in page.iter("div") if d.get("class") == "headline"]
    assert "Energy per inference on Intel Loihi 2 8.00 to 9.00 mJ" in headline_words
    split = "Static 43.6 nJ to 21.2 mJ, dynamic 6.00 µJ to 700 µJ"
    assert f"{made.energy.label} {split}" in headline_words
    assert bars(page, "Energy per inference, in joules") == {
        "Static": "43.6 nJ to 21.2 mJ", "Dynamic": "6.00 µJ to 700 µJ", "Total": "8.00 to 9.00 mJ",
    }  # fmt: skip


def test_both_charts_of_spike_rates_say_dynamic_and_total(made: Report) -> None:
    title = "Energy per inference against spike rate, in joules"
    (chart,) = [svg for svg in page_of(made).iter("svg") if words(svg[0]) == title]
    shown = [words(t) for t in chart.iter("text") if t.get("class") in ("group", "label", "value")]
    assert shown == [
        "Without static power", "\u00d7 0.5, mean rate 3.12%", "1.00 nJ to 2.00 µJ",
        "Static power included, as fast as the chip goes", "\u00d7 0.5, mean rate 3.12%",
        "3.00 to 4.00 mJ",
    ]  # fmt: skip


def test_baselines_events_and_times_stand_in_their_rows(made: Report) -> None:
    found = tables(page_of(made))
    assert found["Baseline"]["a row"] == {
        "Arithmetic": "200 pJ", "With memory": "300 nJ", "Assumes": "x",
        "Accuracy": "97.25% of 8; its own 98.50%",
    }  # fmt: skip
    assert {name: row["Low to high"] for name, row in found["Event"].items()} == {
        "Synaptic operations on the chip": "1234 to 1234567",
        "Passes of neuron programs": "20 to 30", "Firing neurons": "4",
        "Messages on the network of the chip": "5 to 6", "Time per step": "200 ns to 31.0 µs",
        "Chips": "1", "Routers passed": "3 to 30", "Static energy": "43.6 nJ to 21.2 mJ",
    }  # fmt: skip


def test_break_even_rates_stand_beside_the_measured_ones(tiny: Report) -> None:
    sets = {"cmos45": Interval(1.148, 3.0), "pilotnet": Interval(0.01, 0.0896)}
    row = BreakEven("mix", 1024, 205, True, 0.0234, sets)
    found = tables(page_of(replace(tiny, break_even=(row,))))["Layer"]["mix"]
    assert found == {
        "Dense MACs per step": "1,024", "Synapses": "205", "Measured rate": "2.34%",
        "cmos45": "115% to 300%, below", "pilotnet": "1% to 8.96%, open",
    }  # fmt: skip
    head, *rows = tables_of(replace(tiny, break_even=(row,)))["break-even"][1]
    assert dict(zip(head, rows[1], strict=True)) == {
        "node": "mix", "dense_macs_per_step": 1024, "synapses": 205, "rate": 0.0234,
        "set": "pilotnet", "low": 0.01, "high": 0.0896, "measured": "open",
    }  # fmt: skip
    assert "Layer" not in tables(page_of(tiny))


def test_real_time_is_static_watts_times_seconds(tiny: Report) -> None:
    # two steps at 1000 a second: 0.109 to 0.342 W for 2 ms; all else is nanojoules
    said = words(page_of(tiny))
    assert (
        "In real time, at 1000 steps per second, one inference takes 0.002 s: static 218 to 684 µJ,"
        " together 218 to 684 µJ, mean power 109 to 342 mW." in said
    )
    assert "takes 0.008 s: static 872 µJ to 2.74 mJ" not in said
    slower = words(page_of(replace(tiny, steps_per_second=250.0)))
    assert "at 250 steps per second, one inference takes 0.008 s: static 0.872 to 2.74 mJ" in slower


def test_joules_and_load_of_a_placement_by_hand(tiny: Report) -> None:
    said = words(page_of(tiny))
    # 0.109 W for 200 ns twice, 0.342 W for 31.03 us twice; 240 pJ by the lowest set; by the highest
    # 8 x 35.5 + 16 x 72.8 + 7 x 111 + 3 x (7 x 3.0 + 3 x 4.2) + 4 x 69.3 pJ
    assert "Energy per inference on it: 43.8 nJ to 21.2 µJ, 0.240 to 2.60 nJ of it dynamic" in said
    # 2 neurons behind 2 axons of a word of synapses each: 8 words of 20,000
    assert "3 cores on 1 chip of Intel Loihi 2, with 4 neurons;" in said
    assert "the fullest core uses 0.0% of its memory" in said
    rows = {row[0].split("\u00a0 ")[1]: row[2:] for row in population_rows(
        place(s4d_shape(width=128, states=4, layers=1), LOIHI2, ssm_mapping="state"))}  # fmt: skip
    # 128 axons: to 128 neurons 42 words of synapses each, to 10 neurons 4, at 3.1 a word
    relu, decoder = 128 + 128 + 128 * 42 + 128, 10 + 128 + 128 * 4 + 10
    assert rows["relu"] == ("128", "1", "128", "128", "5\u202f376", "128", f"{relu / 200:.1f}%")
    assert rows["decoder"] == ("10", "1", "10", "128", "512", "10", f"{decoder / 200:.1f}%")


def test_counters_are_of_one_sample_and_saturations_of_all(tiny: Report) -> None:
    page = page_of(tiny)
    found = tables(page)["Node, SynOps"]
    assert "over 3 samples of 2 steps; mean per sample" in words(page)
    assert "of 2 steps on Intel Loihi 2" in words(page)
    # input both, then one: 2 + 1 synapses that are not zero, then 1; two spikes to one sum
    assert found["mix"]["SynOps"] == "4"
    assert found["read"]["SynOps"] == "2"
    assert found["total"]["SynOps"] == "6"
    assert found["spike"]["Spikes sent"] == "2"
    assert found["total"]["Weights multiplied"] == "0"
    assert (found["output"]["Activations in"], found["output"]["Activations out"]) == ("2", "0")
    clipped = {n: replace(c, saturations=7) if n == "sum" else c
               for n, c in tiny.metrics.nodes.items()}  # fmt: skip
    page = page_of(replace(tiny, metrics=replace(tiny.metrics, nodes=clipped)))
    assert tables(page)["Node, SynOps"]["sum"]["Saturations"] == "7"
    assert figures(page)["Saturations"] == ("7", "counted, in 3 samples")


def test_the_totals_of_the_network_by_hand(tiny: Report) -> None:
    found = tables(page_of(tiny))["Node, Type"]
    # 6 weights, 3 biases, 2 thresholds; one running sum
    assert found["total"] == {"Type": "", "Channels": "", "Activations": "",
                              "Parameters": "11", "States": "1"}  # fmt: skip
    assert found["mix"]["Parameters"] == "6" and found["spike"]["Parameters"] == "2"


def test_multiplications_are_of_one_sample(tiny: Report) -> None:
    graph = model_graph(blocks=1, channels=6, modes=2, classes=3)
    inputs = np.concatenate([model_input(12)] * 2)
    metrics = measure(graph, run(graph, inputs, "fast", "outputs"))
    page = page_of(Report(title="t", graph=graph, metrics=metrics))
    # 12 steps of 6 x 2 complex states: 8 products each, and D; the gate and its segments: 1 each
    recurrences, gates = 12 * (12 * 8 + 6), 12 * (6 + 6)
    found = {name: row["Per inference"] for name, row in tables(page)["Multiplications in"].items()}
    assert list(found.values())[1:] == [str(recurrences), str(gates)]
    value, note = figures(page)["Multiplications"]
    assert note == (
        f"counted, per inference, in synapses; {recurrences} in recurrences, {gates} in gates"
    )
    assert value == found["Synapses"]
    unseen = tables(page)["Metric"]["State updates (not seen by NeuroBench)"]["Value"]
    assert unseen == str(12 * 12)


def test_the_numbers_of_neurobench_by_hand(tiny: Report) -> None:
    found = {name: row["Value"] for name, row in tables(page_of(tiny))["Metric"].items()}
    assert found["Effective_ACs"] == "6" and found["Effective_MACs"] == "0"
    assert found["Dense"] == "12"  # 6 weights, 2 steps
    assert found["ActivationSparsity"] == "50.00%"  # 2 spikes of 4
    assert found["ConnectionSparsity"] == "16.67%"  # one weight of 6 is zero
    # bytes: 6 weights, 3 biases and 2 thresholds of 3
    assert found["Footprint"] == "21 bytes"


def test_key_figures_say_what_was_counted_and_how_often(tiny: Report) -> None:
    accuracy = Accuracy(data="a set", samples=8, integer=0.625, float_graph=0.875, agreement=0.75)
    found = figures(page_of(replace(tiny, accuracy=accuracy)))
    assert found["Accuracy, integer"] == ("62.50%", "measured, 5 of 8 samples, a set")
    assert found["Accuracy, float"] == ("87.50%", "measured; 75.00% equal predictions")
    rates = replace(tiny.metrics, spike_rates={"a": 0.25, "b": 0.125, "c": 0.125})
    said = figures(page_of(replace(tiny, metrics=rates)))["Spike rate"]
    assert said == ("0.167", "counted, per neuron per time step; busiest node 0.250")
    assert found["Multiplications"] == (
        "0", "counted, per inference, in synapses; 0 in recurrences, 0 in gates"
    )  # fmt: skip
    scores = Answers(integer="macro F1 0.701 (accuracy 80.0%)", count=1234)
    found = figures(page_of(replace(tiny, answers=scores)))
    assert found["macro F1, integer"] == ("0.701", "measured, 1234 predictions")


def test_seconds_of_each_form_stand_in_their_columns(tiny: Report) -> None:
    row = TimingRow(form="f", batch=4, threads=2, seconds_a_sample=2.5e-3,
                    median_seconds_a_sample=0.35, seconds_a_step=4.5e-6,
                    joules_a_sample=(("package-0", 0.25), ("dram", 3e-3)))  # fmt: skip
    timings = Timings(machine="m", float_network="n", boundary="b", energy="e", rows=(row,))
    assert tables(page_of(replace(tiny, timings=timings)))["Implementation"]["f"] == {
        "Batch size": "4", "Threads": "2", "Per sample, fastest": "2.50 ms",
        "Per sample, median": "350 ms", "Per step of a batch": "4.50 µs",
        "Samples per second": "400", "Energy per sample": "package-0 250 mJdram 3.00 mJ",
    }  # fmt: skip


def test_ticks_of_an_axis_change_their_prefix_at_a_thousand() -> None:
    bar = Bar("b", Interval(2e-8, 3e-5), "total")
    chart = ElementTree.fromstring(interval_chart([BarGroup("g", (bar,))], "t", "J"))
    ticks = [t.text for t in chart.iter("text") if t.get("class") == "tick"]
    assert ticks == ["10 nJ", "100 nJ", "1 µJ", "10 µJ", "100 µJ"]
    places = [float(re.sub("%", "", t.get("x"))) for t in chart.iter("text")
              if t.get("class") == "tick"]  # fmt: skip
    assert np.diff(places) == pytest.approx(99 / 4, abs=1e-3)  # a decade is a quarter


def test_bars_of_rates_begin_at_zero_and_have_their_share_of_the_axis() -> None:
    chart = ElementTree.fromstring(rate_chart([("a", 0.25), ("b", 0.125)], "t", "spikes"))
    assert [t.text for t in chart.iter("text") if t.get("class") == "value"] == ["0.2500", "0.1250"]
    # 0 to 0.3 over 99 per cent
    assert [t.text for t in chart.iter("text") if t.get("class") == "tick"] == [
        "0", "0.1", "0.2", "0.3",
    ]  # fmt: skip
    assert [(bar.get("x"), bar.get("width")) for bar in chart.iter("rect")] == [
        ("0.500%", "82.500%"), ("0.500%", "41.250%"),
    ]  # fmt: skip


def test_a_raster_says_the_rate_of_its_sample(tiny: Report) -> None:
    drawn = raster_svg(tiny.graph, run(tiny.graph, TINY_INPUT, "reference"))
    labels = [t.text for t in ElementTree.fromstring(drawn).iter("text")
              if t.get("class") == "label"]  # fmt: skip
    assert labels == ["input, 2 channels, rate 0.750", "spike, 2 channels, rate 0.500"]


def test_a_core_is_as_strong_as_it_is_full() -> None:
    placed = place(s4d_shape(width=128, states=4, layers=1), LOIHI2, ssm_mapping="state")
    drawn = cores_svg(placed, LOIHI2)
    (cell,) = re.findall(r"<g><title>core \d+: relu 0 to 127;.*?</g>", drawn)
    # 128 + 128 + 128 x 42 + 128 words of 20,000
    assert "load 28.8%" in cell and ">29%</text>" in cell
    assert f'fill-opacity="{0.08 + 0.92 * 0.288:.3f}"' in cell
